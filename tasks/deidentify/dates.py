"""Dates and times: shifted by whole days with exact intervals, capped ages, malformed values refused (PS3.15 E.3.6, E.3.7).

Which attributes are dates does not belong here.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache

# Placeholders of systems, the same for everybody. PRIVACY: shifting one would give the offset away
# (tests/spec/test_dates.py::test_constants_are_not_shifted).
CONSTANTS = frozenset(("00010101", "15821015", "18000101", "18581117", "18991230", "18991231", "19000101", "99991231"))
# Clocks that were never set: constants too, unless the study itself is of that time.
CLOCK_RESETS = ("19700101", "19800101", "19900101", "19950101", "19990101", "20000101", "20010101")
_DA = re.compile(r"(\d{4})(\d\d)(\d\d)")
_DA_OLD = re.compile(r"(\d{4})\.(\d\d)\.(\d\d)")
_TM = re.compile(r"([01]\d|2[0-3])(([0-5]\d)(([0-5]\d|60)(\.\d{1,6})?)?)?")
_TM_OLD = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d{1,6})?)?")
_DT = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:((?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?))?)?)?([+-](?:0\d|1[0-4])[0-5]\d)?"
)
_AS = re.compile(r"(\d{3})([DWMY])")


@lru_cache(maxsize=4096)
def shifted(vr: str, text: str, days: int, constants: frozenset[str] = CONSTANTS) -> str | None:
    """Return a DA or DT value moved by `days`, a DT with its precision and its offset from UTC; None when it is none.

    A DT without a day cannot be moved by days exactly: it is refused.
    """
    match = _DT.fullmatch(text) if vr == "DT" else _DA.fullmatch(text) or _DA_OLD.fullmatch(text)
    if match is None:
        return None
    year, month, day = match.group(1, 2, 3)
    if day is None:
        return None
    if year + month + day in constants:
        return text
    moved = _moved(int(year), int(month), int(day), days)
    if moved is None:
        return None
    rest = (match[4] or "") + (match[5] or "") if vr == "DT" else ""
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}{rest}"


def shifted_tm(text: str) -> str | None:
    """Return a TM value: offsets are whole days, so that the time of day stays. None when it is no time."""
    return text if _TM.fullmatch(text) or _TM_OLD.fullmatch(text) else None


def constants_beside(study_dates: frozenset[str]) -> frozenset[str]:
    """Return the dates that are nobody's in a study of these dates."""
    years = {int(d[:4]) for d in study_dates if _DA.fullmatch(d)}
    return CONSTANTS | {d for d in CLOCK_RESETS if all(abs(int(d[:4]) - year) > 2 for year in years)}


def day(text: str) -> date | None:
    """Return a DA value as a date, None when it is none."""
    match = _DA.fullmatch(text) or _DA_OLD.fullmatch(text)
    return _moved(int(match[1]), int(match[2]), int(match[3]), 0) if match else None


def is_valid(vr: str, text: str) -> bool:
    """Say whether a DA, TM or DT value is what its VR says."""
    if vr == "DA":
        match = _DA.fullmatch(text)
        return match is not None and _moved(int(match[1]), int(match[2]), int(match[3]), 0) is not None
    return (_TM if vr == "TM" else _DT).fullmatch(text) is not None


def capped_age(text: str, cap_years: int, *, older_than_cap: bool) -> str | None:
    """Return an AS value, `cap_years` for every age from there on or when the patient's timeline reaches it."""
    match = _AS.fullmatch(text)
    if match is None:
        return None
    years = age_years(text)
    # PRIVACY: a cap that held in one study only would tell the age in the others (tests/spec/test_dates.py).
    return f"{cap_years:03d}Y" if older_than_cap or years >= cap_years else text


def age_years(text: str) -> float:
    """Return an AS value in years, 0 when it is none."""
    match = _AS.fullmatch(text)
    return int(match[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[match[2]] if match else 0.0


def _moved(year: int, month: int, day: int, days: int) -> date | None:
    try:
        return date(year, month, day) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
