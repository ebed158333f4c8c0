"""One pass over the bytes of a written object for every spelling of every value of its patient (T1, T5).

Patterns that need no source identity are in `patterns`; containers in `container`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from tasks.scan.dates import as_day, is_shifted
from tasks.scan.disguises import readings, words_apart
from tasks.scan.identity import SourceIdentity
from tasks.scan.needles import Guard, spellings, stands_alone
from tasks.scan.numerals import numbers_in
from tasks.scan.walk import PIXELS, Element, Walk

_LABELS = frozenset(("PN", "LO", "SH", "ST", "LT", "UC", "UT", "UR", "UN", "OB"))
_TEXTS = _LABELS | {"CS", "AE", "AS", "DA", "DT", "TM", "IS", "DS", "UI"}
_DAY = frozenset(("DA", "DT"))
_BYTES = frozenset(("OB", "OW", "UN"))
_MINIMUM_RUN = 6
_OF_THE_PATIENT = frozenset(("patient_name", "patient_id", "accession_number", "phone", "birth_date"))
_SHORTEST_READ = 5  # what is read otherwise may be noise
_LONGEST_READ = 1 << 20
_LONGEST_REMEMBERED, _MOST_REMEMBERED = 1 << 10, 1 << 14
_LARGE_ELEMENT = 1 << 16
_SHORTEST_IN_NUMBERS = 7  # shorter ones equal a series number by chance
_SHORTEST_IN_PIXELS = 5
_SHORTEST_IN_COMPRESSED = 6  # shorter spellings occur by chance in compressed bytes


class Hit(NamedTuple):
    """Where a spelling was found; never what it said."""

    place: str
    kind: str
    rule: str


@lru_cache(maxsize=4)
def automaton(identity: SourceIdentity) -> Any:
    """Return the Aho-Corasick automaton of an identity, or None when there is nothing to look for. Built once per study."""
    import ahocorasick

    machine = ahocorasick.Automaton()
    for needle in spellings(identity):
        if len(needle.spelling) < 3:
            continue
        entry = (needle.kind, needle.rule, needle.guard, len(needle.spelling))
        others = machine.get(needle.spelling, ())
        if entry not in others:
            machine.add_word(needle.spelling, (*others, entry))
    if not len(machine):
        return None
    machine.make_automaton()
    return machine


def search(walk: Walk, identity: SourceIdentity, shift: timedelta | None) -> set[Hit]:
    """Return every place where a value of the identity is left in the object, whose days were moved by `shift`."""
    machine = automaton(identity)
    if machine is None:
        return set()
    hits: set[Hit] = set()
    context = _Context(walk, machine, shift, identity.dates)
    position = 0
    for index, element in enumerate(walk.elements):
        if element.end - element.start > _LARGE_ELEMENT and element.vr != "SQ":
            context.search_bytes(walk.data[position : element.start], position, hits)
            stretches = walk.fragments if element is walk.pixels and walk.fragments else ((element.start, element.end),)
            for start, end in stretches:
                _search_runs(context, start, end, hits, index)
            position = element.end
    context.search_bytes(walk.data[position:], position, hits)
    if walk.tail:
        context.search_bytes(walk.tail, len(walk.data), hits)
    return hits | set(_otherwise(context, identity, {(hit.place, hit.kind) for hit in hits}))


def _otherwise(context: _Context, identity: SourceIdentity, known: set[tuple[str, str]]) -> Iterator[Hit]:
    """Yield what values say when they are read otherwise (packed, encoded, spelled apart, as numbers), where nothing else was found."""
    walk = context.walk
    memory = _said_before(identity, context.shift, walk.little_endian)
    for index, element in enumerate(walk.elements):
        vr, length = element.vr, element.end - element.start
        if element.tag in PIXELS or vr == "SQ" or not 0 < length <= _LONGEST_READ:
            continue
        raw = walk.value(element)
        said = memory.get((vr, raw))
        if said is None:
            said = _said(context, identity, vr, raw)
            if length <= _LONGEST_REMEMBERED and len(memory) < _MOST_REMEMBERED:
                memory[vr, raw] = said
        for kind, rule in said:
            if (place := walk.place(index), kind) not in known:
                yield Hit(place, kind, rule)


@lru_cache(maxsize=4)
def _said_before(
    _identity: SourceIdentity, _shift: timedelta | None, _little_endian: bool
) -> dict[tuple[str, bytes], tuple[tuple[str, str], ...]]:
    """Return what values said in earlier objects of the study: most are the same in all objects of a series."""
    return {}


def _said(context: _Context, identity: SourceIdentity, vr: str, raw: bytes) -> tuple[tuple[str, str], ...]:
    said = numbers_in(vr, raw, context.walk.little_endian, identity, context.shift)
    if vr in _LABELS or vr in ("OW", "CS", "AE"):
        said |= context.said_by(readings(raw.strip(b" \0"), binary=vr in _BYTES))
        # names of software are made of words that some reader or creator of a report may be called
        said |= {(kind, rule) for kind, rule in context.said_by((words_apart(raw),)) if kind in _OF_THE_PATIENT}
    return tuple(sorted(said))


class _Context:
    """What one search needs at every hit."""

    def __init__(self, walk: Walk, machine: Any, shift: Any, source_days: frozenset[str]) -> None:
        self.walk, self.machine, self.shift, self.source_days = walk, machine, shift, source_days

    def search_bytes(self, raw: bytes, offset: int, hits: set[Hit], inside: int = -1) -> None:
        """Search one stretch whose first byte is at `offset` of the file, or runs taken out of element `inside`."""
        lowered = raw.lower()
        for last, entries in self.machine.iter(lowered.decode("latin-1")):
            for kind, rule, guard, length in entries:
                first = last + 1 - length
                index = inside if inside >= 0 else self._element(offset + first)
                element = self.walk.elements[index] if index >= 0 else None
                if not self._counts(lowered, (first, last + 1), offset, guard, element):
                    continue
                if rule.startswith("T1.date:"):
                    day = as_day(rule[8:])
                    if day is None or is_shifted(day, self.shift, self.source_days):
                        continue
                    rule = "T10.unshifted" if element is not None and element.vr in _DAY else "T1.date"
                hits.add(Hit(self._place(index, offset + first), kind, rule))

    def said_by(self, texts: tuple[bytes, ...]) -> set[tuple[str, str]]:
        """Return (kind, rule) of what readings of one value say; each counts as text, short spellings do not count."""
        said: set[tuple[str, str]] = set()
        for text in texts:
            lowered = text.lower()
            for last, entries in self.machine.iter(lowered.decode("latin-1")):
                for kind, rule, guard, length in entries:
                    if length >= _SHORTEST_READ and stands_alone(lowered, last + 1 - length, last + 1, guard):
                        said.update((kind, counted) for counted in self._rule_of(rule))
        return said

    def _rule_of(self, rule: str) -> tuple[str, ...]:
        if rule.startswith("T5."):
            return (rule,)
        if not rule.startswith("T1.date:"):
            return ("T1.disguised",)
        day = as_day(rule[8:])
        return () if day is None or is_shifted(day, self.shift, self.source_days) else ("T1.date",)

    def _element(self, position: int) -> int:
        index = bisect_right(self.walk.starts, position) - 1
        while index >= 0 and self.walk.elements[index].end <= position:
            index = self.walk.elements[index].parent if self.walk.elements[index].parent >= 0 else -1
        return index

    def _place(self, index: int, position: int) -> str:
        if index >= 0:
            return "pixel bytes" if self.walk.elements[index] is self.walk.pixels else self.walk.place(index)
        if position >= self.walk.end:
            return "trailing bytes"
        return "preamble" if position < len(self.walk.preamble) else "between elements"

    @staticmethod
    def _may_hold(guard: int, vr: str) -> bool:
        if guard & Guard.LABEL:
            return vr in _LABELS
        return not guard & (Guard.TEXT | Guard.WHOLE) or vr in _TEXTS

    def _counts(self, raw: bytes, span: tuple[int, int], offset: int, guard: int, element: Element | None) -> bool:
        first, last = span
        if element is not None and element.tag in PIXELS:
            shortest = _SHORTEST_IN_COMPRESSED if self.walk.fragments else _SHORTEST_IN_PIXELS
            if last - first < shortest or guard & Guard.WHOLE:
                return False
        elif element is not None and not self._may_hold(guard, element.vr):
            return False
        if guard & Guard.WHOLE:
            if element is None or (element.vr in ("IS", "DS") and last - first < _SHORTEST_IN_NUMBERS):
                return False
            start, end = max(element.start - offset, 0), element.end - offset
            return raw[start:end].strip(b" \0") == raw[first:last]
        before = raw[first - 1 : first] if first else b""
        after = raw[last : last + 1]
        if element is not None:
            before = before if offset + first > element.start else b""
            after = after if offset + last < element.end else b""
        if guard & Guard.WORD and (before.isalnum() or after.isalnum()):
            return False
        if guard & Guard.NUMBER and (before.isdigit() or after.isdigit()):
            return False
        if guard & Guard.LEFT_NUMBER and before.isdigit():
            return False
        if guard & Guard.DAY:
            following = raw[last : last + 7]
            digits = len(following) - len(following.lstrip(b"0123456789"))
            if before.isdigit() or digits not in (0, 4, 6):
                return False
        if guard & Guard.UNDOTTED:
            beyond = raw[last + 1 : last + 2]
            if (before == b"." and raw[first - 2 : first - 1].isdigit()) or (after == b"." and beyond.isdigit() and not guard & Guard.DAY):
                return False
        return True


def _search_runs(context: _Context, start: int, end: int, hits: set[Hit], index: int) -> None:
    """Search the runs of printable bytes in a large stretch: what a person with `strings` would read."""
    if end - start < _MINIMUM_RUN:
        return
    block = np.frombuffer(context.walk.data, np.uint8, count=end - start, offset=start)
    text = printable_runs(block)
    if text:
        context.search_bytes(text, start, hits, index)


def printable_runs(block: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """Return the runs of six and more printable ASCII bytes, separated by a zero byte."""
    printable = (block - np.uint8(32)) < np.uint8(95)
    pairs = printable[:-1] & printable[1:]
    fours = pairs[:-2] & pairs[2:]
    sixes = fours[:-2] & pairs[4:]
    firsts = np.flatnonzero(sixes)
    if not firsts.size:
        return b""
    keep = np.zeros(block.size + 1, bool)
    for step in range(_MINIMUM_RUN):
        keep[firsts + step] = True
    where = np.flatnonzero(keep)
    out = np.zeros(where.size + int(np.count_nonzero(np.diff(where) > 1)), np.uint8)
    gaps = np.concatenate(([0], np.cumsum(np.diff(where) > 1)))
    out[np.arange(where.size) + gaps] = block[where]
    return out.tobytes()
