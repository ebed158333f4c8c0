"""Is somebody else's identity in an object (T1x)? One automaton over every identifier of the archive's slice.

One part of a name proves nothing among thousands of people: two parts of the same person, or one long id, do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.model import Finding
from tasks.scan.identity import SourceIdentity
from tasks.scan.needles import Guard, name_parts
from tasks.scan.search import printable_runs
from tasks.scan.texts import stands_alone
from tasks.scan.vocabulary import fold, technical_words
from tasks.scan.walk import Walk

_IDS = frozenset(("patient_id", "accession_number", "record_number", "phone"))
_SHORTEST_ID, _SHORTEST_PART = 7, 4
_LARGE = 1 << 16


@dataclass(frozen=True, slots=True)
class CohortIndex:
    """Every identifier of every person in a slice of the archive, ready to be looked for."""

    people: int
    automaton: Any = field(repr=False)


def index_cohort(identities: Mapping[str, SourceIdentity]) -> CohortIndex:
    """Build the index; keys are opaque names of people and are only compared with each other."""
    import ahocorasick

    machine = ahocorasick.Automaton()
    words = technical_words()
    for person, identity in identities.items():
        for kind, value in identity.values:
            if kind == "patient_name":
                for part in name_parts(value):
                    if part.isascii() and len(part) >= _SHORTEST_PART and part not in words:
                        _add(machine, part.encode(), (person, kind, part))
                for part in re.split(r"[\^\s,=]+", value):
                    if not part.isascii():
                        for raw in _bytes_of(part):
                            _add(machine, raw, (person, kind, fold(part)))
            elif kind in _IDS:
                squashed = "".join(c for c in value.lower() if c.isalnum())
                for spelling in {value.strip().lower(), squashed, squashed.lstrip("0")}:
                    if len(spelling) >= _SHORTEST_ID and any(c.isdigit() for c in spelling):
                        _add(machine, spelling.encode(), (person, kind, ""))
    if len(machine):
        machine.make_automaton()
    return CohortIndex(len(identities), machine)


def _bytes_of(part: str) -> set[bytes]:
    """Return a name in another alphabet as the bytes that objects hold, ASCII letters in lower case."""
    found = set()
    for variant in (part, part.upper(), part.lower(), part.title()):
        for codec in ("utf-8", "latin-1", "gb18030", "shift_jis", "euc_kr", "iso8859_5", "iso8859_7"):
            try:
                found.add(variant.encode(codec).lower())
            except UnicodeEncodeError:
                continue
    return {raw for raw in found if len(raw) >= _SHORTEST_PART}


def _add(machine: Any, spelling: bytes, entry: tuple[str, str, str]) -> None:
    key = spelling.decode("latin-1")
    machine.add_word(key, (len(key), (*machine.get(key, (0, ()))[1], entry)))


def find_others(walk: Walk, index: CohortIndex, person: str, sop_instance_uid: str) -> list[Finding]:
    """Return where an object of `person` holds an id, or two name parts within one place, of somebody else."""
    if not len(index.automaton):
        return []
    found: set[tuple[str, str]] = set()
    for number, element in enumerate(walk.elements):
        length = element.end - element.start
        if element.vr in ("SQ", "US", "FD", "FL", "UL", "SS", "SL", "AT") or length < _SHORTEST_PART:
            continue
        raw = walk.value(element) if length <= _LARGE else _runs(walk, element.start, element.end)
        for kind in kinds_of_others(raw, index, person):
            found.add(("pixel bytes" if element is walk.pixels else walk.place(number), kind))
    return [Finding(sop_instance_uid, place, kind, "T1x.other", 1.0) for place, kind in sorted(found)]


def kinds_of_others(raw: bytes, index: CohortIndex, person: str) -> set[str]:
    """Return the kinds by which some other person than `person` can be told in a stretch of bytes."""
    lowered = raw.lower()
    parts: dict[str, set[str]] = {}
    own: set[str] = set()
    kinds: set[str] = set()
    for last, (length, entries) in index.automaton.iter(lowered.decode("latin-1")):
        if not stands_alone(lowered, last + 1 - length, last + 1, Guard.WORD | Guard.UNDOTTED):
            continue
        mine = [part for who, _, part in entries if who == person]
        own.update(mine)
        for who, kind, part in entries:
            if who != person and part:
                parts.setdefault(who, set()).add(part)
            elif who != person and not mine:
                kinds.add(kind)
    # a part that both share counts as the second one, never as the first
    named = any(len(of_one) > 1 and of_one - own for of_one in parts.values())
    return kinds | ({"patient_name"} if named else set())


def _runs(walk: Walk, start: int, end: int) -> bytes:
    import numpy as np

    return printable_runs(np.frombuffer(walk.data, np.uint8, end - start, start))
