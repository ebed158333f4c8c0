"""Invented people, numbers and days, each of them unique in a corpus so that a hit has one cause.

No list of real names is used: a benchmark that draws from the engine's own lists would measure the lists.
"""

from __future__ import annotations

import random
from datetime import date, timedelta

_ONSETS = [
    "b",
    "br",
    "d",
    "dr",
    "f",
    "g",
    "gr",
    "h",
    "j",
    "k",
    "kl",
    "kv",
    "l",
    "m",
    "n",
    "p",
    "pr",
    "r",
    "s",
    "sk",
    "st",
    "t",
    "tr",
    "v",
    "z",
    "sz",
    "w",
    "th",
]
_NUCLEI = ["a", "e", "i", "o", "u", "ai", "au", "ei", "ia", "oo", "y"]
_CODAS = ["", "", "l", "n", "r", "s", "k", "m", "rd", "nd", "lt", "nsk", "rth", "ck", "v"]
_ENDS = [
    "ovich",
    "enko",
    "aard",
    "strup",
    "ingley",
    "quist",
    "owale",
    "uchi",
    "etti",
    "ander",
    "ibhai",
    "ksen",
    "oglu",
    "ezkar",
    "thorpe",
    "wyn",
    "akis",
    "yan",
]

_GIVEN_ENDS = ["lin", "nes", "sul", "la", "ko", "ra"]


class People:
    """A seeded source of unique identifiers."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._used: set[str] = set()

    def _unique(self, make: object) -> str:
        for _ in range(10_000):
            value = make()  # type: ignore[operator]
            if value not in self._used:
                self._used.add(value)
                return value
        raise RuntimeError("the generator ran out of values")

    def surname(self) -> str:
        """Return a family name of 7 to 14 letters that no list holds."""
        r = self.random

        def make() -> str:
            stem = "".join(r.choice(_ONSETS) + r.choice(_NUCLEI) + r.choice(_CODAS) for _ in range(r.choice((1, 2))))
            return (stem + r.choice(_ENDS)).capitalize()

        return self._unique(make)

    def given(self) -> str:
        """Return a given name of 5 to 9 letters that no list holds."""
        r = self.random

        def make() -> str:
            return (r.choice(_ONSETS) + r.choice(_NUCLEI) + r.choice(_ONSETS) + r.choice(_NUCLEI) + r.choice(_GIVEN_ENDS)).capitalize()

        return self._unique(make)

    def word(self) -> str:
        """Return a token that cannot occur by chance."""
        r = self.random
        return self._unique(lambda: "Q" + "".join(r.choice("BCDFGHJKLMNPRSTVWXZ") + r.choice("AEIOU") for _ in range(5)))

    def digits(self, count: int) -> str:
        r = self.random
        return self._unique(lambda: r.choice("123456789") + "".join(r.choice("0123456789") for _ in range(count - 1)))

    def day(self, first: int = 1921, last: int = 1988) -> date:
        """Return a unique day; years far from those of the studies, so that no shifted date can fall on it."""
        start = date(first, 1, 1)
        span = (date(last, 12, 31) - start).days
        while True:
            day = start + timedelta(days=self.random.randrange(span))
            if day.isoformat() not in self._used and day.day > 12 and day.day != day.year % 100:
                self._used.add(day.isoformat())
                return day

    def phone(self) -> str:
        return f"{self.random.randint(201, 989)}-555-{self.digits(4)}"

    def uid(self) -> str:
        return "1.3.6.1.4.1.99999." + ".".join(self.digits(6) for _ in range(4))
