# ruff: noqa: SIM905, E501 - word lists read as prose
"""Dates in text, in the many forms in which people write them, shifted in the same form or removed.

Which forms there are is in `date_forms`; elements whose VR is a date do not belong here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from tasks.deidentify.text.calendar import like, months, weekdays
from tasks.deidentify.text.date_forms import (
    BIRTH_CUE,
    DATED_BEFORE,
    DAY_FIRST_CLUE,
    FORMS,
    MIGHT_HOLD_A_DATE,
    MONTH_FIRST_CLUE,
    ROMAN,
    WEEKDAY_BEFORE,
)
from tasks.deidentify.text.fold import Text
from tasks.deidentify.text.span import Span

# Days that mean "no date" or an epoch. PRIVACY: shifting one would give the offset away (test_constants_are_not_shifted).
CONSTANTS = frozenset({date(1858, 11, 17), date(1899, 12, 30), date(1900, 1, 1), date(1970, 1, 1), date(9999, 12, 31)})
# Abbreviations of months that are words or names of sequences as well: they need a year, or a capital among small letters.
_AMBIGUOUS_MONTHS = frozenset(
    "may mar march set out dez dec mars mai ago sep jan lis lip pro gen abr led dub sty lut kwi maj cze sie wrz gru mag lug giu tem mei ene fev feb"
    " sept oct nov apr".split()
)


@dataclass(frozen=True, slots=True)
class DateContext:
    """How dates are treated, and what is known of the patient's own."""

    action: Literal["remove", "shift", "keep"]
    shift_days: int | None = field(repr=False)
    birth_dates: frozenset[date] = field(repr=False)
    own_dates: frozenset[date] = field(repr=False)

    @property
    def reference_year(self) -> int | None:
        """Return the year of the latest date of the sources: what a date without a year means."""
        return max(self.own_dates).year if self.own_dates else None


@dataclass(frozen=True, slots=True)
class _Read:
    """A date as it was read: the day (the middle of the month where the text names none), and what each group spells."""

    day: date
    precise: bool
    roles: Mapping[str, str]  # group of the match -> "d", "m", "y"


def find_dates(text: Text, context: DateContext) -> Iterator[Span]:
    """Yield one span per date of the text, with the shifted date in the same form as its replacement.

    PRIVACY: birth dates are removed whatever the action (tests/unit/test_text_dates.py::test_birth_dates_always_go).
    """
    low = text.low
    if not MIGHT_HOLD_A_DATE.search(low):
        return
    taken: list[tuple[int, int]] = []
    for form, pattern in FORMS:
        for match in pattern.finditer(low):
            start, end = match.span("all")
            if any(start < b and a < end for a, b in taken):
                continue
            span = _judge(form, match, text, context)
            if span is not None:
                taken.append((start, end))
                yield span


def _judge(form: str, match: re.Match[str], text: Text, context: DateContext) -> Span | None:
    start, end = match.span("all")
    whole = Span(text.place(start), text.place(end), "date")
    kept = Span(whole.start, whole.end, "", text.original(start, end))
    if form == "foreign":  # another calendar or a week: nothing that we can shift exactly
        return kept if context.action == "keep" else whole
    if "mon" in match.groupdict() and not _is_month(match, text):
        return None
    read = _read(match, text, context)
    if read is None:
        return None
    if (read.precise and read.day in context.birth_dates) or BIRTH_CUE.search(text.low[max(0, start - 28) : start]):
        return Span(whole.start, whole.end, "birth_date")
    if context.action == "keep" or read.day in CONSTANTS:
        return kept
    if context.action == "remove" or context.shift_days is None:
        return whole
    try:
        shifted = read.day + timedelta(days=context.shift_days)
    except OverflowError:
        return whole
    return _rewritten(match, text, read, shifted)


def _is_month(match: re.Match[str], text: Text) -> bool:
    """Say whether the month's name is one: `May 2014` and `3 May` are dates, `may be`, `MAR 2` and `SEP 12` are not."""
    if match["mon"] not in months():
        return False
    groups = match.groupdict()
    has_year, has_day = bool(groups.get("y")), bool(groups.get("d"))
    if has_year and has_day:
        return True
    written = text.original(*match.span("mon"))
    if match["mon"] in _AMBIGUOUS_MONTHS:
        if has_year:
            return len(groups["y"]) == 4 or not text.value.isupper()
        return written[:1].isupper() and not written.isupper()
    return has_year or len(match["mon"]) > 3 or (has_day and written[:1].isupper() and not written.isupper())


def _read(match: re.Match[str], text: Text, context: DateContext) -> _Read | None:
    groups = match.groupdict()
    if groups.get("a"):
        return _read_ambiguous(match, text.low, context)
    if groups.get("y"):
        year = _year(groups["y"], context)
    elif context.reference_year is not None:
        year = context.reference_year
    else:
        year = 2000  # no year anywhere: a leap year serves, since none is written back
    month = _month(groups)
    day = int(groups["d"]) if groups.get("d") else 15
    try:
        return _Read(date(year, month, day), bool(groups.get("d") and groups.get("y")), {"d": "d", "m": "m", "y": "y"})
    except ValueError:
        return None


