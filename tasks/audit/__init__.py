"""Audit: every gate that needs no source identity, over any DICOM objects, ours or not.

De-identifying, judging a candidate and publishing do not belong here; an audit changes nothing.
"""

from tasks.audit.report import AuditReport, GateSummary
from tasks.audit.survey import survey

__all__ = ["AuditReport", "GateSummary", "survey"]
