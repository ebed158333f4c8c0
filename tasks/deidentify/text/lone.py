# ruff: noqa: SIM905, E501 - word lists read as prose
"""Words that are written as names, that no vocabulary holds and that nothing announces: `Kowalczyk was informed`.

Only English prose is judged: elsewhere every noun has a capital, or our vocabulary is too small. Announced and listed names
are found in `persons`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.deidentify.text.eponyms import is_of_something
from tasks.deidentify.text.fold import Text
from tasks.deidentify.text.span import Span
from tasks.deidentify.text.vocabulary import eponyms, is_known

_WORD = re.compile(r"(?<![\w-])[^\W\d_]+(?:['’-][^\W\d_]+)*(?![\w-])")
_OTHER_LANGUAGES = frozenset(
    "der die das und mit ohne nach bei zur zum ist nicht kein keine les des une est avec sans pour dans sur pas chez los las con sin para por una del della dei delle"
    " nel alla non het een van bij voor niet og med uten til och utan ikke inte nao com sem uma dos das ao".split()
)
_SHORTEST, _SHORTEST_CAPITALS = 4, 6


def find_lone(text: Text) -> Iterator[Span]:
    """Yield the unknown words that are written as names in a text that is otherwise English.

    PRIVACY: a few product names go with them; a person's name that nothing announces is worth more
    (test_unannounced_names_go_from_prose).
    """
    matches = list(_WORD.finditer(text.low))
    if len(matches) < 2:
        return
    words = [m[0] for m in matches]
    if any(w in _OTHER_LANGUAGES for w in words):
        return
    known = sum(all(is_known(p) or p in eponyms() or len(p) < 3 for p in re.split(r"[-'’]", w)) for w in words)
    if known * 10 < len(words) * 6:
        return
    shouting = text.value.isupper()
    for match in matches:
        word = match[0].removesuffix("'s").removesuffix("’s")
        written = text.original(match.start(), match.start() + len(word)) if text.places is None else text.original(*match.span())
        pieces = [p for p in re.split(r"[-'’]", word) if p]
        if shouting:
            named = len(word) >= _SHORTEST_CAPITALS
        else:
            named = len(word) >= _SHORTEST and all(
                p[:1].isupper() and (p[1:].islower() or len(p) == 1) for p in re.split(r"[-'’]", written) if p
            )
        if not named or any(is_known(p) or p in eponyms() for p in pieces) or word in eponyms():
            continue
        if is_of_something(text.low, match.start(), match.start() + len(word)):
            continue
        yield Span(text.place(match.start()), text.place(match.start() + len(word)), "person")
