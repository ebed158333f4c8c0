"""A byte-level walk over one DICOM file: where every element starts and ends, in items too, by the scanner's own reading.

Independent of pydicom's reader on purpose (what it skips, we still see). Judging what was found does not belong here.
"""

from __future__ import annotations

import mmap
import struct
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

Buffer = bytes | mmap.mmap

_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_SHORT = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())
_VR = {vr: vr.decode() for vr in _LONG | _SHORT}
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_ITEM_BYTES = b"\xfe\xff\x00\xe0"
_IMPLICIT = frozenset(("1.2.840.10008.1.2", "1.2.840.113619.5.2"))
_DEFLATED = frozenset(("1.2.840.10008.1.2.1.99",))
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
PIXELS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
_MAX_DEPTH = 64
_MAX_INFLATED = 1 << 30
_MAP_FROM_BYTES = 8 << 20


class Element(NamedTuple):
    """One element: its value is `data[start:end]` of its walk; `parent` is the index of the enclosing sequence, -1 at the top."""

    tag: int
    vr: str
    start: int
    end: int
    parent: int
    item: int  # number of the item of `parent` that holds it, from 0


@dataclass(frozen=True, slots=True)
class Walk:
    """All elements of one file in the order of their bytes; `data` is inflated where the transfer syntax is deflated."""

    data: Buffer = field(repr=False)
    elements: list[Element] = field(repr=False)
    starts: list[int] = field(repr=False)  # of the elements, for bisection
    preamble: bytes = field(repr=False)
    has_prefix: bool
    transfer_syntax_uid: str
    little_endian: bool
    dataset_start: int  # offset of the first element after the file meta information
    end: int  # offset behind the last element that could be read
    fragments: tuple[tuple[int, int], ...]  # (start, end) of every item of encapsulated pixel data
    pixels: Element | None  # the top-level pixel data
    tail: bytes = field(repr=False, default=b"")  # what followed a deflated stream
    problem: str = ""  # "" when every byte was understood

    def value(self, element: Element) -> bytes:
        """Return the raw bytes of one value."""
        return self.data[element.start : element.end]

    def place(self, index: int) -> str:
        """Return where element `index` is, as findings say it: "(0040,A730)[3].(0040,A160)"."""
        element = self.elements[index]
        text = tag_text(element.tag)
        while element.parent >= 0:
            parent = self.elements[element.parent]
            text = f"{tag_text(parent.tag)}[{element.item}].{text}"
            element = parent
        return text


class _MalformedError(Exception):
    """Bytes that are no element; carries the offset where reading stopped."""


