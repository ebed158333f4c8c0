"""Read the few header values of a published object that verification compares with the manifests; quickly, from bytes.

Explicit VR little endian is walked here; other syntaxes are left to pydicom. Judging the values does not belong here.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field

_LONG_FORM = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_UNDEFINED = 0xFFFFFFFF
_WANTED = {
    (0x0008, 0x0016): "sop_class_uid",
    (0x0008, 0x0018): "sop_instance_uid",
    (0x0010, 0x0020): "patient_id",
    (0x0020, 0x000D): "study_instance_uid",
    (0x0020, 0x000E): "series_instance_uid",
    (0x0012, 0x0062): "patient_identity_removed",
    (0x0028, 0x0301): "burned_in_annotation",
    (0x0028, 0x0302): "recognizable_visual_features",
    (0x0028, 0x0303): "temporal_info_modified",
}
_LAST = (0x0028, 0x0303)
_CODES = (0x0012, 0x0064)
_CODE_VALUE = (0x0008, 0x0100)


@dataclass(frozen=True, slots=True)
class ObjectHeader:
    preamble_is_zero: bool
    transfer_syntax_uid: str = ""
    values: dict[str, str] = field(default_factory=dict)
    deid_option_codes: frozenset[str] = frozenset()


def read_object_header(data: bytes) -> ObjectHeader | None:
    """Return the header values of a DICOM file given its first bytes (or all of them); None when it cannot be read as one."""
    if len(data) < 132 or data[128:132] != b"DICM":
        return None
    clean = not any(data[:128])
    try:
        meta_end, syntax = _read_meta(data)
        if syntax in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"):
            return _by_pydicom(data, clean, syntax)
        values: dict[str, str] = {}
        codes: set[str] = set()
        _walk(data, meta_end, values, codes)
    except (struct.error, IndexError, ValueError, UnicodeDecodeError):
        return None
    return ObjectHeader(clean, syntax, values, frozenset(codes))


def _read_meta(data: bytes) -> tuple[int, str]:
    position, syntax = 132, ""
    while data[position : position + 2] == b"\x02\x00":
        tag, _, length, start = _element(data, position)
        if tag == (2, 0x10):
            syntax = _text(data[start : start + length])
        position = start + length
    return position, syntax


def _walk(data: bytes, position: int, values: dict[str, str], codes: set[str]) -> None:
    while position + 8 <= len(data):
        tag, vr, length, start = _element(data, position)
        if tag > _LAST:
            return
        if tag == _CODES:
            position = _walk_codes(data, start, length, codes)
            continue
        if length == _UNDEFINED:
            position = _skip_undefined(data, start, vr)
            continue
        if tag in _WANTED:
            values[_WANTED[tag]] = _text(data[start : start + length])
        position = start + length


def _walk_codes(data: bytes, start: int, length: int, codes: set[str]) -> int:
    end = start + length if length != _UNDEFINED else _skip_undefined(data, start, b"SQ")
    position = start
    while position + 8 <= end:
        group, element, item_length = struct.unpack_from("<HHI", data, position)
        position += 8
        if (group, element) == (0xFFFE, 0xE000) and item_length != _UNDEFINED:
            item_end = position + item_length
        elif (group, element) == (0xFFFE, 0xE000):
            item_end = _skip_item(data, position)
        else:
            break
        while position + 8 <= item_end and data[position : position + 4] != b"\xfe\xff\x0d\xe0":
            tag, vr, value_length, value_start = _element(data, position)
            if tag == _CODE_VALUE:
                codes.add(_text(data[value_start : value_start + value_length]))
            position = _skip_undefined(data, value_start, vr) if value_length == _UNDEFINED else value_start + value_length
        position = item_end
    return end


def _skip_undefined(data: bytes, position: int, vr: bytes) -> int:
    """Return the position after the sequence delimiter of a sequence of undefined length whose content starts here."""
    while True:
        group, element, length = struct.unpack_from("<HHI", data, position)
        position += 8
        if (group, element) == (0xFFFE, 0xE0DD):
            return position
        if (group, element) != (0xFFFE, 0xE000):
            raise ValueError(vr)
        position = _skip_item(data, position) if length == _UNDEFINED else position + length


def _skip_item(data: bytes, position: int) -> int:
    while data[position : position + 4] != b"\xfe\xff\x0d\xe0":
        _, vr, length, start = _element(data, position)
        position = _skip_undefined(data, start, vr) if length == _UNDEFINED else start + length
    return position + 8


def _element(data: bytes, position: int) -> tuple[tuple[int, int], bytes, int, int]:
    group, element = struct.unpack_from("<HH", data, position)
    vr = data[position + 4 : position + 6]
    if vr in _LONG_FORM:
        return (group, element), vr, struct.unpack_from("<I", data, position + 8)[0], position + 12
    return (group, element), vr, struct.unpack_from("<H", data, position + 6)[0], position + 8


def _text(raw: bytes) -> str:
    return raw.decode("ascii").strip(" \0")


def _by_pydicom(data: bytes, clean: bool, syntax: str) -> ObjectHeader | None:
    from pydicom import dcmread

    try:
        dataset = dcmread(io.BytesIO(data), stop_before_pixels=True, force=False)
        values = {}
        for tag, name in _WANTED.items():
            if tag in dataset:
                values[name] = str(dataset[tag].value)
        codes = frozenset(str(item.CodeValue) for item in dataset.get("DeidentificationMethodCodeSequence", []))
    except Exception:  # whatever pydicom raises means the same: not readable; its text could hold a value
        return None
    return ObjectHeader(clean, syntax, values, codes)
