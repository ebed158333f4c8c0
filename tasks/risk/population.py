"""Estimates of how many of the sample's unique patients are unique in the population (K5); informative only.

PRIVACY: an estimate never relaxes a gate that counts the sample (tests/property/test_risk_oracle.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, lgamma, log


def zayatz(class_sizes: Mapping[int, int], population: int) -> float:
    """Estimate the chance that a patient who is unique in the sample is unique among `population` people (Zayatz 1991).

    `class_sizes`: size of a class -> number of classes of that size.
    """
    sample = sum(size * count for size, count in class_sizes.items())
    classes = sum(class_sizes.values())
    if not classes or not class_sizes.get(1):
        return 0.0
    if population <= sample:
        return 1.0
    weighted = {s: count / classes * _one_drawn(s, sample, population) for s, count in class_sizes.items()}
    return weighted[1] / sum(weighted.values())


def _one_drawn(size: int, sample: int, population: int) -> float:
    """Return the hypergeometric chance that exactly one of `size` people is among `sample` drawn from `population`."""
    if population - size < sample - 1:
        return 0.0
    return exp(log(size) + _log_choose(population - size, sample - 1) - _log_choose(population, sample))


def pitman(class_sizes: Mapping[int, int], population: int) -> float | None:
    """Estimate the share of the population that is unique by Pitman's model, moment estimates of Hoshino (2001).

    Returns None where the moments give no valid model (too few classes of one and two patients).
    """
    n = sum(size * count for size, count in class_sizes.items())
    u, n1, n2 = sum(class_sizes.values()), class_sizes.get(1, 0), class_sizes.get(2, 0)
    if n1 < 2 or n2 < 1:
        return None
    c = n1 * (n1 - 1) / n2
    denominator = 2 * n1 * u + n1 * c - n * c
    if not denominator:
        return None
    theta = (n * u * c - n1 * (n - 1) * (2 * u + c)) / denominator
    alpha = (theta * (n1 - n) + (n - 1) * n1) / (n * u)
    if not 0 < alpha < 1 or theta <= -alpha:
        return None
    uniques = exp(lgamma(theta + 1) - lgamma(theta + alpha) + alpha * log(population))
    return min(1.0, uniques / population)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
