"""Texts as wards, desks and scanners write them, harder than those of `texts`: what fills a slot must go, every other word stays.

`hard/tuned.txt` was used to mend the engine, `hard/fresh.txt` never: when it is, write another and move it. The lines of
`hard/traps.txt` hold no identifier. Slots are filled with invented people.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from tests.bench.phi.people import People

_FOLDER = Path(__file__).parent / "hard"
# What fills a slot: <s> a family name, <g> a given one, <3> three digits, <A> a letter; \x01 and \x02 around what identifies in it.
_FORMS: dict[str, tuple[str, ...]] = {
    "other": ("<s>",),
    "othergiven": ("<g>",),
    "last2": ("<s>",),
    "city": ("<s>",),
    "acc2": ("A<7>",),
    "phone": (
        "(<3>) <3>-<4>",
        "<3>-<3>-<4>",
        "<3>.<3>.<4>",
        "+1 <3> <3> <4>",
        "+44 20 7<3> <4>",
        "07<3> <6>",
        "+49 89 <6>",
        "089/<6>",
        "+33 1 <2> <2> <2> <2>",
        "06.<2>.<2>.<2>.<2>",
        "+34 91 <3> <2> <2>",
        "+39 06 <4> <4>",
        "+81-3-<4>-<4>",
        "+91 98<3> <5>",
        "(11) <4>-<4>",
    ),
    "phone4": ("<3>-<4>",),
    "email": ("<small>.<small>@example.org", "<small><2>@example.net"),
    "company": ("<s> PLC", "<s> Inc", "<s>-<s>", "<s> Group", "<s> and Sons"),
    "hosp": (
        "\x01<s>\x02 Memorial Hospital",
        "St. \x01<s>\x02 Hospital",
        "\x01<s>\x02 Medical Center",
        "\x01<s>\x02 Community Hospital",
        "\x01<s>-<s>\x02 Clinic",
        "Royal \x01<s>\x02 Infirmary",
        "\x01<s>\x02 Urgent Care",
        "Universitätsklinikum \x01<s>\x02",
        "Hôpital \x01<s>\x02",
        "Ospedale \x01<s>\x02",
    ),
    "hosp_de": ("Klinikum \x01<s>\x02",),
    "hosp_it": ("Ospedale \x01<s>\x02",),
    "street_us": ("<4> <s> Street", "<3> <s> Ave Apt. <2>", "<5> <s> <s> Suite <3>", "<2> <s> Road"),
    "street_uk": ("<2> <s> Lane",),
    "street_de": ("<s>straße <2>",),
    "street_fr": ("<2>, rue <s>",),
    "street_es": ("Calle <s> <2>",),
    "addr": ("<4> <s> Street, <s>, TX 7<4>",),
    "state": ("TX", "NJ", "FL"),
    "zipcity_de": ("8<4> <s>",),
    "zipcity_fr": ("69<3> <s>",),
    "postcode": ("M<1> <1>QE", "SW<1>A <1>AA"),
    "ssn": ("<3>-<2>-<4>",),
    "age90": ("<old>",),
    "user": ("<small>", "<small>1", "<small>22"),
    "nhs": ("<3> <3> <4>",),
    "alnum": ("<A><A><A><7>",),
    "serial": ("<A><3>X<4>",),
    "ini": ("<ini><ini>",),
    "ini2": ("<ini><ini><ini>",),
    "cf": ("BZNTNK<2>E<2>F<3>Y",),
    "cpf": ("<3>.<3>.<3>-<2>",),
    "ip": ("10.<byte>.<byte>.<byte>",),
    "vin": ("1HGCM8263<8>",),
    "nir": ("1 <2> 11 75 <3> <3> <2>",),
    "letter": ("<A>",),
    "f2": ("<A>",),
    "ward": ("ICU", "Ward 4", "PACU"),
    "pronoun": ("Mr", "Ms"),
}
_NO_IDENTIFIERS = frozenset(("ward", "pronoun", "letter", "f", "f2", "l"))


@dataclass(frozen=True, slots=True)
class HardText:
    """A filled line, the stretches that identify, the stretches that do neither count, and what the header has to know."""

    text: str
    needles: tuple[tuple[int, int], ...]
    free: tuple[tuple[int, int], ...]
    own: dict[str, str]


def lines(name: str) -> list[str]:
    """Return the lines of one file of `hard/`."""
    return (_FOLDER / f"{name}.txt").read_text("utf-8").splitlines()


def hard_texts(people: People, name: str, repeats: int = 1) -> Iterator[HardText]:
    """Yield every line of a file, filled `repeats` times."""
    for line in lines(name):
        for _ in range(repeats):
            yield _filled(people, line)


def _filled(people: People, line: str) -> HardText:
    r = people.random
    own = {"last": people.surname(), "first": people.given(), "id": people.digits(8), "acc": "A" + people.digits(7)}
    born = people.day(1930, 1970)
    text, needles, free, position = "", [], [], 0
    for match in re.finditer(r"\{(\w+)(?::(.*?))?\}", line):
        text += line[position : match.start()]
        position = match.end()
        slot, form = match[1], match[2] or ""
        value = f"{born:{_portable(form, born)}}" if slot == "dob" else _value(people, r, slot, form, own)
        for piece in re.split("(\x01.*?\x02)", value):
            named = piece.startswith("\x01")
            start, text = len(text), text + piece.strip("\x01\x02")
            if slot in _NO_IDENTIFIERS or ("\x01" in value and not named) or form in ("%H:%M", "%A") or re.fullmatch("n[12]", slot):
                free.append((start, len(text)))
            else:
                needles.append((start, len(text)))
    return HardText(text + line[position:], tuple(needles), tuple(free), {**own, "dob": f"{born:%Y%m%d}"})


def _value(people: People, r: random.Random, slot: str, form: str, own: dict[str, str]) -> str:
    if slot.lower() in own or slot in ("llast", "lfirst"):
        value = own[slot.lower() if slot.lower() in own else slot[1:]]
        return value.upper() if slot.isupper() else value.lower() if slot in ("llast", "lfirst") else value
    if re.fullmatch(r"n\d+", slot):
        return _digits(r, int(slot[1:]))
    if slot == "d":
        day = datetime(2005, 1, 1) + timedelta(days=r.randrange(7300), minutes=r.randrange(1440))
        return f"{day:{_portable(form, day)}}"
    if slot in ("f", "l"):
        return own["first" if slot == "f" else "last"][0]
    lower = slot in ("lother", "lothergiven")
    name = slot.removeprefix("l") if lower else slot.lower()
    filled = re.sub(r"<(\w+)>", lambda m: _atom(people, r, m[1]), r.choice(_FORMS[name]))
    return filled.upper() if slot.isupper() else filled.lower() if lower else filled


def _atom(people: People, r: random.Random, kind: str) -> str:
    """Return one invented piece: a family or given name, `A` a letter, a number of so many digits."""
    if kind.isdigit():
        return _digits(r, int(kind))
    match kind:
        case "s":
            return people.surname()
        case "g":
            return people.given()
        case "small":
            return people.surname().lower()
        case "old":
            return str(r.randint(91, 104))
        case "byte":
            return str(r.randint(1, 254))
        case "ini":
            return r.choice("JKQVWZ")
        case _:
            return r.choice("ABCDEFGH")


def _digits(r: random.Random, count: int) -> str:
    return r.choice("123456789") + "".join(r.choice("0123456789") for _ in range(count - 1))


def _portable(form: str, day: date) -> str:
    """Return a format without the ordinals and unpadded numbers that not every platform's strftime knows."""
    ending = "th" if day.day // 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    form = form.replace("%-dth", f"{day.day}{ending}")
    return form.replace("%-d", str(day.day)).replace("%-m", str(day.month))
