"""De-identification of headers by PS3.15 Annex E: rules as data, default deny, keyed pseudonyms.

Pixels and faces do not belong here; neither does checking the result (tasks/scan shares no rule with this package).
"""

from __future__ import annotations

from tasks.deidentify.context import StudyContext, study_context
from tasks.deidentify.markers import declare
from tasks.deidentify.objects import deidentify_object
from tasks.deidentify.writing import write_object

__all__ = ["StudyContext", "declare", "deidentify_object", "study_context", "write_object"]
