"""Code strings that are what they claim: defined terms, enumerated values, and the words of which vendors make theirs.

A name or a number typed into a CS attribute is none of these. Other VRs do not belong here.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from tasks.deidentify.rules import read_table
from tasks.deidentify.text import vocabulary

# Attributes whose terms are one closed vocabulary: a word that is a term elsewhere is none here.
_CLOSED = frozenset(("BodyPartExamined", "Modality", "ModalitiesInStudy", "PatientSex", "PatientPosition", "Laterality", "ImageLaterality"))
_NUMBERS = {"ContextIdentifier": 5, "TemplateIdentifier": 5, "MappingResource": 0, "ImageType": 4, "FrameType": 4}
# A letter or three with a digit: T2, SAT1, FM3, B50, 2D, 3DFT, M128. No name and no medical record number is so short.
_SHORT = re.compile(r"[A-Z]{0,4}\d{1,2}[A-Z]{0,2}|[A-Z]\d{3}")
_DUMMIES = ("UNKNOWN", "OTHER", "NONE", "UNDEFINED", "MIXED", "NO", "N")


@lru_cache(maxsize=8192)
def is_term(keyword: str, value: str) -> bool:
    """Say whether a component of a CS value is a term that the attribute can have."""
    if not value:
        return True
    listed = _listed().get(keyword)
    if listed is not None and value in listed:
        return True
    if keyword in _CLOSED:
        return False
    digits = _NUMBERS.get(keyword, 0)
    if value.isdigit():
        return len(value) <= max(digits, 2)
    return all(_is_word(word) for word in re.split(r"[ _]+", value) if word)


def _is_word(word: str) -> bool:
    """Say whether a part of a term is one: of the standard's terms, a short acronym with a digit, or a word that is no name."""
    if word in _words() or _SHORT.fullmatch(word) or len(word) == 1:
        return True
    lower = word.lower()
    return (vocabulary.is_clinical(lower) or lower in vocabulary.words("english")) and not vocabulary.is_name(lower)


def is_listed(keyword: str, value: str) -> bool:
    """Say whether the standard itself names this term for this attribute."""
    return value in _listed().get(keyword, frozenset())


def dummy_term(keyword: str) -> str:
    """Return the least wrong term for a required attribute whose value is none of its terms."""
    listed = _listed().get(keyword, frozenset())
    if keyword == "Modality":
        return "OT"
    return next((term for term in _DUMMIES if term in listed), "OTHER")


@cache
def _listed() -> dict[str, frozenset[str]]:
    return {row["keyword"]: frozenset(row["terms"].split("|")) for row in read_table("code_strings.csv")}


@cache
def _words() -> frozenset[str]:
    words = {word for terms in _listed().values() for term in terms for word in re.split(r"[ _]+", term)}
    return frozenset(word for word in words if len(word) > 1)
