"""Is somebody else's identity in a text (T1x)? One automaton over every identifier of some people of the archive's slice.

One part of a name proves nothing among thousands of people: two parts of the same person side by side, or one long id, do.
Which texts are asked, and how a large slice is taken piece by piece, is `strangers`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tasks.scan.identity import SourceIdentity
from tasks.scan.needles import Guard, name_parts, stands_alone
from tasks.scan.vocabulary import fold, technical_words

IDS = frozenset(("patient_id", "accession_number", "record_number", "phone"))
KINDS = IDS | {"patient_name"}
"""What the search over other people needs to know of a person."""
_SHORTEST_ID, _SHORTEST_PART, _SHORTEST_WHOLE = 7, 4, 5
_SIDE_BY_SIDE = 48  # bytes between two parts of one name


@dataclass(frozen=True, slots=True)
class CohortIndex:
    """Every identifier of some people, ready to be looked for."""

    people: int
    automaton: Any = field(repr=False)


def index_cohort(identities: Mapping[str, SourceIdentity]) -> CohortIndex:
    """Build the index; keys are opaque names of people and are only compared with each other."""
    import ahocorasick

    entries: dict[str, list[tuple[str, str, str]]] = {}
    for person, identity in identities.items():
        for spelling, kind, part in spellings_of(identity):
            of_spelling = entries.setdefault(spelling, [])
            if (person, kind, part) not in of_spelling[-4:]:
                of_spelling.append((person, kind, part))
    machine = ahocorasick.Automaton()
    for spelling, of_spelling in entries.items():
        machine.add_word(spelling, (len(spelling), spelling, tuple(of_spelling)))
    if len(machine):
        machine.make_automaton()
    return CohortIndex(len(identities), machine)


def spellings_of(identity: SourceIdentity) -> list[tuple[str, str, str]]:
    """Return (bytes as latin-1 text in lower case, kind, name part or "") of everything by which a person can be told."""
    words = technical_words()
    found: list[tuple[str, str, str]] = []
    for kind, value in identity.values:
        if kind == "patient_name":
            parts = [p for p in name_parts(value) if p.isascii()]
            found += [(p, kind, p) for p in parts if len(p) >= _SHORTEST_PART and p not in words]
            found += [(whole, kind, "") for whole in _short_names(parts[:2])]
            for part in re.split(r"[\^\s,=]+", value):
                if not part.isascii():
                    found += [(raw.decode("latin-1"), kind, fold(part)) for raw in _bytes_of(part)]
        elif kind in IDS:
            squashed = "".join(c for c in value.lower() if c.isalnum())
            for spelling in {value.strip().lower(), squashed, squashed.lstrip("0")}:
                if len(spelling) >= _SHORTEST_ID and any(c.isdigit() for c in spelling):
                    found.append((spelling.encode("utf-8").decode("latin-1"), kind, ""))
    return found


def _short_names(parts: list[str]) -> list[str]:
    """Return a name with a part that is too short to count as one ("Kim^Lee"), as a whole and as names are written."""
    if len(parts) < 2 or min(map(len, parts)) >= _SHORTEST_PART or sum(map(len, parts)) < _SHORTEST_WHOLE:
        return []
    first, second = parts
    spaced = [f"{first} {second}", f"{second} {first}"] if len(first) + len(second) >= _SHORTEST_ID else []
    return [f"{first}^{second}", f"{second}^{first}", f"{first}, {second}", f"{first},{second}", *spaced]


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


def kinds_of_others(raw: bytes, index: CohortIndex, person: str, own: Callable[[], SourceIdentity] = SourceIdentity) -> set[str]:
    """Return the kinds by which some other person than `person` can be told in a stretch of bytes.

    `own`: the identity of `person`, asked for only when something was found: what both share tells of nobody else.
    """
    lowered = raw.lower()
    ids: list[tuple[str, str]] = []
    parts: dict[str, list[tuple[int, str]]] = {}
    for last, (length, spelling, entries) in index.automaton.iter(lowered.decode("latin-1")):
        if not stands_alone(lowered, last + 1 - length, last + 1, Guard.WORD | Guard.UNDOTTED):
            continue
        for who, kind, part in entries:
            if who == person:
                continue
            if part:
                parts.setdefault(who, []).append((last, part))
            else:
                ids.append((kind, spelling))
    named = [p for p in (_side_by_side(of_one) for of_one in parts.values()) if p]
    if not ids and not named:
        return set()
    mine = {spelling for spelling, _, _ in spellings_of(own())} | {part for _, _, part in spellings_of(own())}
    kinds = {kind for kind, spelling in ids if spelling not in mine}
    # a part that both share counts as the second one, never as the first
    return kinds | ({"patient_name"} if any(pair - mine for pairs in named for pair in pairs) else set())


def _side_by_side(parts: list[tuple[int, str]]) -> list[set[str]]:
    """Return the pairs of different parts of one person that are at most some bytes apart."""
    return [
        {one, other} for (first, one), (second, other) in pairwise(parts) if one != other and second - first <= _SIDE_BY_SIDE + len(other)
    ]
