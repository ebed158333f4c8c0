"""How an identifying value may be spelled, as byte strings to look for, each with the guard that keeps false alarms away.

Looking for them is in `search`; which values there are is in `identity`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import NamedTuple

from tasks.scan.dates import spelled_dates
from tasks.scan.derived import derivable_codes
from tasks.scan.identity import SourceIdentity
from tasks.scan.vocabulary import fold, is_placeholder, technical_words


class Guard:
    """When an occurrence counts: flags that combine, plain integers because every occurrence in every file is asked."""

    NONE = 0
    WORD = 1  # no letter or digit on either side
    NUMBER = 2  # no digit on either side
    UNDOTTED = 4  # no dot on either side: not inside a UID or a version
    TEXT = 8  # only in elements of text
    WHOLE = 16  # only as the whole value of an element of text
    LABEL = 32  # only in PN, LO, SH, ST, LT, UC, UT: never in coded strings or numbers
    LEFT_NUMBER = 64  # no digit before; anything may follow (a UID that was extended is still that UID)
    DAY = 128  # a date YYYYMMDD: nothing, or the digits of a time, may follow


class Needle(NamedTuple):
    """One spelling: lower-case bytes as latin-1 text, what it would give away, and when it counts."""

    spelling: str
    kind: str
    rule: str
    guard: int


def stands_alone(raw: bytes, first: int, last: int, guard: int) -> bool:
    """Say whether an occurrence is a word or number of its own, as its guard asks."""
    before, after = raw[first - 1 : first] if first else b"", raw[last : last + 1]
    if guard & Guard.WHOLE:
        return not before.isalnum() and not after.isalnum() and before != b"." and after != b"."
    if guard & Guard.WORD and (before.isalnum() or after.isalnum()):
        return False
    if guard & (Guard.NUMBER | Guard.DAY) and (before.isdigit() or after.isdigit()):
        return False
    if guard & Guard.LEFT_NUMBER and before.isdigit():
        return False
    return not (guard & Guard.UNDOTTED and before == b"." and raw[first - 2 : first - 1].isdigit())


_NAME_SPLIT = re.compile(r"[\^\s,.;\-_/&()'’`]+")
_TITLES = frozenset(("prof", "mrs", "miss", "herr", "frau", "mme", "mlle", "phd", "msc", "bsc", "dipl", "sir", "madam", "jun", "sen"))
_PARTICLES = frozenset(("the", "von", "van", "der", "den", "ter", "del", "las", "los"))
_TWO_LETTERS = {"ae": "äæ", "oe": "öøœ", "ue": "ü", "ss": "ß", "aa": "å", "ny": "ñ", "Ae": "ÄÆ", "Oe": "ÖØ", "Ue": "Ü", "Aa": "Å"}
_TRANSLITERATED = str.maketrans({letter: two for two, letters in _TWO_LETTERS.items() for letter in letters})
_SUBSCRIBER_DIGITS = 8
_PAIR_JOINS = (" ", "^", ",", ", ", "_", "-", ".", "^^")
_ALNUM = re.compile(r"[a-z0-9]+")


def spellings(identity: SourceIdentity) -> Iterator[Needle]:
    """Yield every spelling of every value of the identity."""
    for kind, value in identity.values:
        if kind.endswith("_bytes"):
            yield from _undecoded(kind.removesuffix("_bytes"), value)
        elif kind in ("patient_name", "person_name"):
            yield from _names(kind, value, identity.technical)
        elif kind != "birth_date" and value.strip().lower() not in identity.technical:
            yield from _identifiers(kind, value, identity.technical)
    birthdays = {value for kind, value in identity.values if kind == "birth_date"}
    for day in identity.dates | birthdays:
        for spelling in spelled_dates(day):
            guard = Guard.DAY | Guard.UNDOTTED if spelling.isdigit() else Guard.NUMBER | Guard.UNDOTTED
            yield Needle(_as_bytes(spelling), "birth_date" if day in birthdays else "date", f"T1.date:{day}", guard | Guard.TEXT)
    for kind, code, is_word in derivable_codes(identity):
        yield Needle(code, kind, "T5.derivable", Guard.WORD | Guard.TEXT if is_word else Guard.NONE)
    for uid in identity.uids:
        guard = Guard.LEFT_NUMBER | Guard.NUMBER if len(uid) >= 12 else Guard.WHOLE
        yield Needle(uid.lower(), "uid", "T5.source_uid", guard)


def transliterated(text: str) -> str:
    """Return a text as keyboards without its letters write it: Müller is Mueller."""
    return text if text.isascii() else text.translate(_TRANSLITERATED)


def name_parts(value: str) -> list[str]:
    """Return the letters-only parts of a PN value, folded, in order, each once; single letters and titles dropped."""
    parts: dict[str, None] = {}
    for part in _NAME_SPLIT.split(fold(value.replace("=", "^"))):
        if len(part) >= 2 and part not in _TITLES | _PARTICLES and any(c.isalpha() for c in part):
            parts[part] = None
    return list(parts)


def _names(kind: str, value: str, technical: frozenset[str]) -> Iterator[Needle]:
    words = technical_words().union(*(t.split() for t in technical))
    for group in dict.fromkeys(spelled for part in value.split("=") for spelled in (part, transliterated(part))):
        if is_placeholder(group):
            continue
        parts = name_parts(group)
        coded = any(c.isdigit() for c in group)  # a code in place of a name: its short pieces say nothing
        for part in parts:
            if len(part) > 3 or not coded:
                yield from _name_part(kind, part, words)
        yield from _disguised(group.strip(" ^"), kind)
        if not group.isascii():
            for part in _NAME_SPLIT.split(group):
                if not part.isascii() and len(part) >= 2:
                    yield from _encoded(part, kind, "T1.exact")
        strong = [p for p in parts if p not in words]
        for i, first in enumerate(parts[:3]):
            for second in parts[:3][:i] + parts[:3][i + 1 :]:
                if len(first) + len(second) < 5 or not (strong and first.isascii() and second.isascii()):
                    continue
                for join in _PAIR_JOINS:
                    yield Needle(first + join + second, kind, "T1.exact", Guard.WORD | Guard.TEXT)
                if len(first) >= 3 and len(second) >= 3:
                    yield Needle(first + second, kind, "T1.squashed", Guard.WORD)
                    yield from _disguised(first + " " + second, kind)
                    yield from _disguised(first + "^" + second, kind)
                if len(second) >= 5 and second not in words:
                    yield Needle(first[0] + second, kind, "T1.initial", Guard.WORD | Guard.LABEL)
                    yield Needle(second + first[0], kind, "T1.initial", Guard.WORD | Guard.LABEL)


def _name_part(kind: str, part: str, words: frozenset[str]) -> Iterator[Needle]:
    if not part.isascii():
        return
    if not part.isalpha():
        if len(part) >= 5 and not part.isdigit() and part.strip("0123456789") not in words:
            yield Needle(part, kind, "T1.exact", Guard.WORD | Guard.TEXT)
        return
    if len(part) < 3 or part in words or _is_compound(part, words):
        return
    yield Needle(part, kind, "T1.exact", Guard.WORD | (Guard.NONE if len(part) >= 5 else Guard.LABEL))
    if len(part) >= 5:
        yield from _wide(part, kind)
        yield from _disguised(part, kind)


def _is_compound(part: str, words: frozenset[str]) -> bool:
    """Say whether a part is two words of the trade written as one: HEADNECK."""
    return any(part[:i] in words and part[i:] in words for i in range(4, len(part) - 3))


def _encoded(part: str, kind: str, rule: str) -> Iterator[Needle]:
    """Yield a name in another script as the encodings that software writes."""
    for variant in {part, part.lower(), part.upper(), part.title()}:
        for codec in (
            "utf-8",
            "utf-16-le",
            "utf-16-be",
            "gb18030",
            "shift_jis",
            "euc_kr",
            "euc_jp",
            "iso8859_5",
            "iso8859_7",
            "iso8859_8",
            "latin-1",
        ):
            try:
                raw = variant.encode(codec)
            except UnicodeEncodeError:
                continue
            if len(raw) >= 4:
                yield _needle(raw, kind, rule, Guard.TEXT if len(raw) < 8 else Guard.NONE)
        yield from _disguised(variant, kind)


def _wide(text: str, kind: str) -> Iterator[Needle]:
    """Yield UTF-16 of a value in the cases that software writes."""
    for codec in ("utf-16-le", "utf-16-be"):
        for variant in {text, text.title(), text.upper()}:
            yield _needle(variant.encode(codec), kind, "T1.encoded", Guard.NONE)


def _undecoded(kind: str, value: str) -> Iterator[Needle]:
    """Yield the source's own bytes, in whatever character set they are."""
    for part in re.split(r"[\^=\\ ]+", value):
        raw = part.encode("latin-1", "replace")
        if len(raw) >= 4 and not raw.isascii():
            yield _needle(raw, kind, "T1.exact", Guard.TEXT if len(raw) < 8 else Guard.NONE)


