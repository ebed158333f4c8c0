"""Objects to files: a zeroed preamble, file meta information of our own, Explicit VR Little Endian (PS3.10 7).

Deciding what is written does not belong here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.deidentify.rebuild import Cleaned, encoded
from tasks.elements import UNDEFINED
from tasks.model import Instance

IMPLEMENTATION_CLASS_UID = "2.25.164317837158917276894431219018733826581"
IMPLEMENTATION_VERSION = "SALLYPORT_1"
_PREAMBLE = bytes(128) + b"DICM"
_END_OF_SEQUENCE = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
_LONG_VRS = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))


def write_object(instance: Instance, path: Path) -> None:
    """Write an object whole or not at all; nothing of the source's preamble, file meta or trailing bytes is in it."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as stream:
            stream.writelines(object_bytes(instance))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def object_bytes(instance: Instance) -> list[bytes]:
    """Return the bytes of an object, in pieces."""
    meta = _meta_bytes(instance.sop_class_uid, instance.sop_instance_uid, instance.transfer_syntax_uid)
    pieces = [_PREAMBLE, meta]
    dataset: Any = instance.dataset
    elements = dataset._dict
    for tag in sorted(elements):
        element = elements[tag]
        number = int(tag)
        if number >> 16 < 8 or number & 0xFFFF == 0:
            continue
        if getattr(element, "is_raw", False) and element.value is not None and not (element.is_implicit_VR or not element.is_little_endian):
            vr, value, undefined = element.VR, element.value, element.length == UNDEFINED
        else:
            vr, value, undefined = _rewritten(dataset, tag)
        if undefined and vr != "SQ":
            code = vr.encode()
            pieces += [
                (number >> 16).to_bytes(2, "little") + (number & 0xFFFF).to_bytes(2, "little") + code + b"\0\0\xff\xff\xff\xff",
                value,
                _END_OF_SEQUENCE,
            ]
        else:
            pieces.append(encoded({number: (vr, value + b"\0" * (len(value) % 2), False)}))
    return pieces


def _rewritten(dataset: Any, tag: Any) -> tuple[str, bytes, bool]:
    """Return VR and bytes of an element that a stage has set as a Python value; of encapsulated frames without the end of the sequence."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import correct_ambiguous_vr_element, write_data_element

    element: Any = correct_ambiguous_vr_element(dataset[tag], dataset, True)
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_data_element(stream, element, "utf8")
    raw = stream.getvalue()
    vr = raw[4:6].decode()
    start = 12 if vr in _LONG_VRS else 8
    undefined = bool(element.is_undefined_length) and vr != "SQ"
    return vr, raw[start : len(raw) - len(_END_OF_SEQUENCE) if undefined else None], undefined


def _meta_bytes(sop_class_uid: str, sop_uid: str, syntax: str) -> bytes:
    def uid(text: str) -> bytes:
        raw = text.encode("ascii")
        return raw + b"\0" * (len(raw) % 2)

    body: Cleaned = {
        0x00020001: ("OB", b"\x00\x01", False),
        0x00020002: ("UI", uid(sop_class_uid), False),
        0x00020003: ("UI", uid(sop_uid), False),
        0x00020010: ("UI", uid(syntax), False),
        0x00020012: ("UI", uid(IMPLEMENTATION_CLASS_UID), False),
        0x00020013: ("SH", IMPLEMENTATION_VERSION.encode() + b" " * (len(IMPLEMENTATION_VERSION) % 2), False),
    }
    group = encoded(body)
    return encoded({0x00020000: ("UL", len(group).to_bytes(4, "little"), False)}) + group