def tag_text(tag: int) -> str:
    """Return "(gggg,eeee)"."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def read_walk(path: Path) -> Walk:
    """Walk a file; large files are mapped, not loaded. Raises OSError only; unreadable bytes become `problem`."""
    size = path.stat().st_size
    if size < _MAP_FROM_BYTES:
        return walk(path.read_bytes())
    with path.open("rb") as file:
        return walk(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def walk(data: Buffer) -> Walk:
    """Walk bytes that claim to be a DICOM file (PS3.10) or a bare data set."""
    has_prefix = data[128:132] == b"DICM"
    preamble = data[:128] if has_prefix else b""
    position = 132 if has_prefix else 0
    reader = _Reader(data, little=True)
    problem = ""
    try:
        position = reader.read(position, len(data), explicit=True, parent=-1, item=0, depth=0, group=2)
    except _MalformedError:
        problem = "file meta information"
        position = reader.stopped
    syntax = next((_uid(data[e.start : e.end]) for e in reader.elements if e.tag == 0x00020010), "")
    start, tail = position, b""
    if syntax in _DEFLATED:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            body = inflater.decompress(data[position:], _MAX_INFLATED)
        except zlib.error:
            body, problem = b"", "deflated data set"
        if inflater.unconsumed_tail:
            problem = "deflated data set"
        tail = inflater.unused_data
        data = data[:position] + body
        reader.data = data
    little = syntax != _BIG_ENDIAN
    explicit = _is_explicit(data, start, syntax)
    reader.set_order(little=little)
    try:
        end = reader.read(start, len(data), explicit=explicit, parent=-1, item=0, depth=0)
    except _MalformedError:
        end, problem = reader.stopped, problem or "data set"
    elements = reader.elements
    pixels = next((e for e in reversed(elements) if e.parent < 0 and e.tag in PIXELS), None)
    return Walk(
        data,
        elements,
        [e.start for e in elements],
        preamble,
        has_prefix,
        syntax,
        little,
        start,
        end,
        tuple(reader.fragments),
        pixels,
        tail,
        problem,
    )


def _uid(raw: bytes) -> str:
    return raw.rstrip(b"\0 ").decode("ascii", "replace")


def _is_explicit(data: Buffer, start: int, syntax: str) -> bool:
    looks_explicit = data[start + 4 : start + 6] in _VR
    if syntax:
        return looks_explicit if syntax in _IMPLICIT and start + 6 > len(data) else syntax not in _IMPLICIT
    return looks_explicit


class _Reader:
    """The state of one walk: what was read so far."""

    def __init__(self, data: Buffer, *, little: bool) -> None:
        self.data = data
        self.elements: list[Element] = []
        self.fragments: list[tuple[int, int]] = []
        self.stopped = 0
        self.set_order(little=little)

    def set_order(self, *, little: bool) -> None:
        order = "<" if little else ">"
        self.tag_at = struct.Struct(order + "HH").unpack_from
        self.u16_at = struct.Struct(order + "H").unpack_from
        self.u32_at = struct.Struct(order + "I").unpack_from
        self.little = little

    def read(self, position: int, end: int, *, explicit: bool, parent: int, item: int, depth: int, group: int = 0) -> int:
        """Read elements until `end`, an item delimiter, or (with `group`) the first element of another group."""
        data, elements, tag_at, u16_at, u32_at = self.data, self.elements, self.tag_at, self.u16_at, self.u32_at
        while position + 8 <= end:
            high, low = tag_at(data, position)
            if group and high != group:
                return position
            tag = high << 16 | low
            if tag in (_ITEM_END, _SEQUENCE_END):
                if parent < 0:  # ends nothing: readers that follow PS3.5 7.5 stop here, and refuse the file
                    self._stop(position)
                return position + 8
            if explicit:
                raw_vr = data[position + 4 : position + 6]
                if raw_vr in _SHORT:
                    length, start = u16_at(data, position + 6)[0], position + 8
                elif raw_vr in _LONG and position + 12 <= end:
                    length, start = u32_at(data, position + 8)[0], position + 12
                else:
                    self._stop(position)
                vr = _VR[raw_vr]
            else:
                length, start = u32_at(data, position + 4)[0], position + 8
                vr = implied_vr(tag)
            if length == _UNDEFINED:
                if tag in PIXELS and parent < 0:
                    element_index = len(elements)
                    elements.append(Element(tag, vr, start, start, parent, item))
                    position = self._read_fragments(start, end)
                    elements[element_index] = Element(tag, vr, start, position, parent, item)
                    continue
                position = self._read_items(
                    tag, start, end, explicit=explicit and vr != "UN", parent=parent, item=item, depth=depth, defined=False
                )
                continue
            stop = start + length
            if stop > end:
                elements.append(Element(tag, vr, start, end, parent, item))
                self._stop(end)
            if vr == "SQ":
                self._read_items(tag, start, stop, explicit=explicit, parent=parent, item=item, depth=depth, defined=True)
            elif length >= 16 and vr in ("UN", "OB") and data[start : start + 4] == _ITEM_BYTES and tag not in PIXELS:
                self._read_hidden(tag, vr, start, stop, parent=parent, item=item, depth=depth)
            else:
                elements.append(Element(tag, vr, start, stop, parent, item))
            position = stop
        if position != end and parent >= 0:
            self._stop(position)
        return position

    def _stop(self, position: int) -> None:
        self.stopped = position
        raise _MalformedError

    def _read_items(self, tag: int, start: int, end: int, *, explicit: bool, parent: int, item: int, depth: int, defined: bool) -> int:
        """Read the items of one sequence; the sequence itself is an element whose value is everything in it."""
        if depth >= _MAX_DEPTH:
            self._stop(start)
        index = len(self.elements)
        self.elements.append(Element(tag, "SQ", start, start, parent, item))
        position, number = start, 0
        while position + 8 <= end:
            high, low = self.tag_at(self.data, position)
            inner = high << 16 | low
            length = self.u32_at(self.data, position + 4)[0]
            position += 8
            if inner == _SEQUENCE_END:
                break
            if inner != _ITEM:
                self._stop(position - 8)
            stop = end if length == _UNDEFINED else position + length
            if stop > end:
                self._stop(position)
            reached = self.read(position, stop, explicit=explicit, parent=index, item=number, depth=depth + 1)
            position = reached if length == _UNDEFINED else stop
            number += 1
        if defined and position != end:
            self._stop(position)
        return position

    def _read_hidden(self, tag: int, vr: str, start: int, stop: int, *, parent: int, item: int, depth: int) -> None:
        """Read what looks like a sequence inside UN or OB (PS3.5 6.2.2: implicit little endian); else keep it as bytes."""
        before = len(self.elements)
        order = self.little
        self.set_order(little=True)
        try:
            self._read_items(tag, start, stop, explicit=False, parent=parent, item=item, depth=depth, defined=True)
        except _MalformedError:
            del self.elements[before:]
            self.elements.append(Element(tag, vr, start, stop, parent, item))
        finally:
            self.set_order(little=order)

    def _read_fragments(self, position: int, end: int) -> int:
        while position + 8 <= end:
            high, low = self.tag_at(self.data, position)
            length = self.u32_at(self.data, position + 4)[0]
            position += 8
            tag = high << 16 | low
            if tag == _SEQUENCE_END:
                return position
            if tag != _ITEM or position + length > end:
                self._stop(position - 8)
            self.fragments.append((position, position + length))
            position += length
        self._stop(position)
        return position


@lru_cache(maxsize=16384)
def implied_vr(tag: int) -> str:
    """Return the VR of a standard tag (PS3.6), "UL" for group lengths, "LO" for private creators, "UN" otherwise."""
    from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

    low = tag & 0xFFFF
    if low == 0:
        return "UL"
    if tag >> 16 & 1:
        return "LO" if 0x10 <= low <= 0xFF else "UN"
    entry = DicomDictionary.get(tag)
    if entry is None:
        group = tag >> 24
        entry = RepeatersDictionary.get(f"{group:02X}xx{low:04X}") if group in (0x50, 0x60) else None
    if entry is None:
        return "UN"
    return str(entry[0])[:2]
