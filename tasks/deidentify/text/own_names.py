# ruff: noqa: SIM905, E501 - word lists read as prose; a row of the table is one pattern
"""The names that stand in the source headers, found in text in all their spellings.

Names that only the text knows do not belong here (`persons`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tasks.deidentify.text.eponyms import is_of_something
from tasks.deidentify.text.fold import Text, folded, lookalike, spellings
from tasks.deidentify.text.person_cues import DOES
from tasks.deidentify.text.span import Span
from tasks.deidentify.text.vocabulary import clinical, eponyms, is_known, words

PARTICLES = frozenset(
    "van von der den de la le du des del della di da dos das do el al bin ibn abu ben bat ter ten zu zum zur af av y e san saint st ste mac mc o d l".split()
)
_TITLES = frozenset("jr sr ii iii iv md phd mr mrs ms dr prof rn dds msc bsc mph facr frcr".split())
# Name values that are no names: what devices and de-identifiers write.
_PLACEHOLDERS = frozenset(
    "anonymous anonymized anonymised anon anonym deidentified unknown none test patient phantom phantome name qa qc noname unnamed volunteer subject"
    " doe dummy sample example demo case study service physician operator technologist technician radiologist user admin default doctor".split()
)
# "Parkinson's" alone is the disease, whatever the patient is called.
_DISEASES = frozenset(
    "parkinson alzheimer crohn hodgkin graves hashimoto huntington down addison cushing raynaud sjogren paget behcet".split()
)
# Names that are the first word of a description as well: `Young adult`, `Long bones`.
_BEGINS_A_VALUE = frozenset(
    "young long short black white brown green gray grey small little good best full new old rich strong sharp post may".split()
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_TOKEN = re.compile(r"[^\W_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_PERSON_BEFORE = re.compile(
    r"(?:\b(?:mr|mrs|ms|miss|dr|prof|patient|pt|name|herr|frau|mme|sr|sra|by|with|for|tech|md|rn)\b[.:]?\s*|[\^=])$"
)


@dataclass(frozen=True, slots=True)
class _Part:
    """One word of a name: how freely it may be cut out of a text."""

    strength: str  # "sure": wherever it stands; "word": a word as well; "clinical": clinical word; "short": two letters


@dataclass(frozen=True, slots=True)
class OwnNames:
    """Every spelling of the names of the headers, ready to look for."""

    parts: dict[str, _Part] = field(repr=False)
    glued: tuple[str, ...] = field(repr=False)  # johnsmith, smithj, jsmith; longest first
    accounts: frozenset[str] = field(repr=False)  # the short ones of them, looked for as whole words
    ideographs: tuple[str, ...] = field(repr=False)  # looked for without word boundaries
    near: dict[str, str] = field(repr=False)  # a part with one letter dropped -> the part
    alike: frozenset[str] = field(repr=False)  # look-alike forms of the parts
    alike_words: frozenset[str] = field(repr=False)  # of parts that are words: a digit has to be in them
    initials: frozenset[str] = field(repr=False)
    long_parts: tuple[str, ...] = field(repr=False)
    kind: str = "name"

    @classmethod
    def of(cls, names: Iterable[str], kind: str) -> OwnNames:
        """Compile PN strings (one component group each, carets between the components)."""
        parts: dict[str, _Part] = {}
        glued: set[str] = set()
        ideographs: set[str] = set()
        initials: set[str] = set()
        for name in names:
            components = [c for c in re.split(r"[\^,]", name)[:3] if c.strip()]  # prefix and suffix are no names
            if _CJK.search(name):
                ideographs |= _ideographs(components)
                continue
            tokens = [t for c in components for t in _WORD.findall(c)]
            if not tokens or all(folded(t) in _PLACEHOLDERS for t in tokens):
                continue
            kept = [t for t in tokens if folded(t) not in _PLACEHOLDERS | _TITLES]
            for token in kept:
                for form in spellings(token):
                    _add_part(form, parts, initials)
                    if "'" in form:
                        _add_part(form.replace("'", ""), parts, initials)
                        for piece in form.split("'"):
                            if len(piece) > 3:
                                _add_part(piece, parts, initials)
            glued |= _glued([min(spellings(t), key=lambda s: (len(s), s)) for c in components for t in _WORD.findall(c)])
            initials.add("".join(folded(t)[0] for t in kept))
        sure = [p for p, part in parts.items() if part.strength == "sure" and p not in eponyms()]
        near = {drop: p for p in sure if len(p) >= 6 for drop in _drops(p)}
        return cls(
            parts=parts,
            glued=tuple(sorted((g for g in glued if len(g) >= 6 and not is_known(g)), key=len, reverse=True)),
            accounts=frozenset(g for g in glued if len(g) < 6 and not is_known(g)),
            ideographs=tuple(sorted(ideographs, key=len, reverse=True)),
            near=near,
            alike=frozenset(lookalike(p) for p in sure if len(p) >= 5),
            alike_words=frozenset(lookalike(p) for p, part in parts.items() if part.strength == "word" and len(p) >= 5),
            initials=frozenset(initials),
            long_parts=tuple(p for p in sure if len(p) >= 5),
            kind=kind,
        )

    def find(self, text: Text) -> Iterator[Span]:
        """Yield the places of the names in the text."""
        low = text.low
        hits = list(self._words(text))
        sure = {(a, b) for a, b, certain in hits if certain}
        for a, b, certain in hits:
            if certain or self._stands_as_name(text, a, b, sure, hits):
                a, b = self._with_neighbours(text, a, b)
                yield Span(text.place(a), text.place(b), self.kind)
        for name in self.ideographs:
            start = low.find(name)
            while start >= 0:
                yield Span(text.place(start), text.place(start + len(name)), self.kind)
                start = low.find(name, start + 1)
        for name in self.glued:
            start = low.find(name)
            while start >= 0:
                yield Span(text.place(start), text.place(start + len(name)), self.kind)
                start = low.find(name, start + 1)

    def _words(self, text: Text) -> Iterator[tuple[int, int, bool]]:
        low = text.low
        for match in _WORD.finditer(low):
            word, start, end = match[0], match.start(), match.end()
            if word.endswith("'s"):
                word, end = word[:-2], end - 2
            part = self.parts.get(word)
            if part is None and len(word) > 5 and word[-1] == "s" and word[:-1] in self.parts:
                part, end = self.parts[word[:-1]], end - 1
            if part is not None:
                yield start, end, self._is_certain(part, word, text, start, end)
            elif word in self.accounts:
                yield start, end, True
            elif len(word) >= 5 and not is_known(word):
                if self._is_near(word):
                    yield start, end, True
                else:
                    for long in self.long_parts:
                        at = word.find(long)
                        if at >= 0:
                            yield start + at, start + at + len(long), True
        if self.alike or self.alike_words:
            for match in _TOKEN.finditer(low):
                token = match[0]
                if len(token) < 5 or token.isdigit() or (token.isalpha() and is_known(token)):
                    continue
                form = lookalike(token)
                if form in self.alike or (form in self.alike_words and not token.isalpha()):
                    yield match.start(), match.end(), True

    def _is_certain(self, part: _Part, word: str, text: Text, start: int, end: int) -> bool:
        written = text.original(start, end)
        if not written.isascii() and written[:1].isupper():
            return True  # Lê, as the header spells it: no word is written so
        if word in eponyms() and is_of_something(text.low, start, end) and not self._is_joined(text.low, start, end):
            return False
        if part.strength == "sure":
            return True
        if len(word) > 2 and (re.match(r"_?\d{6}", text.low[end : end + 7]) or re.search(r"\d{6}_?$", text.low[max(0, start - 7) : start])):
            return True  # 28111989SHORT
        possessive = text.low[end : end + 2] in ("'s", "’s") and written[:1].isupper() and word not in _DISEASES
        if possessive and word not in PARTICLES:
            return True
        if part.strength == "word":  # Young, Price: a name unless it is written as a word
            begins = start == 0 and word in _BEGINS_A_VALUE
            return written[:1].isupper() and not begins and (not text.value.isupper() or len(word) > 3)
        if part.strength == "short":
            return written[:1].isupper() and written[1:].islower() and not is_known(word)
        return False

    def _is_joined(self, low: str, start: int, end: int) -> bool:
        """Say whether a hyphen joins the word to another part of the name: Klausen-Johnson."""
        before, after = re.search(r"([^\W\d_]+)-$", low[:start]), re.match(r"-([^\W\d_]+)", low[end:])
        return any(match is not None and match[1] in self.parts for match in (before, after))

    def _is_near(self, word: str) -> bool:
        if word in self.near:
            return True
        return any(drop in self.near or (drop in self.parts and len(drop) >= 6) for drop in _drops(word)) if len(word) >= 6 else False

    def _stands_as_name(self, text: Text, start: int, end: int, sure: set[tuple[int, int]], hits: list[tuple[int, int, bool]]) -> bool:
        """Say whether a word that may be a name stands beside another part of the name, or where a name is announced."""
        low = text.low
        if low[start:end] in eponyms() and is_of_something(low, start, end):
            return False
        for a, b, _ in hits:
            if (a, b) != (start, end):
                between = low[b:start] if b <= start else low[end:a]
                if len(between) <= 3 and not any(c.isalnum() for c in between) and (a, b) and low[a:b] != low[start:end]:
                    return True
        announced = _PERSON_BEFORE.search(low, max(0, start - 12), start)
        if announced and text.original(start, end)[:1].isupper():
            modality = announced[0].rstrip() in ("mr", "ms", "dr") and text.original(*announced.span()).isupper()  # MR FOOT, DR CHEST
            if not modality:
                return True
        written = text.original(start, end)
        after = re.match(r",?\s*([a-z])(?:\.|\b)(?!\w)", low[end:])
        if (
            after
            and written[:1].isupper()
            and after[1] in {i[0] for i in self.initials if i} | {i[-1] for i in self.initials if i}
            and low[end : end + 1] in ", "
        ):
            return low[end + after.end() - 1 : end + after.end()] == "." or low[end] == ","
        if not low[:start].strip() and DOES.match(low, end):
            return True  # jack complained of
        before = re.search(r"(?:^|[\s(])([a-z])\.\s?$", low[:start])
        return bool(before and written[:1].isupper() and any(before[1] in i for i in self.initials))

    def _with_neighbours(self, text: Text, start: int, end: int) -> tuple[int, int]:
        """Widen a hit by the initials and particles of the name around it: `J. Smith`, `Smith, J.`, `van der Berg`."""
        low = text.low
        letters = {letter for i in self.initials for letter in i}
        while before := re.search(r"(?<![^\W_])([^\W\d_]{1,3})(\.[\s-]?|[\s-])$", low[:start]):
            word = before[1]
            particle = word in PARTICLES and word in self.parts
            initial = (
                len(word) == 1
                and word in letters
                and (before[2].startswith(".") or text.original(before.start(1), before.end(1)).isupper())
            )
            if not (particle or initial):
                break
            start = before.start(1)
        while after := re.match(r"(?:,\s?|\s|\^|\.)([^\W\d_])(\.|(?=$|[\s,;:)^]))", low[end:]):
            at = end + after.start(1)
            if after[1] not in letters or not (after[2] == "." or text.original(at, at + 1).isupper()):
                break
            end += after.end()
        return start, end


def _add_part(form: str, parts: dict[str, _Part], initials: set[str]) -> None:
    if len(form) == 1:
        initials.add(form)
        return
    if form in PARTICLES or form in clinical():
        parts.setdefault(form, _Part("clinical"))
    elif len(form) == 2:
        parts.setdefault(form, _Part("short"))
    elif form in words("english") or (len(form) == 3 and is_known(form)):
        parts.setdefault(form, _Part("word"))
    else:
        parts.setdefault(form, _Part("sure"))


def _glued(tokens: list[str]) -> set[str]:
    """Return the account-like forms of a name: johnsmith, smithjohn, jsmith, smithj, josmith."""
    forms: set[str] = set()
    for first in tokens:
        for second in tokens:
            if first is not second and len(second) >= 2:
                forms |= {
                    first + second,
                    first[:1] + second,
                    second + first[:1],
                    first[:2] + second,
                    second + first[:2],
                    first[:3] + second[:3],
                }
    return {f for f in forms if len(f) >= 4}


def _ideographs(components: list[str]) -> set[str]:
    cleaned = ["".join(c.split()) for c in components]
    found = {folded(c) for c in cleaned if len(c) >= 2}
    joined = folded("".join(cleaned[:2]))
    found.add(joined)
    found.add(folded(" ".join(cleaned[:2])))
    found.add(folded("\u3000".join(cleaned[:2])))
    found.add(folded("・".join(cleaned[:2])))
    if cleaned and len(cleaned[0]) == 1:
        found |= {folded(cleaned[0] + title) for title in ("さん", "様", "氏", "씨", "님", "先生", "女士", "小姐", "医师", "医生", "주임")}
    return found


def _drops(word: str) -> Iterator[str]:
    yield word
    for i in range(len(word)):
        yield word[:i] + word[i + 1 :]
