"""What looks like PHI although nobody told us the value (T3): shapes with checks, over the texts of an object.

The patient's own values are searched for in `search`; the domains of values (T2) are in `domains`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from tasks.scan.dates import as_day
from tasks.scan.vocabulary import technical_words

_REMEMBERED_CHARACTERS = 256


class Shape(NamedTuple):
    """Something of this kind is in a text, this surely; `day` is the day when the kind is a date."""

    kind: str
    score: float
    day: str = ""


_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63})+")
_URL = re.compile(r"\b(?:https?|ftp|file|dicom)://([\w.-]+)|\bwww\.[\w-]+\.\w{2,}|\\\\[\w.-]+\\[\w$.-]+", re.I)
_PUBLIC_HOSTS = re.compile(
    r"(?:^|\.)(?:nema|dicomstandard|loinc|snomed|w3|hl7|ihe|radlex|rsna|dcmtk|cancerimagingarchive|doi|creativecommons)\.(?:org|net|info)$",
    re.I,
)
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{2,5}(?:[ .-]?\d{2,5}){1,4}"
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}-\d{3}-\d{4}|\d{3}\.\d{3}\.\d{4})(?![\w.-])"
)
_CUED_PHONE = re.compile(r"\b(?:tel|telephone|phone|mobile|cell|fax|pager|ph)\b\.? ?(?:no|nr|number|#)?[.:#]? ?\+?\d[\d ()./-]{4,}\d", re.I)
_SSN = re.compile(r"(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\d-])")
_NHS = re.compile(r"(?<!\d)(\d{3})[ -](\d{3})[ -](\d{4})(?!\d)")
_IPV4 = re.compile(r"(?<![\d.])((?:10|127)(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2})(?![\d.])")
_CUED_IP = re.compile(r"\b(?:ip|host|server|node|addr(?:ess)?)\b[ :=]*\d{1,3}(?:\.\d{1,3}){3}(?![\d.])", re.I)
_MAC = re.compile(r"(?<![\w:-])(?:[0-9a-f]{2}:){5}[0-9a-f]{2}(?![\w:-])|(?<![\w:-])(?:[0-9a-f]{2}-){5}[0-9a-f]{2}(?![\w:-])", re.I)
_CUED_ID = re.compile(
    r"\b(?:mrn|pid|ssn|nhs|dob|patient ?(?:id|no|nr|number|name)|medical record|acc(?:ession)?(?: ?(?:no|nr|number))|case ?(?:no|nr)"
    r"|hosp(?:ital)? ?(?:no|nr|id)|insurance)\b\.? ?(?:no|nr|number|#|is)?\.?[:#=]* ?(?=[\w-]*\d)[\w-]{4,}",
    re.I,
)
_TITLED = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Prof|Professor|Doctor|Herr|Frau|Mme|Mlle|Sr|Sra|Nurse)\b\.? (?:[A-Z]\. ?)?[A-ZÀ-Þ][a-zß-ÿ'’-]{2,}")
_REFERRED = re.compile(
    r"\b(?:ref(?:erred|erring)?|requested|performed|reported|dictated|read|signed|ordered|seen) by:? (?:[A-Z]\. ?)?[A-ZÀ-Þ][a-zß-ÿ'’-]{2,}"
)
_CARET = re.compile(r"(?<![\w^])[A-Za-zÀ-ÿ'-]{3,}\^[A-Za-zÀ-ÿ'-]{3,}(?![\w])")
_GPS = re.compile(
    r"(?<![\d.])-?\d{1,2}\.\d{4,}\s*°?\s*[NS]?\s*[,; ]\s*-?\d{1,3}\.\d{4,}\s*°?\s*[EW](?![\w.])"
    r"|\d{1,2}°\s?\d{1,2}['′]\s?[\d.]+[\"″]?\s?[NS]\b"
)
_STREET = re.compile(r"\b\d{1,5} (?:[A-Z][a-z]+ ){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way)\b")
_DAY_YMD = re.compile(r"(?<![\w.])((?:18|19|20)\d\d)([-/.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?![\d.]|[-/]\d)")
_DAY_DMY = re.compile(r"(?<![\w./-])(0?[1-9]|[12]\d|3[01])([-/.])(0?[1-9]|[12]\d|3[01])\2((?:18|19|20)\d\d)(?![\w/]|[-.]\d)")
_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_YEAR = r"((?:18|19|20)\d\d)"
_DAY_NAMED = re.compile(
    rf"\b(?:(\d{{1,2}})(?:st|nd|rd|th)?[. -]*({_MONTH})[. ,-]*{_YEAR}|({_MONTH})[. ]+(\d{{1,2}})(?:st|nd|rd|th)?,? +{_YEAR})\b", re.I
)
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NUMBER = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}


def shapes(text: str) -> tuple[Shape, ...]:
    """Return what looks like PHI in a text."""
    return _short_shapes(text) if len(text) <= _REMEMBERED_CHARACTERS else _shapes(text)


@lru_cache(maxsize=4096)
def _short_shapes(text: str) -> tuple[Shape, ...]:
    return _shapes(text)  # remembered: descriptions repeat from slice to slice


def _shapes(text: str) -> tuple[Shape, ...]:
    found: list[Shape] = []
    if "@" in text and _EMAIL.search(text):
        found.append(Shape("email", 0.95))
    text = text.replace("_", " ")  # descriptions use it as a space
    has_digit = any(c.isdigit() for c in text)
    if ("://" in text or "www." in text.lower() or "\\\\" in text) and any(
        not (m[1] and _PUBLIC_HOSTS.search(m[1])) for m in _URL.finditer(text)
    ):
        found.append(Shape("url", 0.9))
    if has_digit:
        found.extend(_numbers(text))
        found.extend(_dates(text))
    if _TITLED.search(text) or _REFERRED.search(text):
        found.append(Shape("person_name", 0.8))
    if "^" in text and any(_is_name(m[0]) for m in _CARET.finditer(text)):
        found.append(Shape("person_name", 0.8))
    return tuple(dict.fromkeys(found))


def _numbers(text: str) -> list[Shape]:
    found: list[Shape] = []
    if _PHONE.search(text) or _CUED_PHONE.search(text):
        found.append(Shape("phone", 0.8))
    if _SSN.search(text):
        found.append(Shape("national_id", 0.9))
    if any(_nhs_check(m[1] + m[2] + m[3]) for m in _NHS.finditer(text)):
        found.append(Shape("national_id", 0.8))
    if any(all(int(p) <= 255 for p in m[1].split(".")) for m in _IPV4.finditer(text)) or _CUED_IP.search(text):
        found.append(Shape("ip_address", 0.8))
    if _MAC.search(text):
        found.append(Shape("mac_address", 0.9))
    if _CUED_ID.search(text):
        found.append(Shape("identifier", 0.85))
    if _GPS.search(text):
        found.append(Shape("gps", 0.8))
    if _STREET.search(text):
        found.append(Shape("address", 0.8))
    return found


def _is_name(caret_text: str) -> bool:
    """Tell "Okafor^Ngozi" from the "Clinical^Neuro" of protocol trees: there one of the words is of the trade."""
    words = technical_words()
    return not any(part.lower() in words for part in re.split(r"[\^'-]", caret_text))


def _nhs_check(digits: str) -> bool:
    """Check an NHS number (modulus 11); one in eleven other numbers passes too."""
    rest = 11 - sum(int(d) * w for d, w in zip(digits[:9], range(10, 1, -1), strict=True)) % 11
    return rest != 10 and rest % 11 == int(digits[9]) and len(set(digits)) > 2


def _dates(text: str) -> list[Shape]:
    days: list[str] = []
    for m in _DAY_YMD.finditer(text):
        days.append(f"{m[1]}{m[3]}{m[4]}")
    for m in _DAY_DMY.finditer(text):
        first, second, year = int(m[1]), int(m[3]), m[4]
        if second <= 12:
            days.append(f"{year}{second:02}{first:02}")
        elif first <= 12:
            days.append(f"{year}{first:02}{second:02}")
    for m in _DAY_NAMED.finditer(text):
        dom, name, year = (m[1], m[2], m[3]) if m[1] else (m[5], m[4], m[6])
        days.append(f"{year}{_MONTH_NUMBER[name[:3].lower()]:02}{int(dom):02}")
    return [Shape("date", 0.6, day) for day in dict.fromkeys(days) if as_day(day)]
