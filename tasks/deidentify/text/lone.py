# ruff: noqa: SIM905, E501 - word lists read as prose
"""Names that nothing announces: listed ones, and words written as names that no vocabulary holds (`Kowaldrich was informed`).

The latter only in English prose: elsewhere every noun has a capital, or our vocabulary is too small. Announced names are
found in `persons`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.deidentify.text.eponyms import is_of_something
from tasks.deidentify.text.fold import Text
from tasks.deidentify.text.span import Span
from tasks.deidentify.text.vocabulary import eponyms, is_clinical, is_known, is_name, is_only_name

_WORD = re.compile(r"(?<![\w-])[^\W\d_]+(?:['’-][^\W\d_]+)*(?![\w-])")
_OTHER_LANGUAGES = frozenset(
    "der die das und mit ohne nach bei zur zum ist nicht kein keine les des une est avec sans pour dans sur pas chez los las con sin para por una del della dei delle"
    " nel alla non het een van bij voor niet og med uten til och utan ikke inte nao com sem uma dos das ao um bitte fur im am wegen se al su lo de".split()
)
_AGENT = re.compile(r"\b(?:by|called|told|asked|paged|informed|notified)$")
_SHORTEST, _SHORTEST_CAPITALS = 4, 6


def find_lone(text: Text, *, prose: bool) -> Iterator[Span]:
    """Yield listed names that are nothing else, and in English prose the words that are written as names and nobody knows.

    PRIVACY: a few product names go with them; a person's name that nothing announces is worth more
    (test_unannounced_names_go_from_prose).
    """
    matches = list(_WORD.finditer(text.low))
    named = [m for m in matches if text.original(*m.span())[:1].isupper()]
    if not named:
        return
    english = prose and _is_english(text, matches)
    shouting = text.value.isupper()
    for match in named:
        word = match[0].removesuffix("'s").removesuffix("’s")
        end = match.start() + len(word)
        pieces = [p for p in re.split(r"[-'’]", word) if p]
        if len(word) < 3 or text.low[end : end + 1] == ":" or is_of_something(text.low, match.start(), end):
            continue  # a label, or a thing
        if (
            all(is_only_name(p) for p in pieces)
            or is_only_name(word)
            or (
                english
                and (
                    _is_unknown(word, pieces, text.original(match.start(), end), shouting=shouting)
                    or _is_capitalised_name(word, match, text)
                )
            )
        ):
            yield Span(text.place(match.start()), text.place(end), "person")


def _is_english(text: Text, matches: list[re.Match[str]]) -> bool:
    """Say whether most words are English or clinical, and none belongs to another language."""
    if len(matches) < 2 or any(m[0] in _OTHER_LANGUAGES for m in matches):
        return False
    known = sum(all(is_known(p) or p in eponyms() or len(p) < 3 for p in re.split(r"[-'’]", m[0])) for m in matches)
    return known * 2 >= len(matches) and not any(
        not text.original(*m.span()).isascii() and text.original(*m.span()).islower() for m in matches
    )


def _is_unknown(word: str, pieces: list[str], written: str, *, shouting: bool) -> bool:
    if shouting:
        as_name = len(word) >= _SHORTEST_CAPITALS
    else:
        as_name = len(word) >= _SHORTEST and all(
            p[:1].isupper() and (p[1:].islower() or len(p) == 1) for p in re.split(r"[-'’]", written) if p
        )
    return as_name and word not in eponyms() and not any(is_known(p) or p in eponyms() for p in pieces)


def _is_capitalised_name(word: str, match: re.Match[str], text: Text) -> bool:
    """Say whether a listed name that is a word as well has a capital that only a name has here: `told Grace to rest`."""
    if not is_name(word) or is_clinical(word) or text.original(*match.span()).isupper():
        return False
    before = text.low[: match.start()].rstrip()
    if word in eponyms():
        return _AGENT.search(before) is not None  # by Johnson, not: for Johnson criteria
    if not before or before[-1] in ".:;!?-/([\n>*^":
        return False
    others = [text.original(*m.span()) for m in _WORD.finditer(text.low) if m.start() != match.start() and len(m[0]) > 2]
    return sum(o[:1].islower() for o in others) * 2 > len(others)
