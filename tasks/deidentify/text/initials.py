"""Initials of staff where initials stand: before a time, after `per` and `checked`, two pairs with a stroke, after a date.

Initials of the patient's own name are found in `own_names`, those after a labelled role in `persons`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.deidentify.text.fold import Text
from tasks.deidentify.text.person_cues import STOP
from tasks.deidentify.text.span import Span
from tasks.deidentify.text.vocabulary import is_known

_LETTERS = r"[A-Z]{2,3}"
_PLACES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"^\s*(?P<a>{_LETTERS})(?:\s*[-:,]\s*|\s+)(?=\d{{1,2}}:?\d\d\b(?!\s?mm)|\d{{1,2}}[/-]\d{{1,2}}|\d{{1,2}}\.\d{{1,2}}\.)",
        rf"^\s*(?P<a>{_LETTERS})\s+-\s",
        rf"(?<![^\W_])(?i:per|by|tech|rad|rn|initials?|ini|checked|verified|signed|sig|performed|done|exam|qc|w/|cosign(?:ed)?)[\s:./-]{{1,3}}(?P<a>{_LETTERS})(?![\w-])",
        rf"(?<![\w/-])(?P<a>{_LETTERS})/(?P<b>{_LETTERS})(?:/(?P<c>{_LETTERS}))?(?![\w/-])",
        rf"(?<![\w/-])(?P<a>{_LETTERS})\s+\d{{1,2}}:\d\d(?!\d)",
        rf"\d[\d/.:-]{{3,}}\s+(?P<a>{_LETTERS})\s*$",
    )
)

# Whoever verified something is a person or a department; initials may be an abbreviation as well (HB, DW).
_BY = re.compile(
    r"\b(?i:confirmed|verified|checked|performed|scanned|done|read|signed|injected|repeated|positioned|entered|witnessed|reviewed|qc'?e?d?)\s(?i:by)\s(?P<a>[A-Z]{2,3})(?![\w-])"
)
_DEPARTMENTS = frozenset(
    [
        "CT",
        "MR",
        "MRI",
        "US",
        "USG",
        "PET",
        "NM",
        "XR",
        "IR",
        "VIR",
        "ED",
        "ER",
        "GI",
        "GU",
        "ENT",
        "OB",
        "GYN",
        "PCP",
        "GP",
        "EMS",
        "RN",
        "MD",
        "DO",
        "PA",
        "NP",
        "RT",
        "OR",
        "OT",
        "PT",
        "ICU",
        "ECG",
        "EKG",
        "EEG",
        "CXR",
        "TTE",
        "TEE",
        "EUS",
        "FNA",
        "AP",
        "QA",
        "QC",
        "PM",
        "AM",
        "SLP",
        "MDT",
        "SHO",
        "SPR",
        "REG",
        "CNS",
        "AI",
    ]
)


def find_initials(text: Text) -> Iterator[Span]:
    """Yield initials that no vocabulary holds; of two pairs, both have to be unknown (`CC/MLO` stays)."""
    for pattern in _PLACES[2:4] if text.value.isupper() else _PLACES:
        for match in pattern.finditer(text.value):
            groups = {name: group for name, group in match.groupdict().items() if group}
            if all(not is_known(group.lower()) and group.lower() not in STOP for group in groups.values()):
                yield from (Span(*match.span(name), "person") for name in groups)
    for match in _BY.finditer(text.value):
        if match["a"] not in _DEPARTMENTS:
            yield Span(*match.span("a"), "person")
