"""Blank blocks of a baseline JPEG inside its code stream: untouched blocks keep their coefficients bit for bit.

ISO/IEC 10918-1 (ITU-T T.81), sequential Huffman with 8 bits. Other JPEG processes do not belong here (`rewrite` decodes those).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Bits = np.ndarray[Any, np.dtype[np.uint8]]


class UnsupportedStreamError(Exception):
    """The code stream is not a complete baseline one; it must be blanked in another way."""


@dataclass(slots=True)
class _Component:
    identifier: int
    across: int  # sampling factors
    down: int
    table: int  # quantisation
    dc: int = 0
    ac: int = 0


@dataclass(slots=True)
class _Stream:
    """The marker segments that matter, and where the scans lie."""

    rows: int = 0
    columns: int = 0
    components: list[_Component] = field(default_factory=list)
    first_steps: dict[int, int] = field(default_factory=dict)  # quantisation of the DC coefficient by table
    tables: dict[tuple[int, int], bytes] = field(default_factory=dict)  # (class, id): 16 counts and values
    restart: int = 0


# T.81 Annex K.3.1: a DC table with all categories of 8-bit data, for streams whose own table lacks one.
_FULL_DC = bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, *range(12)])


def blank_jpeg(data: bytes, mask: Mask, levels: tuple[int, ...]) -> bytes:
    """Return the stream with every MCU that the mask touches set to one level (0..255) per component.

    All other blocks keep their quantised coefficients exactly; only differences of DC predictions beside a blanked block are written
    anew. UnsupportedStreamError when the stream is not baseline or not complete.
    """
    try:
        return _blanked(data, mask, levels)
    except (IndexError, KeyError, ValueError, OverflowError):
        raise UnsupportedStreamError from None


def _blanked(data: bytes, mask: Mask, levels: tuple[int, ...]) -> bytes:
    stream, seen = _Stream(), set[int]()
    out = bytearray(b"\xff\xd8")
    position = 2
    if data[:2] != b"\xff\xd8":
        raise UnsupportedStreamError
    while True:
        if data[position] != 0xFF:
            raise UnsupportedStreamError
        while data[position + 1] == 0xFF:
            position += 1
        marker = data[position + 1]
        if marker == 0xD9:
            if not stream.components or seen != set(range(len(stream.components))):
                raise UnsupportedStreamError
            return bytes(out + b"\xff\xd9" + (b"\0" if len(out) % 2 else b""))
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        segment = data[position + 4 : position + 2 + length]
        whole = data[position : position + 2 + length]
        position += 2 + length
        if marker in (0xC0, 0xC1):
            _read_frame(stream, segment)
            if (stream.rows, stream.columns) != mask.shape or len(stream.components) != len(levels):
                raise UnsupportedStreamError
        elif 0xC2 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            raise UnsupportedStreamError
        elif marker == 0xC4:
            _read_tables(stream, segment)
        elif marker == 0xDB:
            _read_steps(stream, segment)
        elif marker == 0xDD:
            stream.restart = int.from_bytes(segment[:2], "big")
        if marker != 0xDA:
            # PRIVACY: comments and application data are free text beside the picture; only Adobe's colour flag (APP14) and JFIF
            # (APP0 with its own name) are needed to decode (tests/unit/test_pixels_jpeg.py).
            if marker == 0xFE or (0xE1 <= marker <= 0xED) or marker == 0xEF or (marker == 0xE0 and segment[:5] != b"JFIF\0"):
                continue
            out += whole
            continue
        end = _scan_end(data, position)
        tables, scan = _rewrite_scan(stream, segment, data[position:end], mask, levels)
        seen |= {k for i in range(segment[0]) for k, c in enumerate(stream.components) if c.identifier == segment[1 + 2 * i]}
        out += tables + whole + scan
        position = end


def _read_frame(stream: _Stream, segment: bytes) -> None:
    if segment[0] != 8:
        raise UnsupportedStreamError
    stream.rows, stream.columns = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
    stream.components = [_Component(c[0], c[1] >> 4, c[1] & 15, c[2]) for c in (segment[6 + 3 * i : 9 + 3 * i] for i in range(segment[5]))]


def _read_tables(stream: _Stream, segment: bytes) -> None:
    while segment:
        count = sum(segment[1:17])
        stream.tables[segment[0] >> 4, segment[0] & 15] = segment[1 : 17 + count]
        segment = segment[17 + count :]


def _read_steps(stream: _Stream, segment: bytes) -> None:
    while segment:
        wide = segment[0] >> 4
        stream.first_steps[segment[0] & 15] = int.from_bytes(segment[1 : 2 + wide], "big")
        segment = segment[1 + 64 * (1 + wide) :]


def _scan_end(data: bytes, position: int) -> int:
    while True:
        position = data.index(b"\xff", position)
        if data[position + 1] != 0 and not 0xD0 <= data[position + 1] <= 0xD7:
            return position
        position += 2


def _codes(table: bytes) -> dict[int, tuple[int, int]]:
    """Return symbol: (code, length)."""
    codes, code, index = {}, 0, 16
    for length in range(1, 17):
        for _ in range(table[length - 1]):
            codes[table[index]] = (code, length)
            code, index = code + 1, index + 1
        code <<= 1
    return codes


def _lookup(table: bytes) -> list[int]:
    """Return for every 16-bit prefix: symbol << 5 | code length; 0 where no code begins so."""
    found = [0] * 65536
    for symbol, (code, length) in _codes(table).items():
        first = code << (16 - length)
        found[first : first + (1 << (16 - length))] = [symbol << 5 | length] * (1 << (16 - length))
    return found


@dataclass(slots=True)
class _Block:
    component: int
    difference: int
    ac_start: int
    end: int
    blanked: bool


def _rewrite_scan(stream: _Stream, header: bytes, coded: bytes, mask: Mask, levels: tuple[int, ...]) -> tuple[bytes, bytes]:
    """Return (tables to insert before the scan, the scan's new entropy-coded bytes)."""
    chosen = []
    for i in range(header[0]):
        number = next(k for k, c in enumerate(stream.components) if c.identifier == header[1 + 2 * i])
        component = stream.components[number]
        component.dc, component.ac = header[2 + 2 * i] >> 4, header[2 + 2 * i] & 15
        chosen.append(number)
    plan = _units(stream, chosen, mask)
    parts = _split_restarts(coded)
    per_part = stream.restart or len(plan)
    if len(parts) != -(-len(plan) // per_part):
        raise UnsupportedStreamError
    lookups = {
        number: (_lookup(stream.tables[0, c.dc]), _lookup(stream.tables[1, c.ac]))
        for number in chosen
        for c in (stream.components[number],)
    }
    decoded = [_walk(part, plan[i * per_part : (i + 1) * per_part], lookups) for i, part in enumerate(parts)]
    targets = {n: round((levels[n] - 128) * 8 / stream.first_steps[stream.components[n].table]) for n in chosen}
    dc_codes = {n: _codes(stream.tables[0, stream.components[n].dc]) for n in chosen}
    new = [_differences(blocks, targets) for _, blocks in decoded]
    tables = b""
    for n in chosen:
        both = [pair for (_, blocks), found in zip(decoded, new, strict=True) for pair in zip(blocks, found, strict=True)]
        needed = {abs(difference).bit_length() for block, difference in both if block.component == n}
        if not needed <= dc_codes[n].keys():
            table = stream.components[n].dc
            tables += b"\xff\xc4" + (2 + 1 + len(_FULL_DC)).to_bytes(2, "big") + bytes([table]) + _FULL_DC
            stream.tables[0, table] = _FULL_DC
            for m in chosen:
                if stream.components[m].dc == table:
                    dc_codes[m] = _codes(_FULL_DC)
    ends = {n: _codes(stream.tables[1, stream.components[n].ac])[0] for n in chosen}  # KeyError: no end-of-block code
    scans = [_code(bits, blocks, differences, dc_codes, ends) for (bits, blocks), differences in zip(decoded, new, strict=True)]
    joined = bytearray()
    for i, scan in enumerate(scans):
        joined += (bytes([0xFF, 0xD0 + (i - 1) % 8]) if i else b"") + scan
    return tables, bytes(joined)


def _units(stream: _Stream, chosen: list[int], mask: Mask) -> list[list[tuple[int, bool]]]:
    """Return per MCU of the scan: (component, blanked) of each of its blocks, in order."""
    most_across, most_down = max(c.across for c in stream.components), max(c.down for c in stream.components)
    if len(chosen) > 1:
        wide, high = 8 * most_across, 8 * most_down
        order = [n for n in chosen for _ in range(stream.components[n].across * stream.components[n].down)]
        touched = _touched(mask, high, wide, -(-stream.rows // high), -(-stream.columns // wide))
        return [[(n, bool(hit)) for n in order] for hit in touched.ravel()]
    component = stream.components[chosen[0]]
    high, wide = 8 * most_down, 8 * most_across
    units = _touched(mask, high, wide, -(-stream.rows // high), -(-stream.columns // wide))
    blocks = np.repeat(np.repeat(units, component.down, axis=0), component.across, axis=1)
    down = ceil(ceil(stream.rows * component.down / most_down) / 8)
    across = ceil(ceil(stream.columns * component.across / most_across) / 8)
    return [[(chosen[0], bool(hit))] for hit in blocks[:down, :across].ravel()]


def _touched(mask: Mask, high: int, wide: int, down: int, across: int) -> Mask:
    padded = np.zeros((down * high, across * wide), bool)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    return np.asarray(padded.reshape(down, high, across, wide).any(axis=(1, 3)), bool)


def _split_restarts(coded: bytes) -> list[bytes]:
    parts, start, position = [], 0, 0
    while (position := coded.find(b"\xff", position)) >= 0:
        if 0xD0 <= coded[position + 1] <= 0xD7:
            parts.append(coded[start:position])
            start = position + 2
        position += 2
    return [part.replace(b"\xff\x00", b"\xff") for part in [*parts, coded[start:]]]


def _walk(part: bytes, units: list[list[tuple[int, bool]]], lookups: dict[int, tuple[list[int], list[int]]]) -> tuple[Bits, list[_Block]]:
    """Walk one entropy-coded segment without dequantising; return its bits and where each block's parts lie."""
    padded = part + b"\xff\xff\xff\xff\xff\xff\xff\xff"
    last = len(part) * 8
    position = 0
    blocks = []
    for unit in units:
        for number, blanked in unit:
            dc, ac = lookups[number]
            window = int.from_bytes(padded[position >> 3 : (position >> 3) + 5], "big") << (position & 7)
            entry = dc[(window >> 24) & 0xFFFF]
            if not entry:
                raise UnsupportedStreamError
            length, size = entry & 31, entry >> 5
            difference = 0
            if size:
                difference = (window >> (40 - length - size)) & ((1 << size) - 1)
                if difference < 1 << (size - 1):
                    difference -= (1 << size) - 1
            position += length + size
            start, k = position, 1
            while k < 64:
                byte = position >> 3
                window = (padded[byte] << 16 | padded[byte + 1] << 8 | padded[byte + 2]) >> (8 - (position & 7))
                entry = ac[window & 0xFFFF]
                if not entry:
                    raise UnsupportedStreamError
                symbol = entry >> 5
                position += (entry & 31) + (symbol & 15)
                if symbol & 15:
                    k += (symbol >> 4) + 1
                elif symbol == 0xF0:
                    k += 16
                else:
                    break
            if position > last:
                raise UnsupportedStreamError
            blocks.append(_Block(number, difference, start, position, blanked))
    return np.unpackbits(np.frombuffer(part, np.uint8)), blocks


def _differences(blocks: list[_Block], targets: dict[int, int]) -> list[int]:
    """Return the DC differences that keep every untouched block's DC value."""
    old, new = dict.fromkeys(targets, 0), dict.fromkeys(targets, 0)
    found = []
    for block in blocks:
        n = block.component
        old[n] += block.difference
        wanted = targets[n] if block.blanked else old[n]
        found.append(wanted - new[n])
        new[n] = wanted
    return found


def _code(
    bits: Bits, blocks: list[_Block], differences: list[int], dc: dict[int, dict[int, tuple[int, int]]], ends: dict[int, tuple[int, int]]
) -> bytes:
    pieces: list[Bits] = []
    for block, difference in zip(blocks, differences, strict=True):
        size = abs(difference).bit_length()
        code, length = dc[block.component][size]
        value = code << size | ((difference if difference >= 0 else difference + (1 << size) - 1) if size else 0)
        pieces.append(_spelled(value, length + size))
        pieces.append(_spelled(*ends[block.component]) if block.blanked else bits[block.ac_start : block.end])
    joined = np.concatenate(pieces)
    filled = np.concatenate([joined, np.ones(-len(joined) % 8, np.uint8)])
    return np.packbits(filled).tobytes().replace(b"\xff", b"\xff\x00")


def _spelled(value: int, length: int) -> Bits:
    return np.frombuffer(bytes(value >> i & 1 for i in range(length - 1, -1, -1)), np.uint8)
