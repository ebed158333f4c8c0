"""What a count proves."""

from __future__ import annotations

import pytest

from tasks.prove.bounds import lower_bound, upper_bound
from tasks.prove.trials import Proof


@pytest.mark.parametrize(
    ("successes", "trials", "bound"),
    [
        (35, 35, 0.9180),
        (59, 59, 0.9505),
        (299, 299, 0.9900),
        (2995, 2995, 0.9990),
        (298, 300, 0.97916),
        (0, 10, 0.0),
        (5, 10, 0.2224),
        (1, 1, 0.05),
    ],
)
def test_lower_bounds_are_those_of_the_tables(successes: int, trials: int, bound: float) -> None:
    assert lower_bound(successes, trials) == pytest.approx(bound, abs=6e-5)


def test_an_upper_bound_of_nothing_seen() -> None:
    assert upper_bound(0, 3000) == pytest.approx(0.000998, abs=1e-6)
    assert upper_bound(0, 0) == 1.0


@pytest.mark.parametrize(
    ("proof", "outcome"),
    [
        (Proof("T1", "x", 300, 300, 0.99), "met"),
        (Proof("T1", "x", 30, 30, 0.99), "too few"),
        (Proof("T1", "x", 300, 298, 0.99), "missed"),
        (Proof("T1", "clean objects", 1000, 1, 1.0), "met"),
        (Proof("T1", "clean objects", 1000, 2, 1.0), "missed"),
        (Proof("T1", "clean objects", 0, 0, 1.0), "missed"),
    ],
)
def test_outcomes(proof: Proof, outcome: str) -> None:
    assert proof.outcome == outcome
