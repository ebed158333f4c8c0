"""The bytes of a DICOM file as elements: a strict, bounded reader of PS3.5 and PS3.10 encodings.

Decides nothing about PHI and interprets no values. A file that cannot be read to its end raises Unreadable with a reason.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Literal, NamedTuple

from tasks.model import Reason

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010
IMPLICIT_LITTLE, EXPLICIT_LITTLE = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, EXPLICIT_BIG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
MAX_INFLATED_BYTES = 1 << 30
MAX_ELEMENTS = 4_000_000  # per object, at all depths
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_SHORT = frozenset(
    (b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS", b"ST", b"TM")
) | {b"UI", b"UL", b"US"}
_NAMES = {vr: vr.decode() for vr in _LONG | _SHORT}
_HEAD_LE, _HEAD_BE = Struct("<HH2sH"), Struct(">HH2sH")
_LEN_LE, _LEN_BE = Struct("<L"), Struct(">L")
_IMPLICIT = Struct("<HHL")
_UID = re.compile(r"[0-9.]{1,64}")


class Unreadable(Exception):  # noqa: N818  # a verdict on data, not an error of the program
    """The bytes are not a readable object; `reason` says why. Carries no value."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Element(NamedTuple):
    """Where one element is: its value is `buffer[start:stop]`; `undefined` tells that a delimiter follows it."""

    tag: int
    vr: str  # "" in implicit VR
    start: int
    stop: int
    undefined: bool


class Encoding(NamedTuple):
    implicit: bool
    little: bool


@dataclass(frozen=True, slots=True)
class ObjectBytes:
    """One object: where its dataset is in `buffer` and how it is encoded."""

    buffer: bytes = field(repr=False)
    transfer_syntax_uid: str
    encoding: Encoding
    start: int
    media_class_uid: str = ""


def open_object(raw: bytes) -> ObjectBytes:
    """Find the dataset of a DICOM file; deflated ones are inflated up to a bound."""
    if not raw:
        raise Unreadable(Reason.EMPTY_FILE)
    start = 132 if raw[128:132] == b"DICM" else 0
    meta, position = _read_meta(raw, start) if start or raw[:2] == b"\x02\x00" else ({}, 0)
    media_class = _uid(meta.get(0x00020002, b""))
    syntax = _uid(meta.get(0x00020010, b""))
    if media_class == "1.2.840.10008.1.3.10":
        raise Unreadable(Reason.MEDIA_DIRECTORY)
    if syntax == DEFLATED:
        return ObjectBytes(_inflate(raw[position:]), syntax, Encoding(False, True), 0, media_class)
    encoding = _sniff(raw, position, Encoding(syntax == IMPLICIT_LITTLE, syntax != EXPLICIT_BIG), certain=bool(start))
    if not syntax:
        syntax = IMPLICIT_LITTLE if encoding.implicit else EXPLICIT_LITTLE if encoding.little else EXPLICIT_BIG
    return ObjectBytes(raw, syntax, encoding, position, media_class)


def walk(buffer: bytes, start: int, stop: int, encoding: Encoding, depth: int) -> Iterator[Element]:
    """Yield the elements of one dataset in file order, `depth` more levels of nesting being allowed below it."""
    position = start
    while position < stop:
        if buffer[position : position + 4] == b"\x00\x00\x00\x00" and buffer[position:stop].strip(b"\x00") == b"":
            return  # padding after the last element: what it holds is nothing
        if position + 8 > stop:
            raise Unreadable(Reason.TRUNCATED)
        tag, vr, length, position = _header(buffer, position, stop, encoding)
        if tag >> 16 == 0xFFFE:
            raise Unreadable(Reason.UNREADABLE_HEADER)
        if length == UNDEFINED:
            end = _skip_undefined(buffer, position, stop, tag, vr, encoding, depth)
            yield Element(tag, vr, position, end, True)
            position = end + 8
        else:
            end = position + length
            if end > stop:
                raise Unreadable(Reason.TRUNCATED)
            yield Element(tag, vr, position, end, False)
            position = end


def top_level(opened: ObjectBytes, depth: int) -> Iterator[Element]:
    """Yield the elements of a whole object; bytes after its last element that are no element are not read on.

    A file that was cut off raises: its next tag is one that could follow, or its pixels are not there yet.
    """
    buffer, last, highest, image, pixels = opened.buffer, None, 0, False, False
    try:
        for element in walk(buffer, opened.start, len(buffer), opened.encoding, depth):
            last, tag = element, element.tag
            if tag < 0x10000 and highest > 0x80000:
                return  # zeros, or what looks like a command, after the last element
            yield element
            highest = max(highest, tag)
            image = image or tag == 0x00280010
            pixels = pixels or 0x7FE00008 <= tag <= PIXEL_DATA
    except Unreadable:
        if last is None or (image and not pixels) or (not pixels and _could_follow(opened, last, highest)):
            raise


