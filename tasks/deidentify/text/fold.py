# ruff: noqa: SIM905, E501 - word lists read as prose
"""Spelling-insensitive forms of text: case, accents, transliterations, look-alike characters.

Finding anything in text does not belong here.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

_LETTERS = {
    "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i", "ŋ": "n", "ħ": "h", "ĸ": "k", "’": "'", "ʼ": "'", "‘": "'",
}  # fmt: skip
_CYRILLIC = dict(zip("абвгдезийклмнопрстуфыэіїєґўѣ", "a b v g d e z i i k l m n o p r s t u f y e i i e g u e".split(), strict=True)) | {
    "ё": "e", "ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ь": "", "ю": "yu", "я": "ya",
}  # fmt: skip
_GREEK = dict(zip("αβγδεζηικλμνξοπρσςτυφω", "a v g d e z i i k l m n x o p r s s t y f o".split(), strict=True)) | {
    "θ": "th", "χ": "ch", "ψ": "ps",
}  # fmt: skip
_ROMAN = _CYRILLIC | _GREEK
_LOOKALIKES = str.maketrans(
    {
        "0": "o",
        "1": "l",
        "i": "l",
        "|": "l",
        "!": "l",
        "5": "s",
        "$": "s",
        "8": "b",
        "4": "a",
        "@": "a",
        "3": "e",
        "2": "z",
        "6": "g",
        "7": "t",
    }
)
# Latin, Greek, Cyrillic and presentation forms; Hangul and kana keep their marks, which are not accents.
_DECOMPOSED = re.compile(r"[\u0000-\u058f\u1e00-\u218f\ufb00-\ufdff\ufe70-\uffef]")
_GERMAN = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a"))


@dataclass(frozen=True, slots=True)
class Text:
    """One value with its folded form; `low` is what patterns are matched against."""

    value: str = field(repr=False)
    low: str = field(repr=False)
    places: list[int] | None = field(repr=False)

    @classmethod
    def of(cls, value: str) -> Text:
        return cls(value, *fold(value))

    def place(self, index: int) -> int:
        """Return the place in `value` of a place in `low`."""
        return index if self.places is None else self.places[index]

    def original(self, start: int, end: int) -> str:
        """Return the characters of `value` behind `low[start:end]`."""
        return self.value[self.place(start) : self.place(end)]


@lru_cache(maxsize=8192)
def _fold_character(character: str) -> str:
    if character in _LETTERS:
        return _LETTERS[character]
    lowered = character.lower()
    if lowered in _LETTERS:
        return _LETTERS[lowered]
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if not _DECOMPOSED.match(lowered):
        return "" if unicodedata.combining(lowered[:1] or " ") else lowered
    base = "".join(c for c in unicodedata.normalize("NFKD", lowered) if not unicodedata.combining(c))
    return "".join(_LETTERS.get(c, c) for c in base)


def fold(text: str) -> tuple[str, list[int] | None]:
    """Return the text in lower case without accents, and for each folded character its place in `text`.

    The places are None when the characters correspond one to one; the list has one more entry, the end of the text.
    """
    if text.isascii():
        return text.lower(), None
    pieces = [_fold_character(c) for c in text]
    if all(len(p) == 1 for p in pieces):
        return "".join(pieces), None
    places = [i for i, piece in enumerate(pieces) for _ in piece]
    places.append(len(text))
    return "".join(pieces), places


def folded(text: str) -> str:
    """Return the folded text alone."""
    return fold(text)[0]


def spellings(word: str) -> set[str]:
    """Return the folded forms under which one word of a name may be written: accents dropped, transliterated, romanised."""
    plain = folded(word)
    forms = {plain}
    lowered = word.lower()
    german = lowered
    for accented, letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("å", "aa"), ("ø", "oe")):
        german = german.replace(accented, letters)
    forms.add(folded(german))
    reverse = plain
    for letters, single in _GERMAN:
        reverse = reverse.replace(letters, single)
    if len(reverse) >= 4:
        forms.add(reverse)
    if any(c in _ROMAN for c in plain):
        forms.add("".join(_ROMAN.get(c, c) for c in plain))
    return {form for form in forms if form}


def lookalike(word: str) -> str:
    """Return a folded word with the characters united that a scanner or a typist confuses (0/o, 1/l/i, 5/s, rn/m)."""
    return word.translate(_LOOKALIKES).replace("rn", "m").replace("vv", "w")
