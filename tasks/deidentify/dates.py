"""Dates and times: shifted by whole days with exact intervals, capped ages, malformed values refused (PS3.15 E.3.6, E.3.7).

Which attributes are dates does not belong here.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache

# Placeholders of systems, the same for everybody. PRIVACY: shifting one would give the offset away
# (tests/spec/test_dates.py::test_constants_are_not_shifted).
CONSTANTS = frozenset(("00010101", "15821015", "18000101", "18581117", "18991230", "18991231", "19000101", "19700101", "99991231"))
_DA = re.compile(r"(\d{4})(\d\d)(\d\d)")
_DA_OLD = re.compile(r"(\d{4})\.(\d\d)\.(\d\d)")
_TM = re.compile(r"([01]\d|2[0-3])(([0-5]\d)(([0-5]\d|60)(\.\d{1,6})?)?)?")
_TM_OLD = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d{1,6})?)?")
_DT = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:((?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?))?)?)?([+-](?:0\d|1[0-4])[0-5]\d)?"
)
_AS = re.compile(r"(\d{3})([DWMY])")


@lru_cache(maxsize=4096)
def shifted_da(text: str, days: int) -> str | None:
    """Return a DA value moved by `days`; None when it is no date."""
    match = _DA.fullmatch(text) or _DA_OLD.fullmatch(text)
    if match is None:
        return None
    if "".join(match.groups()) in CONSTANTS:
        return text
    moved = _moved(*(int(g) for g in match.groups()), days)
    return f"{moved:%Y%m%d}".rjust(8, "0") if moved else None


def shifted_tm(text: str) -> str | None:
    """Return a TM value: offsets are whole days, so that the time of day stays. None when it is no time."""
    return text if _TM.fullmatch(text) or _TM_OLD.fullmatch(text) else None


@lru_cache(maxsize=4096)
def shifted_dt(text: str, days: int) -> str | None:
    """Return a DT value moved by `days`, with its precision and its offset from UTC; None when it is no date and time.

    A value without a day cannot be moved by days exactly: it is refused.
    """
    match = _DT.fullmatch(text)
    if match is None:
        return None
    year, month, day, time, zone = match.groups()
    if day is None:
        return None
    if year + month + day in CONSTANTS:
        return text
    moved = _moved(int(year), int(month), int(day), days)
    return f"{moved:%Y%m%d}".rjust(8, "0") + (time or "") + (zone or "") if moved else None


def is_valid(vr: str, text: str) -> bool:
    """Say whether a DA, TM or DT value is what its VR says."""
    if vr == "DA":
        match = _DA.fullmatch(text)
        return match is not None and _moved(*(int(g) for g in match.groups()), 0) is not None
    return (_TM if vr == "TM" else _DT).fullmatch(text) is not None


def capped_age(text: str, cap_years: int, older_than_cap: bool) -> str | None:
    """Return an AS value, `cap_years` for every age from there on or when the patient's timeline reaches it."""
    match = _AS.fullmatch(text)
    if match is None:
        return None
    years = int(match[1]) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[match[2]]
    # PRIVACY: a cap that held in one study only would tell the age in the others (tests/spec/test_dates.py).
    return f"{cap_years:03d}Y" if older_than_cap or years >= cap_years else text


def _moved(year: int, month: int, day: int, days: int) -> date | None:
    try:
        return date(year, month, day) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