def _identifiers(kind: str, value: str, technical: frozenset[str]) -> Iterator[Needle]:
    folded = fold(value)
    squashed = "".join(_ALNUM.findall(folded))
    if is_placeholder(squashed) or (folded in technical):
        return
    for spelling in {folded, squashed, squashed.lstrip("0")}:
        yield from _identifier(kind, spelling)
    digits = re.sub(r"\D", "", folded)
    if digits != squashed and len(digits) >= {"patient_id": 6, "accession_number": 6, "phone": 7}.get(kind, 9):
        for spelling in {digits, digits.lstrip("0")}:
            yield from _identifier(kind, spelling)
    if kind == "phone" and len(digits) > _SUBSCRIBER_DIGITS:
        yield Needle(digits[-_SUBSCRIBER_DIGITS:], kind, "T1.exact", Guard.LABEL)  # whatever codes stand before it
    if digits.isascii() and len(digits) >= 7:
        yield Needle(f"{int(digits):x}", kind, "T1.encoded", Guard.WORD | Guard.LABEL)
    if len(squashed) >= 6 and any(c.isdigit() for c in squashed):
        yield from _disguised(value.strip(), kind)
    if kind in ("organization", "address"):
        for word in _ALNUM.findall(folded):
            if len(word) >= 5 and word.isalpha() and word not in technical_words() and not any(word in t for t in technical):
                yield Needle(word, kind, "T1.part", Guard.WORD | Guard.LABEL)


