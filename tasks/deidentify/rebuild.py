"""A dataset rebuilt from its allowed elements, at every depth: default deny, in Explicit VR Little Endian.

What is allowed is in rules.py and private.py, what becomes of a value in values.py; pixel data is not judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from tasks.deidentify import charsets, domains, structured
from tasks.deidentify.iod import nested_types
from tasks.deidentify.private import Statement, private_rule
from tasks.deidentify.rules import Action, Rule, RuleBook
from tasks.deidentify.values import ValueRules
from tasks.elements import ITEM, PIXEL_DATA, Element, Encoding, Unreadable, items, walk
from tasks.model import Reason

Kept = tuple[str, bytes, bool]  # VR, value, whether it holds text that is not ASCII
Cleaned = dict[int, Kept]
_LONG = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
_HEAD_SHORT, _HEAD_LONG, _HEAD_ITEM = Struct("<HH2sH"), Struct("<HH2sHL"), Struct("<HHL")
_SWAPPED = {"US": 2, "SS": 2, "OW": 2, "UL": 4, "SL": 4, "FL": 4, "OF": 4, "OL": 4, "FD": 8, "OD": 8, "UV": 8, "SV": 8, "OV": 8, "AT": 2}
_TEXT = frozenset(("SH", "LO", "ST", "LT", "UT", "UC", "PN"))
_MAX_CACHED = 1 << 16
PIXELS: Final = frozenset((0x7FE00001, 0x7FE00002, 0x7FE00008, 0x7FE00009, PIXEL_DATA))
_NO_TYPES: Mapping[int, str] = {}


@dataclass(slots=True)
class Level:
    """Where in an object we are: what the elements of one dataset inherit and share."""

    encoding: Encoding
    depth: int  # levels of nesting still allowed below
    path: tuple[int, ...] = ()
    types: Mapping[int, str] = field(default_factory=lambda: _NO_TYPES)
    encodings: tuple[str, ...] | None = ("iso8859",)
    signed: bool = False
    references: bool = False  # content items point at each other by position: none may go
    scheme: bytes = b""
    concept: str = ""  # what the concept name of this content item does to its value (structured.py)
    creators: dict[int, str] = field(default_factory=dict)  # group << 8 | block -> private creator
    statements: dict[tuple[int, str], Statement] = field(default_factory=dict)


class Rebuilder:
    """Rebuilds the datasets of one patient under one policy; remembers what became of every value it has seen."""

    def __init__(self, rules: RuleBook, values: ValueRules) -> None:
        self.rules, self.values = rules, values
        self._caches: dict[object, dict[object, Kept | None]] = {}
        self._cached_bytes = 0

    def rebuild(self, buffer: bytes, found: list[Element], level: Level) -> Cleaned:
        """Return the released elements of one dataset by tag, in ascending order; top-level pixel data is left out."""
        self._inherit(buffer, found, level)
        # The key holds everything beside the element itself that a decision may depend on.
        key = (level.path, level.encoding, level.depth, level.encodings, level.signed, level.references, level.scheme, level.concept)
        cache = self._caches.setdefault((*key, id(level.types)), {})
        cleaned: Cleaned = {}
        previous, ordered = -1, True
        for element in found:
            tag, vr, start, stop, _ = element
            value = buffer[start:stop] if tag not in PIXELS or level.path else b""
            if tag & 0x10000:
                private = self._private_cached(cache, element, value, level)
                if private is not None:
                    cleaned.update(private)
                    ordered = False
                continue
            try:
                kept = cache[tag, vr, value]
            except KeyError:
                kept = self._standard(element, value, level)
                if len(value) <= _MAX_CACHED:
                    self._remember(cache, (tag, vr, value), kept)
            if kept is not None:
                cleaned[tag] = kept
                ordered = ordered and tag > previous
                previous = tag
        return cleaned if ordered else dict(sorted(cleaned.items()))

    def _remember(self, cache: dict[object, Kept | None], key: tuple[int, str, bytes], kept: Kept | None) -> None:
        self._cached_bytes += 200 + len(key[2])
        if self._cached_bytes > 1 << 26:
            self._caches.clear()
            self._cached_bytes = 0
            return
        cache[key] = kept

    def _inherit(self, buffer: bytes, found: list[Element], level: Level) -> None:
        """Read what the other elements of a dataset depend on, wherever it stands in the file."""
        for tag, _, start, stop, _ in found:
            if tag == 0x00080005:
                level.encodings = charsets.encodings_of(buffer[start:stop])
            elif tag == 0x00280103:
                level.signed = buffer[start:stop].strip(b"\x00") != b""
            elif tag == 0x00080102:
                level.scheme = buffer[start:stop].strip(b" \x00")
            elif tag == 0x0040A043 and not self.rules.policy.clean_structured_content:
                level.concept = "D" if structured.CONTENT in level.path else ""
            elif tag == 0x0040A043:
                level.concept = structured.concept_action(buffer, found, level.encoding, self.rules.policy)
                if level.concept == "X" and level.references:
                    level.concept = "D"
            elif tag == 0x00080300:
                level.statements = structured.private_statements(buffer[start:stop], level.encoding)
            elif tag & 0x1FF00 == 0x10000 and tag & 0xFF >= 0x10:
                creator = buffer[start:stop].strip(b" \x00").decode("ascii", "replace")
                level.creators[tag >> 16 << 8 | tag & 0xFF] = creator

    def _standard(self, element: Element, value: bytes, level: Level) -> Kept | None:
        tag = element.tag
        need = level.types.get(tag, "")
        rule = self.rules.rule(tag, need)
        if rule.action in (Action.REMOVE, Action.WRITTEN) or tag == 0x00080005 or (tag in PIXELS):
            return None
        rule = structured.item_rule(rule, tag, level.concept)
        return self._element(element, rule, released_vr(rule.vr, element.vr, level, len(value)), value, level, need)

    def _private(self, element: Element, creator: str, value: bytes, level: Level) -> Kept | None:
        """Keep a private element that is called safe, its value cleaned like any other."""
        policy = self.rules.policy
        group, low = element.tag >> 16, element.tag & 0xFF
        statement = level.statements.get((group, creator))
        rule = private_rule(group, creator, low, element.vr, policy.private_knowledge_base, statement, policy.dates)
        if rule is None or (rule.clause == "(0008,0303)" and not self._is_clean(creator)):
            return None
        return self._element(element, rule, rule.vr, value, level, "")

    def _private_cached(self, cache: dict[object, Kept | None], element: Element, value: bytes, level: Level) -> Cleaned | None:
        if not self.rules.policy.retain_safe_private:
            return None
        creator = level.creators.get(element.tag >> 16 << 8 | element.tag >> 8 & 0xFF)
        if not creator or element.tag & 0xFF00 < 0x1000:
            return None
        key = (element.tag, element.vr, value, creator)
        try:
            kept = cache[key]
        except KeyError:
            kept = self._private(element, creator, value, level)
            if len(value) <= _MAX_CACHED and not level.statements:
                cache[key] = kept
                self._cached_bytes += 200 + len(value)
        if kept is None:
            return None
        reservation = element.tag & 0xFFFF0000 | element.tag >> 8 & 0xFF
        return {reservation: ("LO", domains.padded("LO", creator.encode()), False), element.tag: kept}

    def _is_clean(self, text: str) -> bool:
        return not self.values.cleaner.clean(text, "PrivateCreator").changed

    def _element(self, element: Element, rule: Rule, vr: str, value: bytes, level: Level, need: str) -> Kept | None:
        if vr == "SQ":
            return self._sequence(element, rule, value, level)
        if element.undefined or not _compatible(element.vr, vr):
            return (vr, b"", False) if need == "2" else None
        if not level.encoding.little and vr in _SWAPPED:
            value = swapped(value, _SWAPPED[vr])
        result = self.values.applied(rule, vr, value, level.encodings, need=need, scheme=level.scheme)
        if result is None or (vr not in _LONG and len(result) > 0xFFFE):
            return None
        return vr, domains.padded(vr, result), vr in _TEXT and not result.isascii()

    def _sequence(self, element: Element, rule: Rule, value: bytes, level: Level) -> Kept | None:
        if rule.action is Action.EMPTY or not value:
            return "SQ", b"", False
        if rule.action is not Action.RECURSE or element.vr not in ("SQ", "UN", ""):
            return None
        encoding = Encoding(True, True) if element.vr == "UN" else level.encoding
        out: list[bytes] = []
        wide = False
        try:
            for start, stop in items(value, 0, len(value), encoding, level.depth):
                inner = self._below(level, element.tag, encoding)
                body = self.rebuild(value, list(walk(value, start, stop, encoding, inner.depth)), inner)
                if inner.concept == "X":
                    continue
                wide = wide or any(kept[2] for kept in body.values())
                content = encoded(body)
                out += (_HEAD_ITEM.pack(ITEM >> 16, ITEM & 0xFFFF, len(content)), content)
        except Unreadable as unreadable:
            if unreadable.reason is Reason.NESTED_TOO_DEEP or element.vr != "UN":
                raise
            return None
        return "SQ", b"".join(out), wide

    def _below(self, level: Level, tag: int, encoding: Encoding) -> Level:
        types = nested_types(tag) if not tag & 0x10000 else _NO_TYPES
        path = (*level.path, tag)
        return Level(
            encoding,
            level.depth - 1,
            path,
            types,
            level.encodings,
            level.signed,
            level.references,
            creators={},
            statements=level.statements,
        )


def encoded(cleaned: Mapping[int, Kept]) -> bytes:
    """Return the Explicit VR Little Endian bytes of a dataset."""
    out = []
    for tag, (vr, value, _) in cleaned.items():
        if vr in _LONG:
            out.append(_HEAD_LONG.pack(tag >> 16, tag & 0xFFFF, vr.encode(), 0, len(value)))
        else:
            out.append(_HEAD_SHORT.pack(tag >> 16, tag & 0xFFFF, vr.encode(), len(value)))
        out.append(value)
    return b"".join(out)


def released_vr(known: str, vr: str, level: Level, length: int) -> str:
    """Return the VR an element is written with: the standard's; where that leaves a choice, what the data says."""
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
    if {vr, released} in ({"OB", "OW"}, {"US", "SS"}, {"UL", "SL"}):
        return True
    return vr not in _SWAPPED and released not in _SWAPPED and "SQ" not in (vr, released) and "OB" not in (vr, released)


def swapped(value: bytes, size: int) -> bytes:
    """Return big endian numbers as little endian ones."""
    if len(value) % size:
        return value
    out = bytearray(len(value))
    for i in range(size):
        out[i::size] = value[size - 1 - i :: size]
    return bytes(out)
