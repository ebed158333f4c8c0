# ruff: noqa: SIM905, E501 - word lists read as prose; a row of the table is one pattern
"""Names that nothing announces: listed ones, and words written as names that no vocabulary holds (`Kowaldrich was informed`).

How freely depends on the language of the value: English has small letters for nouns and a large vocabulary here, German has
neither, the others have the former. Announced names are found in `persons`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from tasks.deidentify.text.eponyms import is_of_something
from tasks.deidentify.text.fold import Text
from tasks.deidentify.text.person_cues import DOES
from tasks.deidentify.text.span import Span
from tasks.deidentify.text.vocabulary import census_names, eponyms, is_clinical, is_joined, is_known, is_name, is_only_name

_Language = Literal["english", "german", "other", "unclear"]

_WORD = re.compile(r"(?<![\w-])[^\W\d_]+(?:['’-][^\W\d_]+)*(?![\w-])")
_PIECE = re.compile(r"[^\W\d_]+")
_GERMAN = frozenset(
    "der die das dem den des und mit ohne nach bei zur zum vom ist nicht kein keine bitte fur im wegen seit als auf eine einer links rechts durch von".split()
)
_OTHERS = frozenset(
    "les des une est avec sans pour dans sur pas chez los las con sin para por una del della dei delle nel alla non het een van bij voor niet og med uten til och utan"
    " ikke inte nao com sem uma dos das ao um su lo al se el la le il et du au par ne son sa aux en y e di da na w z ze dla do od przez och av pa for hos".split()
)
_NOT_ENGLISH = _GERMAN | (_OTHERS - frozenset("son do for la sa al e z w non lo em med un pa av".split())) | {"am"}
_AGENT = re.compile(r"\b(?:by|called|told|asked|paged|informed|notified)$")
_SHORTEST, _SHORTEST_CAPITALS, _SHORTEST_COINED, _SHORTEST_SMALL = 4, 5, 5, 5
_ACCOUNT = re.compile(r"(?<![\w.-])(?P<letters>[a-z]{5,20})\d{1,3}(?![\w.-])")
_PAIR = re.compile(r"\s*(?P<a>[a-z]{4,})/(?P<b>[a-z]{4,})(?![\w/-])")
_VOWEL = re.compile(r"[aeiouy]")


def find_lone(text: Text, *, prose: bool) -> Iterator[Span]:
    """Yield listed names that are nothing else, and words that are written as names and that nobody knows.

    PRIVACY: a few product names go with them; a person's name that nothing announces is worth more
    (test_unannounced_names_go_from_prose).
    """
    matches = list(_WORD.finditer(text.low))
    if matches:
        reader = _Reader(text, matches, prose=prose)
        for match in matches:
            word = match[0].removesuffix("'s").removesuffix("’s")
            if len(word) > 2 and reader.is_name(match, word):
                yield Span(text.place(match.start()), text.place(match.start() + len(word)), "person")
        if prose and reader.language in ("english", "unclear"):
            yield from _accounts(text)
    yield from _glued(text)


def _accounts(text: Text) -> Iterator[Span]:
    """Yield what is written in small letters alone: account names (`kovacsb22`), two names at the beginning (`liander/okwuosa`)."""
    pair = _PAIR.match(text.value)
    if pair is not None and not any(is_known(word) or word in eponyms() for word in (pair["a"], pair["b"])):
        yield from (Span(*pair.span(name), "person") for name in "ab")
    for match in _ACCOUNT.finditer(text.value):
        word = match["letters"]
        if not is_known(word) and not is_known(word.rstrip("s")) and word not in eponyms():
            yield Span(*match.span(), "user")


class _Reader:
    """What one value as a whole says of its words: its language, and whether it is written in capitals."""

    def __init__(self, text: Text, matches: list[re.Match[str]], *, prose: bool) -> None:
        self.text, self.prose = text, prose
        self.shouting = text.value.isupper()
        self.language = _language(text, matches)
        self.written = {m.start(): text.original(*m.span()) for m in matches}

    def is_name(self, match: re.Match[str], word: str) -> bool:
        text, end = self.text, match.start() + len(word)
        written = self.written[match.start()][: len(word)]
        if is_of_something(text.low, match.start(), end):
            return False
        pieces = [p for p in re.split(r"[-'’]", word) if p]
        if not written[:1].isupper():
            small = self.prose and self.language == "english" and written.islower()
            return small and (_is_small_name(word) or self._signs(match, word))
        only = is_only_name(word) or all(is_only_name(p) for p in pieces)
        if only and (is_name(word) or len(word) >= (_SHORTEST if self.prose and not self.shouting else _SHORTEST_COINED)):
            return True
        if text.low[end : end + 1] == ":":
            return False  # a label
        if len(pieces) > 1 and _is_double_name(word, pieces):
            return True
        if self.language == "english":
            return self._is_unknown(word, pieces, written) or (self.prose and self._has_a_names_capital(match, word))
        return self.language == "other" and self.prose and self._is_unknown(word, pieces, written) and self._amid_small_letters(match)

    def _signs(self, match: re.Match[str], word: str) -> bool:
        """Say whether a word in small letters that nobody knows begins a value as an account does: `kowaldr: repeated`."""
        before = self.text.low[: match.start()].strip()
        if (before.endswith(("-", "–", "--")) or before[-1:].isdigit()) and not self.text.low[match.end() :].strip(" ."):
            return len(word) >= _SHORTEST_SMALL and not is_known(word) and word not in eponyms()  # a signature
        begins = not before
        after = self.text.low[match.end() : match.end() + 1] == ":" or DOES.match(self.text.low, match.end())
        return begins and bool(after) and len(word) >= _SHORTEST_SMALL and not is_known(word) and word not in eponyms()

    def _is_unknown(self, word: str, pieces: list[str], written: str) -> bool:
        if self.shouting:
            as_name = len(word) >= _SHORTEST_CAPITALS + (not self.prose) and _VOWEL.search(word[1:-1]) is not None
        else:
            as_name = len(word) >= (_SHORTEST if self.prose else _SHORTEST_COINED) and all(
                p[:1].isupper() and (p[1:].islower() or len(p) == 1) for p in re.split(r"[-'’]", written) if p
            )
        return as_name and word not in eponyms() and not is_joined(word) and not any(is_known(p) or p in eponyms() for p in pieces)

    def _has_a_names_capital(self, match: re.Match[str], word: str) -> bool:
        """Say whether a listed name that is a word as well has a capital that only a name has here: `told Grace to rest`."""
        if not is_name(word) or is_clinical(word) or self.written[match.start()].isupper():
            return False
        if word in eponyms():
            return _AGENT.search(self.text.low[: match.start()].rstrip()) is not None  # by Johnson, not: for Johnson criteria
        return self._amid_small_letters(match)

    def _amid_small_letters(self, match: re.Match[str]) -> bool:
        """Say whether a word begins no sentence, in a value where most words have small letters."""
        before = self.text.low[: match.start()].rstrip()
        if not before or before[-1] in ".:;!?-/([\n>*^":
            return False
        others = [w for at, w in self.written.items() if at != match.start() and len(w) > 2]
        return sum(o[:1].islower() for o in others) * 2 > len(others)


def _is_small_name(word: str) -> bool:
    return is_only_name(word) and not is_known(word) and len(word) >= _SHORTEST_SMALL - is_name(word)


def _is_double_name(word: str, pieces: list[str]) -> bool:
    """Say whether a word with hyphens is two family names (`Bernard-Wilson`), and no pair that medicine knows (`Bland-Altman`)."""
    if word in eponyms() or any(len(p) < 3 for p in pieces) or all(is_clinical(p) for p in pieces):
        return False
    if all(is_name(p) or p in census_names() for p in pieces):
        return True
    strange = any(is_only_name(p) or not (is_known(p) or p in eponyms()) for p in pieces)
    return strange and not any(is_clinical(p) or len(p) < _SHORTEST for p in pieces)


def _glued(text: Text) -> Iterator[Span]:
    """Yield listed names between low lines and digits: `20110301_OKONKWO_HEAD`."""
    if "_" not in text.low and "^" not in text.low:
        return
    for match in _PIECE.finditer(text.low):
        beside = text.low[match.start() - 1 : match.start()] + text.low[match.end() : match.end() + 1]
        if len(match[0]) >= _SHORTEST_COINED and any(c in "_^" for c in beside) and is_only_name(match[0]):
            if is_known(match[0]) or not text.original(*match.span())[:1].isupper():
                continue
            yield Span(text.place(match.start()), text.place(match.end()), "person")


def _language(text: Text, matches: list[re.Match[str]]) -> _Language:
    """Say whether most words are English or clinical and none belongs to another language, or which other one speaks."""
    found = {m[0] for m in matches}
    if found & _NOT_ENGLISH:
        german = len(found & _GERMAN)
        return "german" if german >= len(found & _OTHERS) and german else "other"
    if len(matches) < 2:
        return "unclear"
    others = [m for m in matches if not is_only_name(m[0])] or matches
    known = sum(all(is_known(p) or p in eponyms() or len(p) < 3 for p in re.split(r"[-'’]", m[0])) for m in others)
    foreign = any(not text.original(*m.span()).isascii() and text.original(*m.span()).islower() for m in matches)
    return "english" if known * 2 >= len(others) and known and not foreign else "unclear"
