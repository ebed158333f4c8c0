"""Free text: the patient's own identifiers, dates, contacts, persons and places found and cut out; clinical words stay.

Which attributes hold free text does not belong here, nor does text drawn in pixels (tasks/pixels).
"""

from __future__ import annotations

from tasks.deidentify.text.cleaner import CleanedText, TextCleaner

__all__ = ["CleanedText", "TextCleaner"]
