# ruff: noqa: SIM905, E501 - word lists read as prose
"""The numbers, places, contacts and device names of the source headers, found in text with other separators and padding.

Names are looked for in `own_names`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tasks.deidentify.identity import PatientIdentifiers
from tasks.deidentify.text.fold import Text, folded
from tasks.deidentify.text.span import Span
from tasks.deidentify.text.vocabulary import clinical, is_known, words

_SEPARATORS = r"[\s\-./_]?"
# Words of institutions and addresses that identify nobody on their own.
GENERIC_PLACE_WORDS = frozenset(
    "hospital hospitals clinic clinics medical center centre health healthcare university universitat universite general regional memorial community department"
    " dept radiology imaging diagnostic institute institut klinik klinikum krankenhaus unit ward street avenue road drive suite building floor room north south east west"
    " central national state county city school college research services service group system systems associates foundation trust care cancer heart children"
    " emergency er ed icu inpatient outpatient station office division section mri ct pet xray ultrasound nuclear medicine surgery oncology cardiology neurology"
    " orthopaedic orthopedic orthopaedics orthopedics pediatric paediatric veterans veteran va correctional facility high primary elementary middle secondary school academy infirmary district urgent family practice surgical dental rehabilitation rehab sports women womens mens childrens cardiovascular vascular breast spine pain sleep eye ent dermatology physicians specialists partners teaching royal none unknown test default main new saint san usa germany france austria canada box".split()
)


@dataclass(frozen=True, slots=True)
class OwnValues:
    """Patterns for the values of the headers that are no names and no dates."""

    patterns: tuple[tuple[str, re.Pattern[str]], ...] = field(repr=False)
    words: dict[str, str] = field(repr=False)  # a distinctive word of an institution or address -> kind

    @classmethod
    def of(cls, identifiers: PatientIdentifiers) -> OwnValues:
        patterns: list[tuple[str, re.Pattern[str]]] = []
        for kind, values in (("id", identifiers.ids), ("device", identifiers.devices)):
            alternatives = sorted({p for value in values if (p := _code_pattern(value))}, key=len, reverse=True)
            if alternatives:
                patterns.append((kind, re.compile("|".join(alternatives))))
        births = sorted({form for value in identifiers.birth_dates for form in _digits_of_day(value)})
        if births:
            patterns.append(("birth_date", re.compile(rf"(?<!\d)(?:{'|'.join(births)})(?!\d)")))
        phones = sorted({p for value in identifiers.contacts if (p := _phone_pattern(value))}, key=len, reverse=True)
        if phones:
            patterns.append(("phone", re.compile("|".join(phones))))
        places = sorted({p for value in identifiers.places for p in _phrases(value)}, key=len, reverse=True)
        if places:
            patterns.append(("institution", re.compile("|".join(places))))
        return cls(tuple(patterns), {word: "institution" for value in identifiers.places for word in _distinctive(value)})

    def find_codes(self, text: Text) -> Iterator[Span]:
        """Yield the places of ids and serial numbers alone: makers' names may be those of institutions."""
        for kind, pattern in self.patterns:
            if kind in ("id", "device"):
                yield from (Span(text.place(m.start()), text.place(m.end()), kind) for m in pattern.finditer(text.low))

    def find(self, text: Text) -> Iterator[Span]:
        """Yield the places of the values in the text."""
        for kind, pattern in self.patterns:
            for match in pattern.finditer(text.low):
                yield Span(text.place(match.start()), text.place(match.end()), kind)
        if self.words:
            for match in re.finditer(r"[^\W_]+", text.low):
                if match[0] in self.words:
                    yield Span(text.place(match.start()), text.place(match.end()), self.words[match[0]])


def _code_pattern(value: str) -> str:
    """Return a pattern for an id: leading zeros optional, separators free, not inside a longer number.

    Ids of three characters or fewer, and words of the vocabulary, are looked for with a cue only (`patterns`).
    """
    characters = [c for c in folded(value) if c.isalnum()]
    core = "".join(characters).lstrip("0")
    if (
        len(core) < 4
        or (core.isalpha() and (is_known(core) or len(core) < 5))
        or (core.isdigit() and len(core) == 4 and core[:2] in ("19", "20"))
    ):
        return ""
    body = _SEPARATORS.join(re.escape(c) for c in core)
    if core.isdigit():
        return rf"(?<!\d)(?<!\d[.,])0*{body}(?!\d)(?![.,]\d)" if len(core) >= 6 else rf"(?<![\w.,])0*{body}(?![\w]|[.,]\d)"
    return body if len(core) >= 8 else rf"(?<![^\W_])0*{body}(?![^\W_])"


def _phone_pattern(value: str) -> str:
    digits = [c for c in value if c.isdigit()]
    if len(digits) < 5:
        text = folded(value)
        return re.escape(text) if len(text) >= 6 and "@" in text else ""
    tail = digits[-7:]
    return r"(?:[+(]?\d[\d\s().\-/]{0,12})?" + r"[\s().\-/]{0,3}".join(tail) + r"(?!\d)"


def _digits_of_day(value: str) -> Iterator[str]:
    """Yield a day of birth as eight digits in the three orders in which people glue it to a name."""
    if len(value) == 8 and value.isdigit():
        year, month, day_ = value[:4], value[4:6], value[6:]
        yield from (year + month + day_, day_ + month + year, month + day_ + year)


def _phrases(value: str) -> Iterator[str]:
    for line in re.split(r"[\^\r\n~]+|,\s", folded(value)):
        tokens = re.findall(r"[^\W_]+", line)
        if len(tokens) >= 2 and any(t not in GENERIC_PLACE_WORDS and t not in clinical() for t in tokens):
            yield r"(?<![^\W_])" + r"[\W_]{1,3}".join(re.escape(t) for t in tokens) + r"(?![^\W_])"


def _distinctive(value: str) -> Iterable[str]:
    for token in re.findall(r"[^\W\d_]+", folded(value)):
        if len(token) >= 3 and token not in GENERIC_PLACE_WORDS and not is_known(token) and token not in words("english"):
            yield token
