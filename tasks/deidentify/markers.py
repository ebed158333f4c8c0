"""What was done to one object, said in the object: method, codes, and the three statements of PS3.15 E.1.1 and E.3.

A code stands only for work that was done on this very instance.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import lru_cache

from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag

from tasks.deidentify.context import StudyContext
from tasks.deidentify.rebuild import Cleaned, encoded
from tasks.elements import ITEM
from tasks.model import FaceOutcome, Instance, PixelOutcome
from tasks.policy.headers import HeaderPolicy

# CID 7050 De-identification Method (PS3.16)
MEANINGS = {
    "113100": "Basic Application Confidentiality Profile",
    "113101": "Clean Pixel Data Option",
    "113102": "Clean Recognizable Visual Features Option",
    "113103": "Clean Graphics Option",
    "113104": "Clean Structured Content Option",
    "113105": "Clean Descriptors Option",
    "113106": "Retain Longitudinal Temporal Information Full Dates Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
    "113109": "Retain Device Identity Option",
    "113110": "Retain UIDs Option",
    "113111": "Retain Safe Private Option",
    "113112": "Retain Institution Identity Option",
}
METHOD = "Sallyport PS3.15 E.1-1"
_FACES_SETTLED = frozenset(("defaced", "already defaced", "no face"))


def declare(instance: Instance, pixels: PixelOutcome, faces: FaceOutcome, context: StudyContext) -> Instance:
    """Return the instance with the markers of what was done: nothing is declared that a stage did not finish."""
    has_pixels = any(tag in instance.dataset for tag in (0x7FE00008, 0x7FE00009, 0x7FE00010))
    codes = list(header_codes(context.policy))
    cleaned_pixels = pixels.examined and pixels.reason is None
    cleaned_faces = faces.reason is None and faces.verdict in _FACES_SETTLED
    if cleaned_pixels and has_pixels:
        codes.append("113101")
    if cleaned_faces:
        codes.append("113102")
    statements: Cleaned = dict(_method(tuple(sorted(codes))))
    if has_pixels and cleaned_pixels:
        statements[0x00280301] = ("CS", b"NO", False)
    if cleaned_faces and faces.face_in_fov is not None:
        statements[0x00280302] = ("CS", b"NO", False)
    statements[0x00280303] = ("CS", {"remove": b"REMOVED ", "shift": b"MODIFIED", "keep": b"UNMODIFIED"}[context.policy.dates], False)
    dataset = copy(instance.dataset)
    dataset._dict = {**instance.dataset._dict}
    for tag in (0x00280301, 0x00280302):
        dataset._dict.pop(BaseTag(tag), None)
    for tag, (vr, value, _) in statements.items():
        dataset._dict[BaseTag(tag)] = RawDataElement(BaseTag(tag), vr, len(value), value, 0, False, True)
    return replace(instance, dataset=dataset)


def header_codes(policy: HeaderPolicy) -> tuple[str, ...]:
    """Return the CID 7050 codes of what the header rules of this policy do to every object."""
    codes = ["113100"]
    if policy.clean_graphics:
        codes.append("113103")
    if policy.clean_structured_content:
        codes.append("113104")
    if policy.clean_descriptors:
        codes.append("113105")
    if policy.dates != "remove":
        codes.append("113107" if policy.dates == "shift" else "113106")
    options = [
        (policy.retain_patient_characteristics, "113108"),
        (policy.retain_device == "full", "113109"),
        (policy.retain_uids, "113110"),
        (policy.retain_safe_private, "113111"),
        (policy.retain_institution, "113112"),
    ]
    return (*codes, *(code for on, code in options if on))


@lru_cache(maxsize=64)
def _method(codes: tuple[str, ...]) -> Cleaned:
    items = []
    for code in codes:
        meaning = MEANINGS[code].encode()
        body = encoded(
            {
                0x00080100: ("SH", code.encode(), False),
                0x00080102: ("SH", b"DCM ", False),
                0x00080104: ("LO", meaning + b" " * (len(meaning) % 2), False),
            }
        )
        items.append((ITEM >> 16).to_bytes(2, "little") + (ITEM & 0xFFFF).to_bytes(2, "little") + len(body).to_bytes(4, "little") + body)
    return {
        0x00120062: ("CS", b"YES ", False),
        0x00120063: ("LO", METHOD.encode() + b" " * (len(METHOD) % 2), False),
        0x00120064: ("SQ", b"".join(items), False),
    }
