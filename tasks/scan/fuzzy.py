"""Words that are one slip of the keyboard away from a name or number of the patient, or its beginning (T1 fuzzy): a person decides.

Exact spellings are in `needles`. One slip: a letter more, less, other, or two neighbours exchanged. A beginning: what a field of 16
characters left of a long name.
"""

from __future__ import annotations

import re
from functools import lru_cache

from tasks.scan.identity import SourceIdentity
from tasks.scan.needles import name_parts
from tasks.scan.vocabulary import fold, technical_words

_SHORTEST_NAME = 5
_SHORTEST_NUMBER = 7
_SHORTEST_BEGINNING = 6
_WORD = re.compile(r"[^\W\d_]{4,}|\d{6,}")


@lru_cache(maxsize=4)
def fuzzy_targets(identity: SourceIdentity) -> dict[str, str]:
    """Return every deletion neighbour of every name and number of the identity, with the kind that it points to."""
    targets: dict[str, str] = {}
    for kind, value in sorted(identity.values):
        for word in _targets_of(kind, value):
            for neighbour in _deletions(word):
                targets.setdefault(neighbour, f"{kind}\0{word}")
    return targets


@lru_cache(maxsize=4)
def beginnings(identity: SourceIdentity) -> dict[str, str]:
    """Return the beginnings of every long name of the identity, with their kinds."""
    return {
        word[:end]: kind
        for kind, value in sorted(identity.values)
        if kind in ("patient_name", "person_name")
        for word in _targets_of(kind, value)
        for end in range(_SHORTEST_BEGINNING, len(word) - 1)
    }


def near_misses(text: str, identity: SourceIdentity) -> set[str]:
    """Return the kinds of values that some word of the text nearly is."""
    targets = fuzzy_targets(identity)
    found: set[str] = set()
    if not targets:
        return found
    words = technical_words()
    for word in _WORD.findall(fold(text)):
        if word in words or len(word) > 40:
            continue
        if len(word) >= _SHORTEST_BEGINNING and (kind := beginnings(identity).get(word)):
            found.add(kind)
        for neighbour in _deletions(word):
            pointed = targets.get(neighbour)
            if pointed is None:
                continue
            kind, _, target = pointed.partition("\0")
            if word != target and within_one_slip(word, target):
                found.add(kind)
    return found


def _targets_of(kind: str, value: str) -> list[str]:
    if kind in ("patient_name", "person_name"):
        words = technical_words()
        return [p for p in name_parts(value) if len(p) >= _SHORTEST_NAME and p.isalpha() and p not in words]
    if kind in ("patient_id", "accession_number", "record_number"):
        return [n for n in re.findall(r"\d+", value) if len(n) >= _SHORTEST_NUMBER]
    return []


def _deletions(word: str) -> set[str]:
    """Return the word and all words that lack one of its letters: two words one slip apart share one of these."""
    return {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}


def within_one_slip(first: str, second: str) -> bool:
    """Say whether the optimal string alignment distance of two words is at most one."""
    if first == second:
        return True
    if abs(len(first) - len(second)) > 1:
        return False
    start = 0
    while start < min(len(first), len(second)) and first[start] == second[start]:
        start += 1
    rest, other = first[start:], second[start:]
    if len(first) == len(second):
        return rest[1:] == other[1:] or (len(rest) > 1 and rest[0] == other[1] and rest[1] == other[0] and rest[2:] == other[2:])
    return rest[1:] == other if len(first) > len(second) else rest == other[1:]
