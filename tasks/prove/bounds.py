"""Exact (Clopper-Pearson) bounds of a rate that was counted: what "35 of 35" proves, and what it does not.

Counting does not belong here.
"""

from __future__ import annotations

import math
from collections.abc import Callable


def lower_bound(successes: int, trials: int, confidence: float = 0.95) -> float:
    """Return the one-sided lower bound of a success rate; 0.0 without trials. 299 of 299 give 0.990."""
    if not 0 <= successes <= trials:
        raise ValueError("successes must lie between 0 and trials")
    if successes == 0:
        return 0.0
    if successes == trials:
        return float((1 - confidence) ** (1 / trials))
    return _solve(lambda p: _at_least(successes, trials, p) - (1 - confidence))


def upper_bound(successes: int, trials: int, confidence: float = 0.95) -> float:
    """Return the one-sided upper bound of a rate; 1.0 without trials."""
    return 1.0 if trials == 0 else 1 - lower_bound(trials - successes, trials, confidence)


def _at_least(successes: int, trials: int, p: float) -> float:
    """Return P(X >= successes) for X ~ Binomial(trials, p)."""
    log_p, log_q = math.log(p), math.log1p(-p)
    base = math.lgamma(trials + 1)
    terms = range(successes, trials + 1)
    return math.fsum(math.exp(base - math.lgamma(k + 1) - math.lgamma(trials - k + 1) + k * log_p + (trials - k) * log_q) for k in terms)


def _solve(rising: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return low
