"""Crowds: how many distinct patients share their quasi-identifiers (K1, K2), and who is unique on a few of them (K3).

What to do about a small crowd is decided in `tasks/risk/plan.py` and in `expectations`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from tasks.risk.profiles import Profiles


@dataclass(frozen=True, slots=True)
class Crowds:
    """The crowds of a table: `smallest` counts patients; all are 0 when the table is empty."""

    smallest: int
    classes: int
    patients: int

    @property
    def average_risk(self) -> float:
        """Return the expected share of right guesses for an intruder who knows every quasi-identifier (classes / patients)."""
        return self.classes / self.patients if self.patients else 1.0


def measure_crowds(profiles: Profiles) -> Crowds:
    """Count the distinct patients of every class of quasi-identifiers.

    A patient whose facts differ between studies is in several classes; his risk is that of the smallest.
    """
    row = profiles.connection.execute(f"SELECT coalesce(min(n), 0), count(*) FROM ({_sizes(profiles.codes)})").fetchone()  # noqa: S608 - codes
    assert row is not None
    return Crowds(int(row[0]), int(row[1]), profiles.patients)


def class_sizes(profiles: Profiles) -> dict[int, int]:
    """Return how many classes there are of every size."""
    rows = profiles.connection.execute(f"SELECT n, count(*) FROM ({_sizes(profiles.codes)}) GROUP BY n ORDER BY n").fetchall()  # noqa: S608 - codes
    return {int(size): int(count) for size, count in rows}


def count_special_uniques(profiles: Profiles, facts: int) -> int:
    """Count the patients who are alone on some combination of at most `facts` quasi-identifiers.

    Knowing a value is what singles out: a combination in which one of the facts is unknown (null) is not counted.
    """
    alone: set[int] = set()
    for subset in _subsets(profiles.codes, facts):
        known = " AND ".join(f"{c} > 0" for c in subset)
        rows = profiles.connection.execute(
            f"SELECT min(patient) FROM profiles WHERE {known} GROUP BY {', '.join(subset)} HAVING min(patient) = max(patient)"  # noqa: S608 - codes
        ).fetchnumpy()
        alone.update(next(iter(rows.values())).tolist())
    return len(alone)


def _subsets(codes: tuple[str, ...], facts: int) -> Iterator[tuple[str, ...]]:
    for size in range(1, min(facts, len(codes)) + 1):
        yield from combinations(codes, size)


def _sizes(codes: tuple[str, ...]) -> str:
    # Rows of `profiles` are distinct per patient, so that counting rows counts patients.
    return f"SELECT count(*) AS n FROM profiles GROUP BY {', '.join(codes) or 'ALL'}"  # noqa: S608 - codes
