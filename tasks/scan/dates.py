"""Days as people and machines spell them, and whether a day in a de-identified object is the source's own.

Which elements hold dates is the walk's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

_MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"]

_MONTHS_ELSEWHERE = (
    "januar jänner jan janvier enero gennaio janeiro januari",
    "februar feber février fevrier febrero febbraio fevereiro februari",
    "märz maerz mars marzo março marco maart",
    "avril abril aprile april",
    "mai mayo maggio maio mei maj",
    "juni juin junio giugno junho",
    "juli juillet julio luglio julho",
    "août aout agosto augustus augusti",
    "septembre septiembre settembre setembro september",
    "oktober octobre octubre ottobre outubro",
    "novembre noviembre novembro november",
    "dezember décembre decembre diciembre dicembre dezembro december",
)
"""German, French, Spanish, Italian, Portuguese, Dutch, Swedish: what the English names do not cover."""


def spelled_dates(day: str) -> Iterator[str]:
    """Yield the spellings of a day YYYYMMDD, lower case; none that two digits of a year leave too short."""
    year, month, dom = day[:4], day[4:6], day[6:8]
    name = _MONTHS[int(month) - 1]
    short = name[:3]
    m, d = str(int(month)), str(int(dom))
    yield day
    for a, b in ((month, dom), (m, d)):
        for sep in "-/._":
            yield f"{year}{sep}{a}{sep}{b}"
            yield f"{b}{sep}{a}{sep}{year}"
            yield f"{a}{sep}{b}{sep}{year}"
    for sep in "/.-":
        yield f"{dom}{sep}{month}{sep}{year[2:]}"
        yield f"{month}{sep}{dom}{sep}{year[2:]}"
    for month_name in {name, short}:
        for a in {dom, d}:
            yield f"{a} {month_name} {year}"
            yield f"{a}. {month_name} {year}"
            yield f"{a}-{month_name}-{year}"
            yield f"{a}{month_name}{year}"
            yield f"{month_name} {a}, {year}"
            yield f"{month_name} {a} {year}"
            yield f"{a}-{month_name}-{year[2:]}"
            yield f"{a}{month_name}{year[2:]}"
    yield f"{dom}{month}{year}"
    yield f"{month}{dom}{year}"
    for foreign in _MONTHS_ELSEWHERE[int(month) - 1].split():
        for a in {dom, d}:
            yield f"{a} {foreign} {year}"
            yield f"{a}. {foreign} {year}"
            yield f"{a} de {foreign} de {year}"
    for a, b in ((month, dom), (m, d)):
        yield f"{year}年{a}月{b}日"
        yield f"{year}년 {a}월 {b}일"
    if the_day := as_day(day):
        iso = the_day.isocalendar()
        yield f"{year}-{the_day:%j}"
        yield f"{iso.year}-w{iso.week:02}-{iso.weekday}"
        yield f"{iso.year}w{iso.week:02}{iso.weekday}"


def as_day(text: str) -> date | None:
    """Return a DA, or the day of a DT, as a date; None when it is none."""
    if len(text) < 8 or not text[:8].isdigit():
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def shift_between(source_days: Iterable[str], released_days: Iterable[str]) -> timedelta | None:
    """Return the one offset that leads from the source's study date to the released one; None when either is not one day."""
    sources, released = set(source_days), set(released_days)
    if len(sources) != 1 or len(released) != 1:
        return None
    first, second = as_day(sources.pop()), as_day(released.pop())
    return second - first if first and second else None


def is_shifted(day: date, shift: timedelta | None, source_days: frozenset[str]) -> bool:
    """Say whether a released day is some day of the source, moved by the shift (and not that day itself)."""
    if not shift:
        return False
    try:
        return (day - shift).strftime("%Y%m%d") in source_days
    except OverflowError:
        return False