def _could_follow(opened: ObjectBytes, last: Element, highest: int) -> bool:
    """Say whether what stands after the last good element is the beginning of another one, and not text."""
    position = last.stop + 8 * last.undefined
    head = opened.buffer[position : position + 8]
    order: Literal["little", "big"] = "little" if opened.encoding.little else "big"
    tag = int.from_bytes(head[:2], order) << 16 | int.from_bytes(head[2:4], order)
    if len(head) < 8 or tag <= highest or tag >> 16 > 0x7FE0:
        return False
    if opened.encoding.implicit:
        return int.from_bytes(head[4:], order) < 0x20000000 or head[4:] == b"\xff\xff\xff\xff"
    return head[4:6] in _LONG or head[4:6] in _SHORT


def items(buffer: bytes, start: int, stop: int, encoding: Encoding, depth: int) -> Iterator[tuple[int, int]]:
    """Yield the (start, stop) of the dataset of each item of a sequence value."""
    if depth <= 0:
        raise Unreadable(Reason.NESTED_TOO_DEEP)
    pair = _IMPLICIT if encoding.little else Struct(">HHL")
    position = start
    while position < stop:
        if position + 8 > stop:
            raise Unreadable(Reason.TRUNCATED)
        group, element, length = pair.unpack_from(buffer, position)
        tag = group << 16 | element
        position += 8
        if tag == SEQUENCE_END:
            return
        if tag != ITEM:
            raise Unreadable(Reason.UNREADABLE_HEADER)
        if length == UNDEFINED:
            inner = _item_end(buffer, position, stop, encoding, depth - 1)
            yield position, inner
            position = inner + 8
        else:
            if position + length > stop:
                raise Unreadable(Reason.TRUNCATED)
            yield position, position + length
            position += length


def fragments(buffer: bytes, start: int, stop: int) -> list[tuple[int, int]]:
    """Return the (start, stop) of every fragment of encapsulated pixel data, the offset table first (always little endian)."""
    found = []
    position = start
    while position + 8 <= stop:
        group, element, length = _IMPLICIT.unpack_from(buffer, position)
        tag = group << 16 | element
        position += 8
        if tag == SEQUENCE_END:
            break
        if tag != ITEM or length == UNDEFINED:
            raise Unreadable(Reason.UNREADABLE_HEADER)
        if position + length > stop:
            raise Unreadable(Reason.TRUNCATED)
        found.append((position, position + length))
        position += length
    return found


def _skip_undefined(buffer: bytes, position: int, stop: int, tag: int, vr: str, encoding: Encoding, depth: int) -> int:
    """Return where the sequence delimiter of a value of undefined length is."""
    if vr in ("OB", "OW", "OF", "OD", "OL", "OV") or tag == PIXEL_DATA:
        return _fragments_end(buffer, position, stop)
    if vr == "UN":  # PS3.5 6.2.2: always implicit little endian inside
        encoding = Encoding(True, True)
    elif vr not in ("", "SQ"):
        raise Unreadable(Reason.UNREADABLE_HEADER)
    if depth <= 0:
        raise Unreadable(Reason.NESTED_TOO_DEEP)
    pair = _IMPLICIT if encoding.little else Struct(">HHL")
    while position + 8 <= stop:
        group, element, length = pair.unpack_from(buffer, position)
        found = group << 16 | element
        if found == SEQUENCE_END:
            return position
        if found != ITEM:
            raise Unreadable(Reason.UNREADABLE_HEADER)
        position += 8
        position = _item_end(buffer, position, stop, encoding, depth - 1) + 8 if length == UNDEFINED else position + length
    raise Unreadable(Reason.TRUNCATED)


def _item_end(buffer: bytes, position: int, stop: int, encoding: Encoding, depth: int) -> int:
    """Return where the item delimiter is that closes the dataset beginning at `position`."""
    while position + 8 <= stop:
        tag, vr, length, position = _header(buffer, position, stop, encoding)
        if tag == ITEM_END:
            return position - 8
        if tag >> 16 == 0xFFFE:
            raise Unreadable(Reason.UNREADABLE_HEADER)
        if length == UNDEFINED:
            position = _skip_undefined(buffer, position, stop, tag, vr, encoding, depth) + 8
        else:
            position += length
    raise Unreadable(Reason.TRUNCATED)


