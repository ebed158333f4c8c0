"""One person under two pseudonyms (P1): images that are much more alike than two people's ever are.

A small picture of each series, less what all of the candidate share (every chest looks like a chest); its nearest neighbours
under other patients are laid over it. Equal bytes are `copies`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.risk.measures import Measure, as_risk_table

Image = np.ndarray[Any, Any]

_SIDE, _COARSE = 48, 12
_ALIKE = 0.8
_NEIGHBOURS, _REACH = 3, 2
_BLOCK = 2048


def small_picture(image: Image) -> Image:
    """Return a (rows, columns) image as 48 x 48 mean values with mean 0 and length 1; all 0 for a flat image."""
    rows = np.linspace(0, image.shape[0], _SIDE + 1).astype(int)
    columns = np.linspace(0, image.shape[1], _SIDE + 1).astype(int)
    sums = np.add.reduceat(np.add.reduceat(np.asarray(image, np.float64), rows[:-1], axis=0), columns[:-1], axis=1)
    values = sums / np.outer(np.maximum(np.diff(rows), 1), np.maximum(np.diff(columns), 1))
    values -= values.mean()
    length = float(np.linalg.norm(values))
    return np.asarray(values / length if length > 0 else values, np.float32)


def alike_across(pictures: Image, patients: Sequence[str], threshold: float = _ALIKE) -> list[tuple[int, int]]:
    """Return the pairs of series (row numbers of the (n, 48, 48) pictures) of different patients that are too much alike."""
    if len(pictures) < 3:
        return []
    common = pictures.mean(axis=0)
    own = pictures - common
    step = _SIDE // _COARSE
    coarse = own.reshape(len(own), _COARSE, step, _COARSE, step).mean(axis=(2, 4)).reshape(len(own), -1)
    coarse /= np.maximum(np.linalg.norm(coarse, axis=1, keepdims=True), 1e-9)
    coarse[~pictures.any(axis=(1, 2))] = 0  # flat images are like nothing
    names = np.unique(np.asarray(patients), return_inverse=True)[1]
    pairs: set[tuple[int, int]] = set()
    for start in range(0, len(coarse), _BLOCK):
        likeness = coarse[start : start + _BLOCK] @ coarse.T
        likeness[names[start : start + _BLOCK, None] == names[None, :]] = -1
        count = min(_NEIGHBOURS, len(coarse) - 1)
        for row, columns in enumerate(np.argpartition(-likeness, count - 1, axis=1)[:, :count]):
            pairs.update(tuple(sorted((row + start, int(column)))) for column in columns if likeness[row, column] > 0)  # type: ignore[misc]  # two
    return sorted(
        (a, b)
        for a, b in pairs
        if max(_overlaid(pictures[a], pictures[b], common), _overlaid(pictures[b], pictures[a], common)) > threshold
    )


def _overlaid(first: Image, second: Image, common: Image) -> float:
    """Return the best correlation of what two pictures have beyond the common one, when the second is moved by up to two cells."""
    best, moves = -1.0, range(-_REACH, _REACH + 1)
    for dy in moves:
        for dx in moves:
            here = slice(max(dy, 0), _SIDE + min(dy, 0)), slice(max(dx, 0), _SIDE + min(dx, 0))
            there = slice(max(-dy, 0), _SIDE + min(-dy, 0)), slice(max(-dx, 0), _SIDE + min(-dx, 0))
            a, b = first[here] - common[here], second[there] - common[here]
            a, b = a - a.mean(), b - b.mean()
            size = float(np.sqrt((a * a).sum() * (b * b).sum()))
            best = max(best, float((a * b).sum()) / size if size > 0 else -1.0)
    return best


def measure_likeness(pictures: Image, patients: Sequence[str]) -> pa.Table:
    """Return the P1 row: pairs of series that look like one person under two pseudonyms."""
    pairs = alike_across(pictures, patients)
    return as_risk_table([Measure("P1", "series alike under two patients", len(pairs), len(patients), "ask", at_most=0)])
