"""All searches over one written object, turned into findings.

Searching itself is in `search`, `patterns`, `container`, `domains`.
"""

from __future__ import annotations

from datetime import date, timedelta

from tasks.model import Finding
from tasks.scan.charset import decode
from tasks.scan.container import flaws
from tasks.scan.dates import as_day, is_shifted, shift_between
from tasks.scan.derived import derivable_uids, telling_parts
from tasks.scan.direct import direct_identifiers
from tasks.scan.domains import declared_codes, misdeclared, strays, undecided
from tasks.scan.fuzzy import near_misses
from tasks.scan.identity import PUBLIC_DATES, SourceIdentity
from tasks.scan.patterns import shapes
from tasks.scan.search import search
from tasks.scan.vocabulary import is_placeholder
from tasks.scan.walk import Element, Walk

_SCORES = {
    "T1.exact": 1.0, "T1.squashed": 0.9, "T1.initial": 0.8, "T1.part": 0.7, "T1.hex": 1.0, "T1.base64": 1.0, "T1.encoded": 1.0,
    "T1.disguised": 0.9, "T1.number": 0.9,
}  # fmt: skip
FUZZY_SCORE = 0.45
"""Below what holds an object: a person decides about near misses (gate T1, ask)."""
_LONGEST_TEXT = 1 << 20
_BINARY = frozenset(("OB", "OW", "OF", "OD", "OL", "OV", "US", "SS", "UL", "SL", "FL", "FD", "UN", "SQ", "AT", "SV", "UV"))
_DATES = frozenset(("DA", "DT"))
_FREE_TEXT = frozenset(("LO", "SH", "ST", "LT", "UT", "UC", "UR", "PN"))
_STANDARD_TEXT = frozenset(
    (0x00080005, 0x00080070, 0x00081090, 0x00080100, 0x00080102, 0x00120063, 0x00181020, 0x00080103, 0x00080018, 0x00020013, 0x00100020)
)
"""Text whose content is a public code, a make, a version, or our own declaration."""


def scan_walk(walk: Walk, identity: SourceIdentity, sop_instance_uid: str) -> list[Finding]:
    """Return the findings of one object, each (place, kind, rule) once, in a stable order."""
    found: dict[tuple[str, str, str], float] = {}

    def add(place: str, kind: str, rule: str, score: float) -> None:
        key = (place, kind, rule)
        found[key] = max(score, found.get(key, 0.0))

    retained = _retained(walk)
    shift = _shift(walk, identity)
    for hit in search(walk, identity, shift):
        if hit.kind in retained:
            continue
        add(hit.place, hit.kind, hit.rule, _SCORES.get(hit.rule, 0.9))
    for flaw in flaws(walk, sop_instance_uid):
        add(flaw.place, flaw.kind, "T6.container", flaw.score)
    for index, stray in undecided(walk):
        add(walk.place(index), stray.kind, stray.rule, stray.score)
    for place, stray in misdeclared(walk):
        add(place, stray.kind, stray.rule, stray.score)
    for index, stray in direct_identifiers(walk):
        add(walk.place(index), stray.kind, stray.rule, stray.score)
    derivable = derivable_uids(identity)
    for index, element in enumerate(walk.elements):
        vr, length = element.vr, element.end - element.start
        if not length or length > _LONGEST_TEXT or vr in _BINARY:
            continue
        raw = walk.value(element)
        for stray in strays(element.tag, vr, raw):
            add(walk.place(index), stray.kind, stray.rule, stray.score)
        if vr == "UI":
            if derivable and not derivable.isdisjoint(raw.rstrip(b"\0 ").decode("latin-1").split("\\")):
                add(walk.place(index), "uid", "T5.derivable", 0.9)
            for kind in () if "uid" in retained else telling_parts(raw, identity):
                add(walk.place(index), kind, "T5.telling", 0.8)
        elif vr in _DATES and shift is not None and "date" not in retained and element.tag not in PUBLIC_DATES:
            if any(_is_astray(d, shift, identity) for d in map(as_day, raw.decode("latin-1").split("\\"))):
                add(walk.place(index), "date", "T10.offset", 0.6)
        elif vr in _FREE_TEXT and element.tag not in _STANDARD_TEXT:
            for kind, rule, score in _text_findings(element, raw, identity, shift):
                add(walk.place(index), kind, rule, score)
    return [Finding(sop_instance_uid, place, kind, rule, score) for (place, kind, rule), score in sorted(found.items())]


_RETAINED = {"113106": ("date",), "113109": ("device_serial", "station"), "113110": ("uid",), "113112": ("organization", "address")}


def _retained(walk: Walk) -> frozenset[str]:
    """Return the kinds that the object itself declares to keep (CID 7050 retain options): they are no leftovers.

    PRIVACY: whoever declares more than the policy retains is caught by what the manifest says of every object, not here.
    """
    return frozenset(kind for code in declared_codes(walk) for kind in _RETAINED.get(code, ()))


def _is_astray(day: date | None, shift: timedelta, identity: SourceIdentity) -> bool:
    """Say whether a released day is none of the source's days, moved by the patient's offset; 1900-01-01 stands for no day."""
    return day is not None and day != date(1900, 1, 1) and not is_shifted(day, shift, identity.dates)


def _shift(walk: Walk, identity: SourceIdentity) -> timedelta | None:
    days = [walk.value(e).strip(b" \0").decode("latin-1")[:8] for e in walk.elements if e.tag == 0x00080020 and e.parent < 0]
    return shift_between(identity.study_dates, [d for d in days if d])


def _text_findings(element: Element, raw: bytes, identity: SourceIdentity, shift: timedelta | None) -> list[tuple[str, str, float]]:
    text = decode(raw, "ISO_IR 192").strip(" \0")
    if element.vr == "PN":
        return [] if is_placeholder(text) or _is_pseudonym(text) else [("person_name", "T3.name", 0.9)]
    findings = [(kind, "T1.fuzzy", FUZZY_SCORE) for kind in near_misses(text, identity)]
    for shape in shapes(text):
        if shape.kind != "date":
            findings.append((shape.kind, "T3.shape", shape.score))
            continue
        day = as_day(shape.day)
        if day and not is_shifted(day, shift, identity.dates):
            # a day in text that is neither the source's nor the source's moved by the offset: for the reviewer only
            findings.append(("date", "T3.date", 0.4))
    return findings


def _is_pseudonym(text: str) -> bool:
    """A released person name is a code: it has digits, or no lower-case run and no separator between two words."""
    stripped = text.replace("^", "").replace("=", "")
    return any(c.isdigit() for c in stripped) or (stripped.isalnum() and len(stripped) >= 16)
