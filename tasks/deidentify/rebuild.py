"""A dataset rebuilt from its allowed elements, at every depth: default deny, in Explicit VR Little Endian.

What is allowed is in rules.py and private.py, what becomes of a value in values.py; pixel data is not judged here.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from tasks.deidentify import charsets, domains
from tasks.deidentify.rules import Action, Rule, RuleBook
from tasks.deidentify.values import ValueRules
from tasks.elements import ITEM, PIXEL_DATA, Element, Encoding, Unreadable, items, walk
from tasks.model import Reason

Cleaned = dict[int, tuple[str, bytes]]  # tag -> VR, value
_LONG = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
_HEAD_SHORT, _HEAD_LONG, _HEAD_ITEM = Struct("<HH2sH"), Struct("<HH2sHL"), Struct("<HHL")
_SWAPPED = {"US": 2, "SS": 2, "OW": 2, "UL": 4, "SL": 4, "FL": 4, "OF": 4, "OL": 4, "FD": 8, "OD": 8, "UV": 8, "SV": 8, "OV": 8, "AT": 2}
_MAX_CACHED = 1 << 16
_PIXELS = frozenset((0x7FE00008, 0x7FE00009, PIXEL_DATA))
_MISSING = object()


@dataclass(slots=True)
class Level:
    """Where in an object we are: what the elements of one dataset inherit and share."""

    path: tuple[int, ...]
    encoding: Encoding
    encodings: tuple[str, ...] | None
    signed: bool
    depth: int  # levels of nesting still allowed below


class Rebuilder:
    """Rebuilds the datasets of one patient under one policy; remembers what became of every value it has seen."""

    def __init__(self, rules: RuleBook, values: ValueRules) -> None:
        self.rules, self.values = rules, values
        self._caches: dict[object, dict[object, tuple[str, bytes] | None]] = {}
        self._cached_bytes = 0

    def rebuild(self, buffer: bytes, start: int, stop: int, level: Level) -> Cleaned:
        """Return the released elements of one dataset by tag, in ascending order; pixel data is left out."""
        found = list(walk(buffer, start, stop, level.encoding, level.depth))
        self._inherit(buffer, found, level)
        cache = self._caches.setdefault((level.path, level.encoding, level.encodings, level.signed, level.depth), {})
        cleaned: Cleaned = {}
        previous, ordered = -1, True
        for element in found:
            tag = element.tag
            if tag in _PIXELS and not level.path:
                continue
            value = buffer[element.start : element.stop]
            key = (tag, element.vr, value)
            result = cache.get(key, _MISSING)
            if result is _MISSING:
                result = self._element(element, value, level)
                if len(value) <= _MAX_CACHED:
                    self._remember(cache, key, result)
            if result is not None:
                cleaned[tag] = result  # type: ignore[assignment]  # the sentinel is gone
                ordered = ordered and tag > previous
                previous = tag
        return cleaned if ordered else dict(sorted(cleaned.items()))

    def _remember(self, cache: dict[object, tuple[str, bytes] | None], key: tuple[int, str, bytes], result: object) -> None:
        self._cached_bytes += 200 + len(key[2])
        if self._cached_bytes > 1 << 26:
            self._caches.clear()
            self._cached_bytes = 0
        cache[key] = result  # type: ignore[assignment]  # the sentinel is gone

    def _inherit(self, buffer: bytes, found: list[Element], level: Level) -> None:
        for element in found:
            if element.tag == 0x00080005:
                level.encodings = charsets.encodings_of(buffer[element.start : element.stop])
            elif element.tag == 0x00280103:
                level.signed = buffer[element.start : element.stop].strip(b"\x00") != b""

    def _element(self, element: Element, value: bytes, level: Level) -> tuple[str, bytes] | None:
        tag = element.tag
        if tag >> 16 & 1:
            return None
        rule = self.rules.rule(tag)
        if rule.action in (Action.REMOVE, Action.WRITTEN):
            return None
        if tag == 0x00080005:
            return None
        vr = released_vr(rule, element.vr, level, len(value))
        if vr == "SQ":
            return self._sequence(element, rule, value, level)
        if element.undefined or not _compatible(element.vr, vr):
            return None
        if not level.encoding.little and vr in _SWAPPED:
            value = swapped(value, _SWAPPED[vr])
        result = self.values.applied(rule, vr, value, level.encodings)
        if result is None or (vr not in _LONG and len(result) > 0xFFFE):
            return None
        return vr, domains.padded(vr, result)

    def _sequence(self, element: Element, rule: Rule, value: bytes, level: Level) -> tuple[str, bytes] | None:
        if rule.action is Action.EMPTY or not value:
            return "SQ", b""
        if rule.action is not Action.RECURSE or element.vr not in ("SQ", "UN", ""):
            return None
        encoding = Encoding(True, True) if element.vr == "UN" else level.encoding
        out = []
        try:
            for start, stop in items(value, 0, len(value), encoding, level.depth):
                inner = Level((*level.path, element.tag), encoding, level.encodings, level.signed, level.depth - 1)
                body = encoded(self.rebuild(value, start, stop, inner))
                out.append(_HEAD_ITEM.pack(ITEM >> 16, ITEM & 0xFFFF, len(body)) + body)
        except Unreadable as unreadable:
            if unreadable.reason is Reason.NESTED_TOO_DEEP or element.vr != "UN":
                raise
            return None
        return "SQ", b"".join(out)


def encoded(cleaned: Cleaned) -> bytes:
    """Return the Explicit VR Little Endian bytes of a dataset."""
    out = []
    for tag, (vr, value) in cleaned.items():
        if vr in _LONG:
            out.append(_HEAD_LONG.pack(tag >> 16, tag & 0xFFFF, vr.encode(), 0, len(value)))
        else:
            out.append(_HEAD_SHORT.pack(tag >> 16, tag & 0xFFFF, vr.encode(), len(value)))
        out.append(value)
    return b"".join(out)


def released_vr(rule: Rule, vr: str, level: Level, length: int) -> str:
    """Return the VR an element is written with: the standard's; where that leaves a choice, what the data says."""
    known = rule.vr
    if " or " not in known:
        return known
    if vr in known.split(" or "):
        return vr
    if known == "US or SS" or (known == "US or SS or OW" and length <= 6):
        return "SS" if level.signed else "US"
    return "OW"


def _compatible(vr: str, released: str) -> bool:
    """Say whether bytes written under one VR can be read under another."""
    if vr in ("", "UN", released):
        return True
    return vr not in _SWAPPED and released not in _SWAPPED and "SQ" not in (vr, released)


def swapped(value: bytes, size: int) -> bytes:
    """Return big endian numbers as little endian ones."""
    out = bytearray(len(value))
    for i in range(size):
        out[i::size] = value[size - 1 - i :: size]
    return bytes(out)