def _identifier(kind: str, spelling: str) -> Iterator[Needle]:
    if not spelling.isascii() or is_placeholder(spelling):
        return
    length = len(spelling)
    if spelling.isdigit():
        if length >= (7 if kind == "study_id" else 5):
            guard = Guard.NUMBER | Guard.UNDOTTED | Guard.WORD
            yield Needle(spelling, kind, "T1.exact", guard if length >= 7 else guard | Guard.LABEL)
            if length >= 6:
                yield Needle(spelling, kind, "T1.exact", Guard.WHOLE)
                yield from _wide(spelling, kind)
        elif length == 4 and kind in ("patient_id", "accession_number"):
            yield Needle(spelling, kind, "T1.exact", Guard.WHOLE | Guard.LABEL)
        return
    words = _ALNUM.findall(spelling)
    if any(c.isdigit() for c in spelling):
        if length >= 6:
            yield Needle(spelling, kind, "T1.exact", Guard.WORD | (Guard.NONE if length >= 7 else Guard.TEXT))
            if length >= 7:
                yield from _wide(spelling, kind)
        elif length >= 4 and kind in ("patient_id", "accession_number", "record_number", "station"):
            yield Needle(spelling, kind, "T1.exact", Guard.WORD | Guard.LABEL if length == 5 else Guard.WHOLE | Guard.LABEL)
    elif length >= 5 and any(w not in technical_words() for w in words):
        yield Needle(spelling, kind, "T1.exact", Guard.WORD | Guard.LABEL)


def _disguised(text: str, kind: str) -> Iterator[Needle]:
    """Yield hex and base64 (three alignments) of a value in the cases that software writes."""
    for variant in {text, text.upper(), text.title()}:
        raw = variant.encode("utf-8")
        if len(raw) < 6:
            continue
        yield Needle(raw.hex(), kind, "T1.hex", Guard.NONE)
        for shift in range(3):
            coded = base64.b64encode(b"\0" * shift + raw).decode()
            inner = coded[(0, 2, 3)[shift] :].rstrip("=")
            inner = inner[:-1] if (shift + len(raw)) % 3 else inner
            if len(inner) >= 7:
                yield Needle(inner.lower(), kind, "T1.base64", Guard.NONE)


def _as_bytes(spelling: str) -> str:
    return spelling if spelling.isascii() else spelling.encode("utf-8").lower().decode("latin-1")


def _needle(raw: bytes, kind: str, rule: str, guard: int) -> Needle:
    return Needle(raw.lower().decode("latin-1"), kind, rule, guard)
