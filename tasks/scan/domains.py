"""Is every element known, and every value inside its domain (T2)? Text where a number belongs is where names hide.

What the values may say about a person is judged in `patterns` and `search`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from tasks.scan.walk import Walk, implied_vr

_NUMBERS = {
    "IS": re.compile(rb" *[+-]?\d{1,12} *$"),
    "DS": re.compile(rb" *[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)? *$|(?i: *[+-]?(?:nan|inf) *$)"),
    "DA": re.compile(rb" *(?:1[89]|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]) *$"),
    "TM": re.compile(rb" *(?:[01]\d|2[0-3]):?(?:[0-5]\d:?(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)? *$"),
    "DT": re.compile(rb" *(?:1[89]|20)\d\d(?:\d\d){0,5}(?:\.\d{1,6})?(?:[+-]\d{4})? *$"),
    "AS": re.compile(rb" *\d{3}[DWMY] *$"),
    "UI": re.compile(rb"[0-9]+(?:\.[0-9]+)*[\0 ]*$"),
}
_ENUMERATED = {
    0x00100040: {b"M", b"F", b"O"},
    0x00200060: {b"L", b"R", b"U", b"B"},
    0x00200062: {b"L", b"R", b"U", b"B"},
    0x00120062: {b"YES", b"NO"},
    0x00280301: {b"YES", b"NO"},
    0x00280302: {b"YES", b"NO"},
    0x00280303: {b"MODIFIED", b"REMOVED", b"UNMODIFIED"},
    0x00282110: {b"00", b"01"},
}
"""Enumerated values (PS3.3) where anything else can only be a mistake, or hide something."""
_TEXTS = frozenset(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"))
_CODED = re.compile(rb"[\x20-\x7e]{0,64}$")
_OLDEST_YEARS = 90
_MANY_NUMBERS = 512
_REMEMBERED_BYTES = 128


_SAID_OF_ITSELF = frozenset((0x00120062, 0x00280301, 0x00280302, 0x00280303))


class Stray(NamedTuple):
    """A value outside its domain."""

    kind: str
    rule: str
    score: float


def strays(tag: int, vr: str, raw: bytes) -> tuple[Stray, ...]:
    """Return what is wrong with one value."""
    return _short_strays(tag, vr, raw) if len(raw) <= _REMEMBERED_BYTES else _strays(tag, vr, raw)


@lru_cache(maxsize=16384)
def _short_strays(tag: int, vr: str, raw: bytes) -> tuple[Stray, ...]:
    return _strays(tag, vr, raw)  # remembered: most values repeat from slice to slice


def _strays(tag: int, vr: str, raw: bytes) -> tuple[Stray, ...]:
    found: list[Stray] = []
    declared = implied_vr(tag)
    if vr in _TEXTS and declared not in _TEXTS and declared != "UN" and raw.strip(b" \0"):
        found.append(Stray("text", "T2.vr", 0.7))
    shape = _NUMBERS.get(vr)
    if shape is not None:
        if len(raw) > _MANY_NUMBERS:
            return (Stray("text", "T2.domain", 0.8),) if raw.translate(None, b"0123456789+-.eE\\ \0") else ()
        parts = raw.split(b"\\") if vr != "UI" else raw.rstrip(b"\0 ").split(b"\\")
        if any(part.strip(b" \0") and not shape.match(part.rstrip(b"\0")) for part in parts):
            found.append(Stray("text", "T2.domain", 0.8))
        if vr == "AS" and re.match(rb" *(\d{3})Y", raw) and int(raw.strip()[:3]) > _OLDEST_YEARS:
            found.append(Stray("age", "T2.age", 0.8))
        if vr == "UI" and len(raw.rstrip(b"\0 ")) > 64 and b"\\" not in raw:
            found.append(Stray("uid", "T2.length", 0.8))
    elif vr == "CS":
        allowed = _ENUMERATED.get(tag)
        parts = [part.strip(b" \0") for part in raw.split(b"\\")]
        if allowed and any(part and part not in allowed for part in parts):
            found.append(Stray("text", "T2.domain", 0.8))
        elif not all(_CODED.match(part) for part in parts):
            found.append(Stray("text", "T2.domain", 0.7))
    return tuple(found)


def undecided(walk: Walk) -> Iterator[tuple[int, Stray]]:
    """Yield the index of every element that no dictionary knows: public ones, and private ones without their creator."""
    creators: dict[int, set[int]] = {}
    for index, (tag, _, start, end, parent, item) in enumerate(walk.elements):
        group, low = tag >> 16, tag & 0xFFFF
        if group & 1:
            if 0x10 <= low <= 0xFF:
                creators.setdefault(hash((parent, item, group)), set()).add(low)
            elif low >= 0x1000 and low >> 8 not in creators.get(hash((parent, item, group)), ()):
                yield index, Stray("private", "T2.undecided", 0.8)
        elif end > start and low != 0 and implied_vr(tag) == "UN" and group not in (0x0002, 0xFFFC):
            yield index, Stray("unknown", "T2.undecided", 0.6)


def declared_codes(walk: Walk) -> frozenset[str]:
    """Return the codes by which an object says how it was de-identified (0012,0064), as CID 7050 has them."""
    return frozenset(
        walk.value(e).strip(b" \0").decode("ascii", "replace")
        for e in walk.elements
        if e.tag == 0x00080100 and e.parent >= 0 and walk.elements[e.parent].tag == 0x00120064
    )


def misdeclared(walk: Walk) -> Iterator[tuple[str, Stray]]:
    """Yield (place, what is wrong) where the object's own de-identification codes contradict the object (CID 7050)."""
    values = {e.tag: walk.value(e).strip(b" \0") for e in walk.elements if e.parent < 0 and e.tag in _SAID_OF_ITSELF}
    codes = declared_codes(walk)
    if values.get(0x00120062) != b"YES":
        yield "(0012,0062)", Stray("declaration", "T2.declared", 0.6)
        return
    temporal = values.get(0x00280303, b"")
    expected = b"UNMODIFIED" if "113106" in codes else b"MODIFIED" if "113107" in codes else b"REMOVED"
    if codes and temporal and temporal != expected:
        yield "(0028,0303)", Stray("declaration", "T2.declared", 0.7)
    if "113101" in codes and values.get(0x00280301) == b"YES":
        yield "(0028,0301)", Stray("declaration", "T2.declared", 0.7)
    if "113102" in codes and values.get(0x00280302) == b"YES":
        yield "(0028,0302)", Stray("declaration", "T2.declared", 0.7)
