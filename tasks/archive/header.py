"""Read the few header elements that place a DICOM object in its study, within bounds, whatever the file is.

A walker of our own instead of pydicom: it reads no value that it does not need, never recurses, and stops after a fixed
amount of work, so that hostile files cost what honest ones do. Whether an object can be worked on is decided in tasks/intake.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

WINDOW_BYTES = 32 << 10
MAX_WINDOWS = 256  # 8 MiB read at most per file
MAX_ELEMENTS = 50_000
MAX_VALUE_BYTES = 1024  # of a wanted element; every one of them is shorter by PS3.5 Table 6.2-1

_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT_VRS = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI"}
    | {b"UL", b"US"}
)
_VRS = _LONG_VRS | _SHORT_VRS
_DEFLATED = "1.2.840.10008.1.2.1.99"
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD

_CHARSET, _STUDY_UID, _SERIES_UID, _PIXELS = 0x00080005, 0x0020000D, 0x0020000E, 0x7FE00008
_WANTED = {
    0x00080016: "sop_class_uid",
    0x00080018: "sop_instance_uid",
    0x00080020: "study_date",
    0x00080050: "accession",
    0x00080060: "modality",
    0x00081030: "study_description",
    0x00100020: "patient_id",
    0x00100021: "issuer",
    _STUDY_UID: "study_uid",
    _SERIES_UID: "series_uid",
}
_TEXT = frozenset({"accession", "study_description", "patient_id", "issuer"})  # VRs that (0008,0005) applies to

ReadAt = Callable[[int, int], bytes]
"""(offset, count) -> up to `count` bytes; fewer only at the end."""


@dataclass(frozen=True, slots=True)
class Header:
    """What places an object in the archive (identified values); "" where the object does not say."""

    sop_class_uid: str = ""
    sop_instance_uid: str = field(default="", repr=False)
    study_uid: str = field(default="", repr=False)
    series_uid: str = field(default="", repr=False)
    study_date: str = field(default="", repr=False)
    modality: str = ""
    accession: str = field(default="", repr=False)
    study_description: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    issuer: str = field(default="", repr=False)
    transfer_syntax_uid: str = ""


class _UnreadableError(Exception):
    """This is not a header that can be walked, or the walk reached its limits."""


def read_header(read_at: ReadAt) -> Header | None:
    """Return the header of the object behind `read_at`, or None when it is not readable as DICOM within the limits."""
    try:
        return _read(_Windows(read_at))
    except (_UnreadableError, struct.error, zlib.error):
        return None


class _Windows:
    """The bytes of a file, held one window at a time."""

    def __init__(self, read_at: ReadAt) -> None:
        self._read_at, self._start, self._data, self._loads = read_at, 0, b"", 0

    def at(self, offset: int, count: int) -> bytes:
        begin = offset - self._start
        if begin < 0 or begin + count > len(self._data):
            self._loads += 1
            if self._loads > MAX_WINDOWS:
                raise _UnreadableError
            self._data, self._start, begin = self._read_at(offset, WINDOW_BYTES), offset, 0
        return self._data[begin : begin + count]


class _Inflated:
    """A deflated dataset (PS3.5 A.5) read forwards, window by window; what lies behind is forgotten."""

    def __init__(self, source: _Windows, offset: int) -> None:
        self._source, self._offset = source, offset
        self._stream, self._start, self._data = zlib.decompressobj(-zlib.MAX_WBITS), 0, b""
        self._produced = 0

    def at(self, offset: int, count: int) -> bytes:
        while self._start + len(self._data) < offset + count and not self._stream.eof:
            pending = self._stream.unconsumed_tail
            if not pending:
                pending = self._source.at(self._offset, WINDOW_BYTES // 2)
                self._offset += len(pending)
                if not pending:
                    break
            produced = self._stream.decompress(pending, WINDOW_BYTES)
            self._produced += len(produced)
            if self._produced > WINDOW_BYTES * MAX_WINDOWS:
                raise _UnreadableError  # a deflate bomb, or a header that no honest object has
            drop = max(0, min(offset - self._start, len(self._data)))
            self._data, self._start = self._data[drop:] + produced, self._start + drop
        begin = offset - self._start
        if begin < 0:
            raise _UnreadableError
        return self._data[begin : begin + count]


@dataclass(frozen=True, slots=True)
class _Encoding:
    implicit: bool
    order: str  # "<" or ">"


@dataclass(frozen=True, slots=True)
class _Element:
    tag: int
    vr: bytes
    length: int
    value_at: int


def _read(source: _Windows) -> Header:
    start = source.at(0, 132)
    position = 132 if start[128:132] == b"DICM" else 0
    syntax, meta_class = "", ""
    meta = _Encoding(implicit=False, order="<")
    while (element := _element(source, position, meta)) is not None and element.tag >> 16 == 0x0002:
        if element.tag in (0x00020002, 0x00020010) and element.length <= MAX_VALUE_BYTES:
            value = _ascii(source.at(element.value_at, element.length))
            syntax, meta_class = (value, meta_class) if element.tag == 0x00020010 else (syntax, value)
        if element.length == _UNDEFINED:
            raise _UnreadableError
        position = element.value_at + element.length
    bare = position == 0
    dataset: _Windows | _Inflated = source
    if syntax == _DEFLATED:
        dataset, position = _Inflated(source, position), 0
    values = _walk(dataset, position, _encoding(dataset, position), bare=bare)
    values.setdefault("sop_class_uid", meta_class)
    return Header(transfer_syntax_uid=syntax, **values)


def _encoding(dataset: _Windows | _Inflated, position: int) -> _Encoding:
    """Look at the first element rather than at the declared transfer syntax, which is sometimes wrong."""
    first = dataset.at(position, 6)
    if len(first) < 6:
        raise _UnreadableError
    little, big = struct.unpack("<H", first[:2])[0], struct.unpack(">H", first[:2])[0]
    return _Encoding(implicit=first[4:6] not in _VRS, order=">" if big < little else "<")


def _walk(dataset: _Windows | _Inflated, position: int, encoding: _Encoding, *, bare: bool) -> dict[str, str]:
    raw: dict[str, bytes] = {}
    charset = b""
    visited = 0
    while (element := _element(dataset, position, encoding)) is not None:
        visited += 1
        if visited == 1 and bare and not _plausible_first(element):
            raise _UnreadableError  # no preamble, and not the beginning of a dataset: some other kind of file
        if visited > MAX_ELEMENTS:
            raise _UnreadableError
        if element.tag >= _PIXELS or (element.tag > _SERIES_UID and "study_uid" in raw):
            break
        name = _WANTED.get(element.tag)
        if element.length == _UNDEFINED:
            position, skipped = _skip_undefined(dataset, element, encoding)
            visited += skipped
            continue
        if name is not None and name not in raw and element.length <= MAX_VALUE_BYTES:
            raw[name] = dataset.at(element.value_at, element.length)
        elif element.tag == _CHARSET and element.length <= MAX_VALUE_BYTES:
            charset = dataset.at(element.value_at, element.length)
        position = element.value_at + element.length
    if not raw:
        raise _UnreadableError
    return {name: _text(value, charset) if name in _TEXT else _ascii(value) for name, value in raw.items()}


def _plausible_first(element: _Element) -> bool:
    return element.tag >> 16 in (0x0008, 0x0010) and (element.tag & 0xFFFF) < 0x1200 and (element.length < 1 << 16)


def _element(dataset: _Windows | _Inflated, position: int, encoding: _Encoding) -> _Element | None:
    head = dataset.at(position, 12)
    if len(head) < 8:
        return None
    group, number = struct.unpack_from(encoding.order + "HH", head)
    tag, vr = group << 16 | number, head[4:6]
    if encoding.implicit or group == 0xFFFE or vr not in _VRS:
        return _Element(tag, b"", struct.unpack_from(encoding.order + "I", head, 4)[0], position + 8)
    if vr in _LONG_VRS:
        return _Element(tag, vr, struct.unpack_from(encoding.order + "I", head, 8)[0], position + 12)
    return _Element(tag, vr, struct.unpack_from(encoding.order + "H", head, 6)[0], position + 8)


def _skip_undefined(dataset: _Windows | _Inflated, element: _Element, encoding: _Encoding) -> tuple[int, int]:
    """Return the position after an element of undefined length and how many elements were passed; any depth, no recursion."""
    implicit = _Encoding(implicit=True, order="<")
    position, visited = element.value_at, 0
    # Inside UN of undefined length everything is implicit VR little endian (PS3.5 6.2.2 note 2).
    stack: list[tuple[bool, _Encoding]] = [(True, implicit if element.vr == b"UN" else encoding)]  # (inside a sequence?, encoding)
    while stack:
        visited += 1
        if visited > MAX_ELEMENTS:
            raise _UnreadableError
        in_sequence, current = stack[-1]
        inner = _element(dataset, position, current)
        if inner is None:
            raise _UnreadableError
        if inner.tag in (_ITEM_END, _SEQUENCE_END):
            stack.pop()
            position = inner.value_at
        elif in_sequence and inner.tag != _ITEM:
            raise _UnreadableError
        elif inner.length == _UNDEFINED:
            stack.append((not in_sequence, implicit if inner.vr == b"UN" else current))
            position = inner.value_at
        else:
            position = inner.value_at + inner.length
    return position, visited


def _ascii(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0\t\r\n")


def _text(value: bytes, charset: bytes) -> str:
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii").strip(" \0")
    from pydicom.charset import convert_encodings, decode_bytes

    try:
        encodings = convert_encodings([part.strip() for part in charset.decode("latin-1").strip(" \0").split("\\")])
        return decode_bytes(value, encodings, {ord(c) for c in "\r\n\t\f"}).strip(" \0")
    except (LookupError, ValueError):
        return value.decode("latin-1").strip(" \0")
