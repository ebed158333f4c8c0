"""Ids and days as numbers: in integers and floats of binary elements, in decimal strings, as seconds since 1970, digit by digit.

How ids and days are spelled in text is in `needles` and `dates`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from tasks.scan.dates import as_day, is_shifted
from tasks.scan.identity import SourceIdentity

_ID_KINDS = ("patient_id", "accession_number", "record_number", "phone")
_SURE, _LEAST = 10**6, 10**5  # smaller numbers count things; a million is nobody's counter, and in loose bytes only that counts
_LARGEST_EXACT = 2**53
_FEW = 4  # values of an element that may be a number by itself, not one of a table
_LONGEST = 1 << 16
_DTYPES = {"UL": "u4", "SL": "i4", "UV": "u8", "SV": "i8", "FL": "f4", "FD": "f8", "OL": "u4", "OV": "u8", "OD": "f8"}
_LOOSE = frozenset(("OB", "UN", "OW"))
_DAY_SECONDS = 86_400
_ZONE_SECONDS = 14 * 3600
_MANY_DIGITS = re.compile(rb"\d{6}|\d[eE]")
_SECONDS = re.compile(rb"(?<![\d.])(\d{10})(?:\d{3}|\.\d+)?(?![\d.])")


@dataclass(frozen=True, slots=True)
class Numerals:
    """The numbers of one identity: kind by value, and the days as values YYYYMMDD and as seconds."""

    kinds: dict[int, str]
    days: dict[int, str]  # YYYYMMDD -> kind
    digits: dict[bytes, str]  # a day as four bytes of two digits each -> YYYYMMDD


@lru_cache(maxsize=4)
def numerals_of(identity: SourceIdentity) -> Numerals:
    """Return the numbers to look for; built once per study."""
    kinds: dict[int, str] = {}
    for kind, value in identity.values:
        digits = "".join(c for c in value if c.isdigit() and c.isascii())
        if kind in _ID_KINDS and _LEAST <= int(digits or 0) < _LARGEST_EXACT and not _is_round(int(digits)):
            kinds.setdefault(int(digits), kind)
    birthdays = {value for kind, value in identity.values if kind == "birth_date"}
    days = {int(day): "birth_date" if day in birthdays else "date" for day in identity.dates | birthdays if as_day(day)}
    return Numerals(kinds, days, {bytes.fromhex(str(day)): str(day) for day in days})


def _is_round(number: int) -> bool:
    return number % 1000 == 0


def numbers_in(vr: str, raw: bytes, little_endian: bool, identity: SourceIdentity, shift: timedelta | None) -> set[tuple[str, str]]:
    """Return (kind, rule) of every id or day of the source that the value holds as a number. `shift`: of the released days."""
    looked_for = numerals_of(identity)
    found: set[tuple[str, str]] = set()
    if not (looked_for.kinds or looked_for.days) or len(raw) > _LONGEST:
        return found
    for values, sure in _values(vr, raw, little_endian):
        for number in values:
            kind = looked_for.kinds.get(number)
            if kind and (number >= _SURE or sure):
                found.add((kind, "T1.number"))
            if number in looked_for.days and not _moved(str(number), identity, shift):
                found.add((looked_for.days[number], "T1.date"))
    if vr in _LOOSE:
        found.update(
            (looked_for.days[int(day)], "T1.date")
            for packed, day in looked_for.digits.items()
            if packed in raw and not _moved(day, identity, shift)
        )
    elif vr in ("UL", "SL", "UV", "SV") and len(raw) <= 8 * _FEW:
        numbers = np.frombuffer(raw[: len(raw) // _size(vr) * _size(vr)], _order(little_endian) + _DTYPES[vr])
        found.update(kind for number in numbers.tolist() for kind in _second_of(number, identity, shift))
    elif vr in ("IS", "DS", "LO", "SH", "LT", "ST", "UT", "UC"):
        found.update(kind for match in _SECONDS.finditer(raw) for kind in _second_of(int(match[1]), identity, shift))
    return found


def _values(vr: str, raw: bytes, little_endian: bool) -> list[tuple[list[int], bool]]:
    """Return the whole numbers of a value, and whether each stands for itself (not for one of thousands of bytes)."""
    if vr in ("IS", "DS"):
        if not _MANY_DIGITS.search(raw):
            return []
        return [([int(v) for v in map(_number, raw.split(b"\\")) if v is not None], True)]
    if vr in _DTYPES:
        numbers = np.frombuffer(raw[: len(raw) // _size(vr) * _size(vr)], _order(little_endian) + _DTYPES[vr])
        return [(_whole(numbers), len(numbers) <= _FEW)]
    if vr in _LOOSE:
        return [(_whole(np.frombuffer(raw[at : at + (len(raw) - at) // 4 * 4], order + "u4")), False) for at in range(4) for order in "<>"]
    return []


def _whole(numbers: np.ndarray[Any, Any]) -> list[int]:
    with np.errstate(invalid="ignore"):
        large = numbers[(numbers >= _LEAST) & (numbers < _LARGEST_EXACT)]
        return sorted({int(n) for n in large.tolist() if n == int(n)})


def _size(vr: str) -> int:
    return int(_DTYPES[vr][1])


def _order(little_endian: bool) -> str:
    return "<" if little_endian else ">"


def _number(text: bytes) -> int | None:
    """Return a decimal string that is a whole number of enough digits."""
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if _LEAST <= value < _LARGEST_EXACT and value.is_integer() else None


def _moved(day: str, identity: SourceIdentity, shift: timedelta | None) -> bool:
    released = as_day(day)
    return released is None or is_shifted(released, shift, identity.dates)


def _second_of(number: float, identity: SourceIdentity, shift: timedelta | None) -> set[tuple[str, str]]:
    """Return what a number says when it is seconds since 1970: a moment of a day of the study, in whatever time zone."""
    found: set[tuple[str, str]] = set()
    for day in identity.study_dates:
        first = as_day(day)
        if first is None or _moved(day, identity, shift):
            continue
        start = datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()
        if start - _ZONE_SECONDS <= number < start + _DAY_SECONDS + _ZONE_SECONDS and number > 10**8:
            found.add(("date", "T1.date"))
    return found
