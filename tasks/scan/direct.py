"""Attributes that name somebody, filled with something that is no pseudonym (T2), whoever the source says it is.

Whether a value is the patient's own is asked in `search`; here any value is one too many.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.scan.charset import decode
from tasks.scan.domains import Stray, declared_codes
from tasks.scan.vocabulary import is_placeholder
from tasks.scan.walk import Walk

_ATTRIBUTES = {
    0x00100030: ("birth_date", 0.8),
    0x00101000: ("patient_id", 0.7),
    0x00101040: ("address", 0.95),
    0x00101050: ("record_number", 0.8),
    0x00101090: ("record_number", 0.8),
    0x00102154: ("phone", 0.95),
    0x00102155: ("phone", 0.95),
    0x00080050: ("accession_number", 0.6),
    0x00080080: ("organization", 0.8),
    0x00080081: ("address", 0.95),
    0x00081040: ("organization", 0.6),
    0x00081010: ("station", 0.6),
    0x00080092: ("address", 0.95),
    0x00080094: ("phone", 0.95),
    0x00181000: ("device_serial", 0.6),
    0x00380010: ("record_number", 0.7),
    0x00402016: ("record_number", 0.7),
    0x00402017: ("record_number", 0.7),
    0x00102180: ("occupation", 0.5),
    0x00104000: ("comment", 0.5),
    0x001021F0: ("religion", 0.6),
    0x00102150: ("residence", 0.4),
    0x00102152: ("residence", 0.5),
    0x00100021: ("organization", 0.6),
    0x00100032: ("birth_time", 0.7),
    0x00100033: ("birth_date", 0.8),
    0x00100034: ("date", 0.7),
    0x00101001: ("patient_name", 0.9),
    0x00101005: ("patient_name", 0.9),
    0x00101060: ("person_name", 0.9),
    0x00101080: ("service", 0.6),
    0x00101081: ("service", 0.6),
    0x00102297: ("person_name", 0.9),
    0x00102299: ("organization", 0.7),
    0x00200010: ("study_id", 0.6),
    0x00321033: ("organization", 0.6),
    0x00380060: ("record_number", 0.7),
    0x00380300: ("location", 0.6),
    0x00380400: ("location", 0.6),
    0x00400009: ("record_number", 0.6),
    0x00400253: ("record_number", 0.6),
    0x00401001: ("record_number", 0.6),
    0x00401102: ("address", 0.95),
    0x00401103: ("phone", 0.95),
    0x00402010: ("phone", 0.9),
}
"""Attribute -> what it names, and how surely a value there is one person's, place's or device's own."""
_PATIENT_ID = 0x00100020
_SHORTEST_CODE = 16
_DATED_UID = re.compile(r"(?:^|\.)[0-9]{0,6}((?:19[5-9]|20[0-4])\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))[0-9]{0,8}(?:\.|$)")
_RETAINED = {
    "113105": ("comment", "occupation"),
    "113110": ("uid",),
    "113109": ("device_serial", "station"),
    "113112": ("organization", "address"),
    "113106": ("birth_date",),
}


def direct_identifiers(walk: Walk) -> Iterator[tuple[int, Stray]]:
    """Yield the index of every filled attribute that names a person, place, record or device, unless declared as kept."""
    kept = {kind for code in declared_codes(walk) for kind in _RETAINED.get(code, ())}
    patient = next((walk.value(e).strip(b" \0") for e in walk.elements if e.tag == _PATIENT_ID and e.parent < 0), b"")
    for index, element in enumerate(walk.elements):
        known = _ATTRIBUTES.get(element.tag)
        if known and element.end > element.start and known[0] not in kept:
            text = decode(walk.value(element)[:256], "ISO_IR 192").strip(" \0")
            if not is_placeholder(text) and not _is_dummy(text):
                yield index, Stray(known[0], "T2.direct", known[1])
        elif element.tag == _PATIENT_ID and element.parent >= 0:
            other = walk.value(element).strip(b" \0")
            if other != patient and not _is_code(other):
                yield index, Stray("patient_id", "T2.direct", 0.7)
        elif element.vr == "UI" and element.parent < 0 and "uid" not in kept and _DATED_UID.search(walk.value(element).decode("latin-1")):
            yield index, Stray("date", "T5.dated_uid", 0.5)


def _is_code(value: bytes) -> bool:
    """Say whether an id is what pseudonyms look like: long, letters and digits only."""
    return not value or (len(value) >= _SHORTEST_CODE and value.isalnum())


def _is_dummy(text: str) -> bool:
    """Say whether a value is what de-identifiers write where an attribute must not be empty."""
    return text in ("19000101", "00010101") or bool(re.fullmatch(r"[0-9a-f]{12,64}|[A-Z0-9]{1,8}-[0-9A-F]{8,}", text))