def _header(buffer: bytes, position: int, stop: int, encoding: Encoding) -> tuple[int, str, int, int]:
    """Return (tag, VR, length, where the value begins) of the element or delimiter at `position`."""
    if encoding.implicit:
        group, element, length = _IMPLICIT.unpack_from(buffer, position)
        return group << 16 | element, "", length, position + 8
    head, long = (_HEAD_LE, _LEN_LE) if encoding.little else (_HEAD_BE, _LEN_BE)
    group, element, code, length = head.unpack_from(buffer, position)
    tag = group << 16 | element
    if group == 0xFFFE:
        return tag, "", 0, position + 8
    if code in _SHORT:
        return tag, _NAMES[code], length, position + 8
    if code in _LONG:
        if position + 12 > stop:
            raise Unreadable(Reason.TRUNCATED)
        return tag, _NAMES[code], long.unpack_from(buffer, position + 8)[0], position + 12
    if not (code.isalpha() and code.isupper()):
        raise Unreadable(Reason.UNREADABLE_HEADER)
    if length == 0 and position + 12 <= stop:  # a VR newer than this table: all of those have 32-bit lengths
        return tag, "UN", long.unpack_from(buffer, position + 8)[0], position + 12
    return tag, "UN", length, position + 8


def _fragments_end(buffer: bytes, position: int, stop: int) -> int:
    while position + 8 <= stop:
        group, element, length = _IMPLICIT.unpack_from(buffer, position)
        if (group, element) == (0xFFFE, 0xE0DD):
            return position
        if (group, element) != (0xFFFE, 0xE000) or length == UNDEFINED:
            raise Unreadable(Reason.UNREADABLE_HEADER)
        position += 8 + length
    raise Unreadable(Reason.TRUNCATED)


def _read_meta(raw: bytes, position: int) -> tuple[dict[int, bytes], int]:
    """Read group 0002 whatever its group length claims; return its values and where the dataset begins."""
    values: dict[int, bytes] = {}
    while position + 8 <= len(raw) and raw[position : position + 2] == b"\x02\x00":
        group, element, code, length = _HEAD_LE.unpack_from(raw, position)
        if code in _LONG:
            if position + 12 > len(raw):
                raise Unreadable(Reason.TRUNCATED)
            (length,) = _LEN_LE.unpack_from(raw, position + 8)
            position += 12
        elif code in _SHORT:
            position += 8
        else:  # meta information in implicit VR: against the standard, seen in the wild
            (length,) = _LEN_LE.unpack_from(raw, position + 4)
            position += 8
        if position + length > len(raw):
            raise Unreadable(Reason.TRUNCATED)
        values[group << 16 | element] = raw[position : position + length]
        position += length
    return values, position


def _sniff(raw: bytes, position: int, claimed: Encoding, certain: bool) -> Encoding:
    """Return how the dataset is really encoded: the first element tells whether the claim is true."""
    first = raw[position : position + 8]
    if len(first) < 8:
        raise Unreadable(Reason.TRUNCATED if certain else Reason.NOT_DICOM)
    explicit = first[4:6] in _LONG or first[4:6] in _SHORT
    little = _plausible_group(first[:2], "little")
    big = _plausible_group(first[:2], "big")
    if not certain and not (little or big):
        raise Unreadable(Reason.NOT_DICOM)
    if explicit:
        claimed_fits, other_fits = (little, big) if claimed.little else (big, little)
        return Encoding(implicit=False, little=claimed.little if claimed_fits or not other_fits else not claimed.little)
    if certain and claimed.implicit:
        return claimed
    if not little or (not certain and int.from_bytes(first[4:8], "little") > len(raw)):
        raise Unreadable(Reason.UNREADABLE_HEADER if certain else Reason.NOT_DICOM)
    return Encoding(True, True)


def _plausible_group(two: bytes, order: Literal["little", "big"]) -> bool:
    return int.from_bytes(two, order) in (
        0x0000,
        0x0002,
        0x0004,
        0x0008,
        0x0009,
        0x0010,
        0x0018,
        0x0020,
        0x0028,
    )


def _inflate(packed: bytes) -> bytes:
    """Inflate a deflated dataset; more than the bound, or far more than an image can shrink, is a bomb."""
    stream = zlib.decompressobj(-15)
    bound = min(MAX_INFLATED_BYTES, max(1 << 26, 100 * len(packed)))
    try:
        plain = stream.decompress(packed, bound)
    except zlib.error:
        raise Unreadable(Reason.UNREADABLE_HEADER) from None
    if not stream.eof:
        raise Unreadable(Reason.DECOMPRESSION_BOMB if stream.unconsumed_tail else Reason.TRUNCATED)
    return plain


def _uid(value: bytes) -> str:
    text = value.rstrip(b"\x00 ").decode("ascii", "replace")
    return text if _UID.fullmatch(text) else ""