def _month(groups: Mapping[str, str | None]) -> int:
    if name := groups.get("mon"):
        return months()[name][0]
    if roman := groups.get("rom"):
        return ROMAN.index(roman) + 1
    return int(groups.get("m") or 0)


def _read_ambiguous(match: re.Match[str], low: str, context: DateContext) -> _Read | None:
    """Read `a/b/year`: what is a day of the patient's own wins, then what the value's other dates say, then the separator."""
    a, b, year = int(match["a"]), int(match["b"]), _year(match["y"], context)
    readings = []
    for day, month, roles in ((a, b, {"a": "d", "b": "m", "y": "y"}), (b, a, {"a": "m", "b": "d", "y": "y"})):
        try:
            readings.append(_Read(date(year, month, day), True, roles))
        except ValueError:
            continue
    if len(match["y"]) == 2 and not (len(match["a"]) == len(match["b"]) == 2) and match["s"] != "/":
        if match["s"] == "-" and readings and DATED_BEFORE.search(low[: match.start("all")]):
            return readings[-1] if len(readings) < 2 else readings[1]
        own = [r for r in readings if r.day in context.own_dates | context.birth_dates]
        return own[0] if own else None  # 1.2.14 is a version number unless it is a day that we know
    if len(readings) < 2 or a == b:
        return readings[0] if readings else None
    for known in (context.birth_dates, context.own_dates):
        own = [r for r in readings if r.day in known]
        if len(own) == 1:
            return own[0]
    if MONTH_FIRST_CLUE.search(low):
        return readings[1]
    if DAY_FIRST_CLUE.search(low):
        return readings[0]
    return readings[1] if match["s"] == "/" else readings[0]


def _year(written: str, context: DateContext) -> int:
    digits = "".join(c for c in written if c.isdigit())
    year = int(digits)
    if len(digits) > 2:
        return year
    latest = context.reference_year or 2035
    return 2000 + year if 2000 + year <= latest + 2 else 1900 + year


def _rewritten(match: re.Match[str], text: Text, read: _Read, shifted: date) -> Span:
    """Return the span of the date with the shifted day in its place: same order, widths, language, letter case."""
    groups = match.groupdict()
    first, last = match.span("all")
    edits: list[tuple[int, int, str]] = []
    if groups.get("d") or read.precise:
        offset = max(0, first - 24)
        before = WEEKDAY_BEFORE.search(text.low[offset:first])
        if before is not None and before["w"] in weekdays():
            a, b = offset + before.start("w"), offset + before.end("w")
            edits.append((a, b, like(text.original(a, b), _weekday(before["w"], read, shifted))))
            first = a
    numbers = {"d": shifted.day, "m": shifted.month, "y": shifted.year}
    padded = _is_padded(match, read)
    for group, role in read.roles.items():
        if groups.get(group):
            a, b = match.span(group)
            edits.append((a, b, _number_like(text.original(a, b), numbers[role], padded=padded)))
    if groups.get("mon"):
        a, b = match.span("mon")
        names = months()["jan" if match["mon"] == "may" and " " not in match["all"] else match["mon"]][1]
        edits.append((a, b, like(text.original(a, b), names[shifted.month - 1])))
    if groups.get("rom"):
        a, b = match.span("rom")
        edits.append((a, b, like(text.original(a, b), ROMAN[shifted.month - 1])))
    if groups.get("ord"):
        a, b = match.span("ord")
        teen = shifted.day // 10 == 1
        ending = "th" if teen else {1: "st", 2: "nd", 3: "rd"}.get(shifted.day % 10, "th")
        if match["ord"] == "er":  # 1er mars, but 2 mars
            ending = "er" if shifted.day == 1 else ""
        edits.append((a, b, like(text.original(a, b), ending)))
    pieces: list[str] = []
    position = first
    for a, b, new in sorted(edits):
        pieces += (text.original(position, a), new)
        position = b
    pieces.append(text.original(position, last))
    return Span(text.place(first), text.place(last), "date", "".join(pieces))


def _weekday(written: str, read: _Read, shifted: date) -> str:
    """Return the shifted day's name in the language of the written one; without a year the written one is counted from."""
    number, names = weekdays()[written]
    return names[shifted.weekday()] if read.precise else names[(number - 1 + (shifted - read.day).days) % 7]


def _is_padded(match: re.Match[str], read: _Read) -> bool:
    """Say whether days and months below ten are written with a zero here, as far as the date itself tells."""
    written = [match[g] for g, role in read.roles.items() if role != "y" and match.groupdict().get(g)]
    if any(len(w) == 1 for w in written):
        return False
    return any(w[0] == "0" for w in written) or "mon" not in match.groupdict() or " " not in match["all"]


def _number_like(sample: str, number: int, *, padded: bool) -> str:
    """Return the number as the sample is written: its width (if padded), its script, its apostrophe."""
    digits = [c for c in sample if c.isdigit()]
    text = f"{number % 100:02d}" if number > 99 and len(digits) == 2 else f"{number:02d}" if padded else str(number)
    zero = ord(digits[0]) - int(digits[0])
    if zero != ord("0"):
        text = "".join(chr(zero + int(c)) for c in text)
    return sample[: sample.index(digits[0])] + text
