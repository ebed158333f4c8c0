"""Is the file itself clean (T6)? Preamble, file meta information, bytes behind the end, bytes inside values that nobody looks at.

What the values say is judged elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tasks.scan.walk import Element, Walk

_META = frozenset((0x00020000, 0x00020001, 0x00020002, 0x00020003, 0x00020010, 0x00020012, 0x00020013))
_UNWANTED = {
    0xFFFAFFFA: "digital_signature",
    0x04000500: "encrypted",
    0x04000520: "encrypted",
    0x4FFE0001: "digital_signature",
    0xFFFCFFFC: "padding",
}
_JPEG = {
    "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81",
}  # fmt: skip
_JPEG_2000 = {
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
}
_STARTS = (b"\xff\xd8", b"\xff\x4f")
_ENCODERS = re.compile(
    rb"(?:Created (?:by|with|using)|Creator:?|Encoded by|Compressed by)?[ :]*"
    rb"(?:(?:GDCM/)?OpenJPEG|(?:The )?GIMP|Kakadu|Kdu-|JasPer|LEAD Technologies|gd-jpeg|JPEG Encoder|Aware|IJG|ImageMagick|FFmpeg|Lavc)"
    rb"[ -~\s\0]*$",
    re.I,
)


class Flaw(NamedTuple):
    """Something in a container that should not be there."""

    place: str
    kind: str
    score: float


def flaws(walk: Walk, sop_instance_uid: str = "") -> Iterator[Flaw]:
    """Yield what is wrong with the container of a written object."""
    if not walk.has_prefix:
        yield Flaw("preamble", "container", 1.0)
    elif walk.preamble.strip(b"\0"):
        yield Flaw("preamble", "container", 0.9)
    if walk.problem or walk.end < len(walk.data):
        yield Flaw("trailing bytes", "container", 1.0)
    if walk.tail.strip(b"\0"):
        yield Flaw("trailing bytes", "container", 1.0)
    facts: dict[int, int] = {}
    for index, element in enumerate(walk.elements):
        tag = element.tag
        if tag >> 16 == 0x0002:
            if tag not in _META:
                yield Flaw(walk.place(index), "container", 0.9)
            elif tag == 0x00020003 and sop_instance_uid and walk.value(element).rstrip(b"\0 ").decode("latin-1") != sop_instance_uid:
                yield Flaw(walk.place(index), "uid", 0.9)
        elif tag in _UNWANTED:
            yield Flaw(walk.place(index), _UNWANTED[tag], 0.9)
        elif tag >> 16 == 0x0004 and element.parent < 0:
            yield Flaw(walk.place(index), "media_directory", 0.9)
        elif tag >> 24 == 0x50 and not tag >> 16 & 1:
            yield Flaw(walk.place(index), "curve", 0.9)
        elif tag >> 16 == 0x0028 and element.vr == "US" and element.parent < 0 and element.end - element.start == 2:
            facts[tag] = int.from_bytes(walk.value(element), "little" if walk.little_endian else "big")
        elif tag == 0x00280008 and element.parent < 0:
            text = walk.value(element).strip(b" \0")
            facts[tag] = int(text) if text.isdigit() else 1
    if walk.pixels is not None:
        yield from _pixel_flaws(walk, walk.pixels, facts)


def _pixel_flaws(walk: Walk, pixels: Element, facts: dict[int, int]) -> Iterator[Flaw]:
    if walk.fragments:
        yield from _stream_flaws(walk)
        return
    rows, columns, allocated = facts.get(0x00280010, 0), facts.get(0x00280011, 0), facts.get(0x00280100, 0)
    samples, frames = facts.get(0x00280002, 1), facts.get(0x00280008, 1)
    if not (rows and columns and allocated):
        return
    bits = rows * columns * samples * frames * allocated
    expected = (bits + 7) // 8
    length = pixels.end - pixels.start
    if length > expected + expected % 2:
        extra = walk.data[pixels.start + expected : pixels.end]
        if extra.strip(b"\0"):
            yield Flaw("bytes after the last frame", "container", 0.9)
    if allocated == 16 and pixels.tag == 0x7FE00010 and facts.get(0x00280101, 16) < 16:
        yield from _unused_bits(walk, pixels, min(length, expected), facts)


def _unused_bits(walk: Walk, pixels: Element, length: int, facts: dict[int, int]) -> Iterator[Flaw]:
    """Bits above the high bit must be zero or the sign; an overlay may hide there (PS3.5 8.1.1)."""
    high = facts.get(0x00280102, facts.get(0x00280101, 16) - 1)
    words = np.frombuffer(walk.data, np.dtype("<u2" if walk.little_endian else ">u2"), count=length // 2, offset=pixels.start)
    if high + 1 >= 16 or not words.size:
        return
    mask = np.uint16((0xFFFF << (high + 1)) & 0xFFFF)
    above = words & mask
    if not above.any():
        return
    # a negative number fills them with its sign, whatever Pixel Representation says; a drawing does not
    filled = words[above != 0]
    if np.all(filled & mask == mask) and np.all(filled >> np.uint16(high) & np.uint16(1)):
        return
    yield Flaw("unused high bits", "overlay", 0.7)


def _stream_flaws(walk: Walk) -> Iterator[Flaw]:
    frames = [f for f in walk.fragments[1:] if f[1] > f[0]]
    if walk.transfer_syntax_uid in _JPEG:
        for start, end in frames:
            if walk.data[start : start + 2] != b"\xff\xd8":
                continue
            yield from _jpeg_segments(walk, start, end)
    elif walk.transfer_syntax_uid in _JPEG_2000:
        for start, end in frames:
            if _has_comment_2000(walk, start, end):
                yield Flaw("pixel bytes, JPEG 2000 comment", "container", 0.6)
    if walk.transfer_syntax_uid in _JPEG | _JPEG_2000 and any(_has_tail(walk, *frame) for frame in _last_fragments(walk, frames)):
        yield Flaw("bytes after the end of image", "container", 0.9)


def _last_fragments(walk: Walk, fragments: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the fragment with which each frame ends: the next one starts an image, or there is none."""
    for number, fragment in enumerate(fragments):
        following = fragments[number + 1][0] if number + 1 < len(fragments) else None
        if following is None or walk.data[following : following + 2] in _STARTS:
            yield fragment


