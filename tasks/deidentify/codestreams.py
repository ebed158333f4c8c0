"""Compressed frames without their comments: JPEG, JPEG-LS, JPEG 2000 and RLE streams hold pixels and nothing else.

Pixels are never decoded here; what a decoder needs stays byte for byte.
"""

from __future__ import annotations

import re
import zlib
from itertools import pairwise
from struct import pack, unpack_from

# JPEG: the next marker that is neither stuffing (FF00), nor a restart, nor fill (T.81 B.1.1.2); JPEG-LS stuffs one bit (T.87).
_JPEG_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
_JPEG_LS_MARKER = re.compile(rb"\xff+([\x80-\xcf\xd8-\xfe])")
_JPEG_KEPT = frozenset((*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0xF7, 0xF8))
_J2K_STARTS = (b"\xff\x4f\xff\x51",)
_JP2 = b"\x00\x00\x00\x0cjP  \r\n\x87\n"


class Unclean(Exception):  # noqa: N818  # a verdict on data
    """A stream that cannot be read to its end: what it holds is not known."""


def clean_jpeg(stream: bytes, *, jpeg_ls: bool) -> bytes:
    """Return a JPEG or JPEG-LS stream from SOI to EOI with the segments that decoding needs (T.81, T.87).

    Adobe's and JFIF's segments tell decoders the colour model: they are written anew, without thumbnails or trailing bytes.
    """
    if stream[:2] != b"\xff\xd8":
        raise Unclean
    out, position = [b"\xff\xd8"], 2
    while True:
        while stream[position : position + 2] == b"\xff\xff":
            position += 1
        if stream[position : position + 1] != b"\xff" or position + 2 > len(stream):
            raise Unclean
        marker = stream[position + 1]
        if marker == 0xD9:
            out.append(b"\xff\xd9")
            return b"".join(out)
        (length,) = unpack_from(">H", stream, position + 2) if position + 4 <= len(stream) else (0,)
        end = position + 2 + length
        if length < 2 or end > len(stream):
            raise Unclean
        segment = stream[position:end]
        position = end
        if marker in _JPEG_KEPT:
            out.append(segment)
        elif 0xE0 <= marker <= 0xEF:
            out.append(_application_segment(segment))
        elif marker != 0xFE:
            raise Unclean
        if marker == 0xDA:
            found = (_JPEG_LS_MARKER if jpeg_ls else _JPEG_MARKER).search(stream, position)
            if found is None:
                raise Unclean
            out.append(stream[position : found.start()])
            position = found.end() - 2


def _application_segment(segment: bytes) -> bytes:
    """Return the part of an APPn segment that changes how colours are decoded, else nothing."""
    marker, body = segment[1], segment[4:]
    if marker == 0xE0 and body.startswith(b"JFIF\x00") and len(body) >= 14:
        return b"\xff\xe0\x00\x10JFIF\x00" + body[5:12] + b"\x00\x00"
    if marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
        return b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + body[11:12]
    if marker == 0xE8 and body.startswith(b"mrfx") and len(body) >= 5:
        return b"\xff\xe8\x00\x07mrfx" + body[4:5]
    return b""


def clean_jpeg_2000(stream: bytes) -> bytes:
    """Return a JPEG 2000 codestream from SOC to EOC, its comments blanked in place so that no length changes (T.800 A)."""
    if stream.startswith(_JP2):
        stream = _codestream_of_jp2(stream)
    if stream[:2] != b"\xff\x4f":
        raise Unclean
    out = bytearray(stream)
    position = _blank_comments(out, 2, until=0x90)
    while out[position : position + 2] == b"\xff\x90":
        if position + 12 > len(out):
            raise Unclean
        (length,) = unpack_from(">L", out, position + 6)
        data = _blank_comments(out, position, until=0x93)
        if length == 0:  # the last tile-part: to the end of the codestream
            end = out.find(b"\xff\xd9", data)
            if end < 0:
                raise Unclean
            return bytes(out[: end + 2])
        position += length
        if position > len(out) or position < data:
            raise Unclean
    if out[position : position + 2] != b"\xff\xd9":
        raise Unclean
    return bytes(out[: position + 2])


def _blank_comments(out: bytearray, position: int, until: int) -> int:
    """Blank the comments of one header; return where the marker `until` is (SOT), or where the data after it begins (SOD)."""
    while position + 4 <= len(out):
        if out[position] != 0xFF:
            raise Unclean
        marker = out[position + 1]
        if marker == until:
            return position if until == 0x90 else position + 2
        if marker == 0xD9 and until == 0x90:
            return position
        (length,) = unpack_from(">H", out, position + 2)
        end = position + 2 + length
        if length < 2 or end > len(out):
            raise Unclean
        if marker == 0x64:
            out[position + 4 : end] = bytes(length - 2)
        position = end
    raise Unclean


def _codestream_of_jp2(stream: bytes) -> bytes:
    position = 0
    while position + 8 <= len(stream):
        (length,) = unpack_from(">L", stream, position)
        kind = stream[position + 4 : position + 8]
        if kind == b"jp2c":
            return stream[position + 8 : position + length if length else len(stream)]
        if length < 8:
            break
        position += length
    raise Unclean


def clean_rle(stream: bytes, segment_bytes: int) -> bytes:
    """Return an RLE frame of which every segment decodes to exactly `segment_bytes` and ends there (PS3.5 G)."""
    if len(stream) < 64:
        raise Unclean
    count, *offsets = unpack_from("<16L", stream)
    if not 1 <= count <= 15 or offsets[0] != 64 or any(b <= a for a, b in pairwise(offsets[:count])):
        raise Unclean
    bounds = [*offsets[:count], len(stream)]
    segments = []
    for start, stop in pairwise(bounds):
        if stop > len(stream):
            raise Unclean
        segment = stream[start : _rle_end(stream, start, stop, segment_bytes)]
        segments.append(segment + b"\x00" * (len(segment) % 2))
    places, position = [], 64
    for segment in segments:
        places.append(position)
        position += len(segment)
    return pack("<16L", count, *places, *([0] * (15 - count))) + b"".join(segments)


def _rle_end(stream: bytes, position: int, stop: int, wanted: int) -> int:
    """Return where the PackBits data of one segment has produced `wanted` bytes."""
    produced = 0
    while produced < wanted:
        if position >= stop:
            raise Unclean
        header = stream[position]
        if header < 128:
            produced += header + 1
            position += header + 2
        elif header > 128:
            produced += 257 - header
            position += 2
        else:
            position += 1
    if position > stop:
        raise Unclean
    return position


def clean_deflated(stream: bytes) -> bytes:
    """Return a deflated frame that ends where its last block ends (PS3.5 A.4.13)."""
    inflater = zlib.decompressobj(-15)
    try:
        inflater.decompress(stream, 1 << 30)
    except zlib.error:
        raise Unclean from None
    if not inflater.eof:
        raise Unclean
    return stream[: len(stream) - len(inflater.unused_data)]
