"""Colour tables and profiles that hold colours and nothing else: ICC profiles written anew, lookup tables without text.

Which attributes these are is in rules.py; pixels do not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from struct import pack, unpack_from
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.deidentify.text import TextCleaner

_TEXT_RUN = re.compile(rb"[A-Za-z0-9 ^._,/:@=-]{5,}")
_LONG_WORD = re.compile(rb"[A-Za-z0-9^]{8,}")
# Element types of an ICC profile that hold numbers only, and the tags that colour conversion needs (ICC.1:2010 9, 10).
_NUMERIC_TYPES = frozenset((b"XYZ ", b"curv", b"para", b"sf32", b"mft1", b"mft2", b"mAB ", b"mBA ", b"chrm"))
_TAGS = frozenset(b"rXYZ gXYZ bXYZ rTRC gTRC bTRC kTRC wtpt bkpt chad lumi A2B0 A2B1 A2B2 B2A0 B2A1 B2A2 gamt chrm D2B0 B2D0".split())


def canonical_profile(profile: bytes) -> bytes | None:
    """Return an ICC profile with the source's colours and this project's words; None when it cannot be read."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return None
    (count,) = unpack_from(">L", profile, 128)
    if count > 100 or len(profile) < 132 + 12 * count:
        return None
    kept: dict[bytes, bytes] = {}
    for i in range(count):
        name, offset, size = profile[132 + 12 * i : 136 + 12 * i], *unpack_from(">LL", profile, 136 + 12 * i)
        body = profile[offset : offset + size]
        if name in _TAGS and len(body) == size and body[:4] in _NUMERIC_TYPES:
            exact = _exact(body)
            if exact is not None:
                kept[name] = exact
    if not kept:
        return None
    kept[b"cprt"] = _text(b"none", profile[8])
    kept[b"desc"] = _description(b"profile", profile[8])
    return _assembled(profile, kept)


def holds_text(table: bytes, cleaner: TextCleaner) -> bool:
    """Say whether a lookup table holds words: long ones of any kind, short ones when they name somebody.

    PRIVACY: a palette is bytes that nobody looks at (tests/spec/test_hidden_places.py, "palette").
    """
    doubled = table[::2] == table[1::2]  # eight bits written as sixteen
    for view in (table[::2],) if doubled else (table, table[::2], table[1::2]):
        if any(_is_wordy(run) for run in _LONG_WORD.findall(view)):
            return True
        if any(_is_wordy(run) and cleaner.clean(run.decode("ascii")).changed for run in _TEXT_RUN.findall(view)):
            return True
    return False


def used_colours(table: bytes, entries: int, entry_bytes: int, used: Sequence[int] | None) -> bytes:
    """Return a palette of exactly its entries; those that no pixel uses are black."""
    table = table[: entries * entry_bytes]
    if used is None:
        return table
    out = bytearray(len(table))
    for index in used:
        place = min(max(index, 0), entries - 1) * entry_bytes
        out[place : place + entry_bytes] = table[place : place + entry_bytes]
    return bytes(out)


def _is_wordy(run: bytes) -> bool:
    steps = [b - a for a, b in pairwise(run) if b != a]
    turns = sum((a > 0) != (b > 0) for a, b in pairwise(steps))
    return turns >= 2 and len(set(run)) >= 4 and max((abs(s) for s in steps), default=0) >= 4


def _exact(body: bytes) -> bytes | None:
    """Return an element of numbers cut to the length that its own counts give."""
    kind = body[:4]
    head = kind + b"\x00\x00\x00\x00"
    if kind in (b"XYZ ", b"sf32"):
        step = 12 if kind == b"XYZ " else 4
        return head + body[8 : 8 + (len(body) - 8) // step * step] if len(body) - 8 <= 12 * 12 else None
    if kind == b"curv":
        (n,) = unpack_from(">L", body, 8)
        data = body[8 : 12 + 2 * n]
        return None if len(data) < 4 + 2 * n or any(_is_wordy(run) for run in _TEXT_RUN.findall(data)) else head + data
    if kind == b"para":
        function = int.from_bytes(body[8:10], "big")
        size = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}.get(function)
        return head + body[8:10] + b"\x00\x00" + body[12 : 12 + 4 * size] if size else None
    return head + body[8:]


def _text(text: bytes, version: int) -> bytes:
    if version < 4:
        return b"text\x00\x00\x00\x00" + text + b"\x00"
    return b"mluc\x00\x00\x00\x00" + pack(">LL", 1, 12) + b"enUS" + pack(">LL", 2 * len(text), 28) + text.decode().encode("utf-16-be")


def _description(text: bytes, version: int) -> bytes:
    if version < 4:
        return b"desc\x00\x00\x00\x00" + pack(">L", len(text) + 1) + text + bytes(1 + 4 + 4 + 2 + 1 + 67)
    return _text(text, version)


def _assembled(profile: bytes, elements: dict[bytes, bytes]) -> bytes:
    """Write a profile: its header without date, maker, creator and digest, then the elements."""
    places: list[bytes] = []
    data = b""
    start = 132 + 12 * len(elements)
    for name in sorted(elements):
        body = elements[name]
        places.append(name + pack(">LL", start + len(data), len(body)))
        data += body + bytes(-len(body) % 4)
    header = bytearray(128)
    header[8:24] = profile[8:24]  # version, class, colour space, connection space
    header[24:36] = pack(">6H", 2000, 1, 1, 0, 0, 0)
    header[36:40] = b"acsp"
    header[64:68] = profile[64:68]  # rendering intent
    header[68:80] = profile[68:80]  # illuminant
    header[0:4] = pack(">L", start + len(data))
    return bytes(header) + pack(">L", len(elements)) + b"".join(places) + data
