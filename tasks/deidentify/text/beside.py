"""Words that stand beside a name already found and are written as it is: second family names, middle names, initials.

How the first name was found does not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tasks.deidentify.text.eponyms import is_of_something
from tasks.deidentify.text.fold import Text
from tasks.deidentify.text.own_names import PARTICLES
from tasks.deidentify.text.person_cues import DEGREE_HERE, STOP
from tasks.deidentify.text.span import Span
from tasks.deidentify.text.vocabulary import is_clinical, is_known, is_name, is_only_name

_NAMES = frozenset(("person", "patient_name"))
_GAP = r"(?:\s(?:(?:de|la|del|van|von|der|san|st\.?|di|da|do|al|el|bin)\s)*|,\s?|-|\s?&\s?|\^|_|/|\s(?:and|y|e|und|et|og|och|i)\s)"
_AFTER = re.compile(rf"{_GAP}(?P<word>[^\W\d_]+(?:['’-][^\W\d_]+)*)(?![^\W_])")
_BEFORE = re.compile(rf"(?<![^\W_])(?P<word>[^\W\d_]+(?:['’-][^\W\d_]+)*){_GAP}$")
_TAIL = re.compile(r"\d{2,4}(?![\w])|\s?\((?:19|20)\d\d\)")  # KarinaDevi1988, Mevr. Jansen (1937)
_FARTHEST = 3  # words on either side


def find_beside(text: Text, found: Iterable[Span]) -> Iterator[Span]:
    """Yield the words beside the names of `found` that belong to them, one after the other."""
    names = [s for s in found if s.kind in _NAMES and s.end > s.start]
    if not names:
        return
    taken = [(s.start, s.end) for s in names]
    low, place = text.low, text.place
    index = {p: i for i, p in enumerate(text.places)} if text.places is not None else None
    for span in names:
        start, end = (index[span.start], index[span.end]) if index is not None else (span.start, span.end)
        at = end
        for _ in range(_FARTHEST):
            match = _AFTER.match(low, at)
            if match is None:
                break
            a, b = match.span("word")
            if not any(x <= place(a) and place(b) <= y for x, y in taken):
                stroke = low[at:a] == "/" and 2 <= b - a <= 3 and not is_known(low[a:b])  # PRANOWO/GB
                if not stroke and not _belongs(text, a, b, comma="," in low[at:a], after=True, small=text.original(start, end).islower()):
                    break
                yield Span(place(a), place(b), "person")
            at = b
        if digits := _TAIL.match(low, end):
            yield Span(place(end), place(digits.end()), "person")
        at = start
        for _ in range(_FARTHEST):
            offset = max(0, at - 40)
            match = _BEFORE.search(low[offset:at])
            if match is None:
                break
            a, b = offset + match.start("word"), offset + match.end("word")
            if not any(x <= place(a) and place(b) <= y for x, y in taken):
                if not _belongs(text, a, b, comma="," in low[b:at], after=False, small=text.original(start, end).islower()):
                    break
                yield Span(place(a), place(b), "person")
            at = a


def _belongs(text: Text, start: int, end: int, *, comma: bool, after: bool, small: bool) -> bool:
    word, written = text.low[start:end], text.original(start, end)
    bare = word.removesuffix("'s")
    if bare in STOP or bare in PARTICLES or is_of_something(text.low, start, end) or (text.low[end : end + 1] == ":" and not comma):
        return False
    if small and written.islower():  # vivaan assuncao
        return len(word) > 3 and not comma and not is_known(word)
    shouting = text.value.isupper()
    if 2 <= len(word) <= 3 and after and not comma and written.isupper() and not shouting:  # tech Kiaan KG
        return not is_known(word) and DEGREE_HERE.match(text.low, start) is None
    if len(word) < 3 or not written[:1].isupper() or (written.isupper() and not shouting and len(word) < 5):
        return False
    if is_only_name(word):
        return True
    if not after and (not start or text.low[:start].rstrip()[-1:] in ".;:!?-"):
        return False  # `Enfant Nonhlanhla`: what begins a sentence has a capital anyhow
    if is_known(word) or (comma and shouting):
        return is_name(word) and not is_clinical(word) and not shouting and not comma
    return len(word) > 3 or not shouting