def _has_tail(walk: Walk, start: int, end: int) -> bool:
    """Say whether anything but padding follows the end of the image (EOI and EOC are the same two bytes)."""
    marker = walk.data.rfind(b"\xff\xd9", start, end)
    return marker < 0 or bool(walk.data[marker + 2 : end].strip(b"\0\xff"))


def _jpeg_segments(walk: Walk, start: int, end: int) -> Iterator[Flaw]:
    """Look at the marker segments before the first scan: comments and Exif may say anything."""
    position = start + 2
    while position + 4 <= end:
        if walk.data[position] != 0xFF:
            return
        marker = walk.data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in (0xDA, 0xD9):
            return
        length = int.from_bytes(walk.data[position + 2 : position + 4], "big")
        if marker == 0xFE:
            benign = _is_encoder_name(walk.data[position + 4 : position + 2 + length])
            yield Flaw("pixel bytes, JPEG comment", "container", 0.3 if benign else 0.7)
        elif marker == 0xE1 or 0xE3 <= marker <= 0xED or marker == 0xEF:
            yield Flaw("pixel bytes, JPEG application segment", "container", 0.7)
        position += 2 + length


def _has_comment_2000(walk: Walk, start: int, end: int) -> bool:
    position = walk.data.find(b"\xff\x4f\xff\x51", start, end)
    if position < 0:
        return False
    position += 2
    while position + 4 <= end:
        marker = walk.data[position : position + 2]
        if marker in (b"\xff\x90", b"\xff\x93", b"\xff\xd9"):
            return False
        length = int.from_bytes(walk.data[position + 2 : position + 4], "big")
        if marker == b"\xff\x64":
            text = walk.data[position + 6 : position + 2 + length]
            return not _is_encoder_name(text)
        position += 2 + length
    return False


def _is_encoder_name(comment: bytes) -> bool:
    """Say whether a comment is only what a codec says of itself, or blank."""
    if not comment.strip(b" \0"):
        return True
    return len(comment) <= 160 and bool(_ENCODERS.match(comment)) and b"^" not in comment
