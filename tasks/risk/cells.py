"""Counts that a public report may show: none from 1 to the smallest cell, and none that others give away (K10)."""

from __future__ import annotations

from collections.abc import Mapping


def protect_cells(counts: Mapping[str, int], least: int) -> dict[str, int | None]:
    """Return the counts with None where one must not be shown.

    Zero may be shown. A single hidden cell could be found from the total, so then the smallest shown cell is hidden with it; and
    hidden cells whose sum is below `least` would still name a small group, so the next smallest joins them.
    """
    shown: dict[str, int | None] = {name: None if 0 < n < least else n for name, n in counts.items()}
    order = sorted((n, name) for name, n in counts.items() if n >= least)
    while (hidden := [counts[name] for name, n in shown.items() if n is None]) and order:
        if len(hidden) > 1 and sum(hidden) >= least:
            break
        shown[order.pop(0)[1]] = None
    return shown


def count_unsafe(shown: Mapping[str, int | None], total: int | None, least: int) -> int:
    """Count the cells that a reader learns though they are smaller than `least`: shown ones, and one left alone against the total."""
    unsafe = sum(1 for n in shown.values() if n is not None and 0 < n < least)
    hidden = [name for name, n in shown.items() if n is None]
    if total is not None and hidden:
        rest = total - sum(n for n in shown.values() if n is not None)
        unsafe += len(hidden) == 1 or 0 < rest < least
    return unsafe
