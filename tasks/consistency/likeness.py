"""One person under two pseudonyms (P1): images that are much more alike than two people's ever are.

A small picture of each series, less what its nearest neighbours of other people share (every chest looks like a chest); what is
left is compared twice, as it is and in its details only. Equal bytes are `copies`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.risk.measures import Measure, as_risk_table

Image = np.ndarray[Any, Any]

SIDE, _COARSE = 48, 12
ALIKE = 0.8
_NEIGHBOURS, _REACH = 3, 2
_COMPANY, _FEWEST = 8, 4  # pictures of other people that show what everybody shares; with fewer nothing can be told
_BLOCK = 2048
_IN_DETAIL = 0.8  # of the threshold: details suffer more from moving by part of a cell


def block_means(image: Image) -> Image:
    """Return a (rows, columns) image as 48 x 48 mean values."""
    rows = np.linspace(0, image.shape[0], SIDE + 1).astype(int)[:-1]
    columns = np.linspace(0, image.shape[1], SIDE + 1).astype(int)[:-1]
    heights = np.maximum(np.diff(np.append(rows, image.shape[0])), 1)
    widths = np.maximum(np.diff(np.append(columns, image.shape[1])), 1)
    # float32 sums of a block are exact enough for a mean, and twice as quick
    down = np.add.reduceat(image, np.minimum(rows, image.shape[0] - 1), axis=0, dtype=np.float32)
    sums = np.add.reduceat(down, np.minimum(columns, image.shape[1] - 1), axis=1)
    return np.asarray(sums / np.outer(heights, widths), np.float32)


def small_picture(image: Image) -> Image:
    """Return a (rows, columns) image as 48 x 48 mean values with mean 0 and length 1; all 0 for a flat image."""
    return _unit(block_means(image))


def packed(means: Image) -> bytes:
    """Return a 48 x 48 picture as 2,304 bytes, mean 0, largest value 127."""
    centred = np.asarray(means, np.float64) - float(np.mean(means))
    largest = float(np.abs(centred).max())
    return np.rint(centred * (127 / largest) if largest > 0 else centred).astype(np.int8).tobytes()


def unpacked(pictures: Sequence[bytes]) -> Image:
    """Return packed pictures as (n, 48, 48), each with mean 0 and length 1."""
    values = np.frombuffer(b"".join(pictures), np.int8).reshape(-1, SIDE, SIDE).astype(np.float32)
    values -= values.mean(axis=(1, 2), keepdims=True)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=(1, 2), keepdims=True), 1e-9), np.float32)


def alike_across(
    pictures: Image, patients: Sequence[str], kinds: Sequence[str] | None = None, threshold: float = ALIKE
) -> list[tuple[int, int]]:
    """Return the pairs of series (row numbers of the (n, 48, 48) pictures) of different patients that are too much alike.

    `kinds`: modalities; only pictures of one kind are compared. Among too few people of a kind nothing can be told.
    """
    of_kind = np.asarray(kinds if kinds is not None else [""] * len(pictures))
    who = np.unique(np.asarray(patients), return_inverse=True)[1] if len(patients) else np.zeros(0, int)
    pairs: list[tuple[int, int]] = []
    for kind in np.unique(of_kind):
        members = np.flatnonzero((of_kind == kind) & pictures.any(axis=(1, 2)))  # flat images are like nothing
        if len(np.unique(who[members])) >= _FEWEST + 2:
            pairs += [(int(members[a]), int(members[b])) for a, b in _pairs_of(pictures[members], who[members], threshold)]
    return sorted(pairs)


def _pairs_of(pictures: Image, who: Image, threshold: float) -> Iterator[tuple[int, int]]:
    step = SIDE // _COARSE
    coarse = pictures.reshape(len(pictures), _COARSE, step, _COARSE, step).mean(axis=(2, 4)).reshape(len(pictures), -1)
    coarse /= np.maximum(np.linalg.norm(coarse, axis=1, keepdims=True), 1e-9)
    own = coarse - coarse.mean(axis=0)
    own /= np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-9)
    seen: set[tuple[int, int]] = set()
    for start in range(0, len(pictures), _BLOCK):
        rows = slice(start, start + _BLOCK)
        alike = _without(own[rows] @ own.T, who, rows)
        as_they_are = _without(coarse[rows] @ coarse.T, who, rows)
        for row in range(alike.shape[0]):
            near = np.argpartition(-alike[row], min(_NEIGHBOURS, len(pictures)) - 1)[:_NEIGHBOURS]
            for column in near:
                pair = (min(row + start, int(column)), max(row + start, int(column)))
                if alike[row, column] <= 0 or pair in seen:
                    continue
                seen.add(pair)
                common = _company(pictures, as_they_are[row], who, pair)
                if common is not None and _same_body(pictures[pair[0]], pictures[pair[1]], common, threshold):
                    yield pair


def _without(likeness: Image, who: Image, rows: slice) -> Image:
    likeness[who[rows, None] == who[None, :]] = -1
    return likeness


def _company(pictures: Image, likeness: Image, who: Image, pair: tuple[int, int]) -> Image | None:
    """Return what the pictures nearest to a pair, of other people than theirs, have in common; None when there are too few."""
    order = np.argsort(-likeness)
    others = [i for i in order[: 4 * _COMPANY] if likeness[i] > -1 and who[i] not in (who[pair[0]], who[pair[1]])][:_COMPANY]
    return pictures[others].mean(axis=0) if len(others) >= _FEWEST else None


def _same_body(first: Image, second: Image, common: Image, threshold: float) -> bool:
    """Say whether two pictures are alike beyond what everybody shares, as they are and, less strictly, in their details."""
    if max(_overlaid(first, second, common), _overlaid(second, first, common)) <= threshold:
        return False
    one, two, shared = _details(first), _details(second), _details(common)
    return max(_overlaid(one, two, shared), _overlaid(two, one, shared)) > _IN_DETAIL * threshold


def _details(picture: Image) -> Image:
    """Return a picture without what is larger than a few cells: two knees are alike in shape, not in detail."""
    from scipy.ndimage import uniform_filter

    return np.asarray(picture - uniform_filter(picture, 9, mode="nearest"), np.float32)


def _overlaid(first: Image, second: Image, common: Image) -> float:
    """Return the best correlation of what two pictures have beyond the common one, when the second is moved by up to two cells."""
    best, moves = -1.0, range(-_REACH, _REACH + 1)
    for dy in moves:
        for dx in moves:
            here = slice(max(dy, 0), SIDE + min(dy, 0)), slice(max(dx, 0), SIDE + min(dx, 0))
            there = slice(max(-dy, 0), SIDE + min(-dy, 0)), slice(max(-dx, 0), SIDE + min(-dx, 0))
            a, b = first[here] - common[here], second[there] - common[here]
            a, b = a - a.mean(), b - b.mean()
            size = float(np.sqrt((a * a).sum() * (b * b).sum()))
            best = max(best, float((a * b).sum()) / size if size > 0 else -1.0)
    return best


def _unit(means: Image) -> Image:
    centred = np.asarray(means, np.float64) - float(np.mean(means))
    length = float(np.linalg.norm(centred))
    return np.asarray(centred / length if length > 0 else centred, np.float32)


def measure_likeness(
    pictures: Image, patients: Sequence[str], kinds: Sequence[str] | None = None, threshold: float = ALIKE, action: str = "ask"
) -> pa.Table:
    """Return the P1 rows: how many pairs look like one person under two pseudonyms, then every patient concerned."""
    pairs = alike_across(pictures, patients, kinds, threshold)
    concerned = sorted({patients[i] for pair in pairs for i in pair})
    whole = Measure("P1", "pairs of series alike under two patients", len(pairs), len(patients), action, at_most=0)
    each = [Measure("P1", "looks like another patient", 1, 1, action, at_most=0, unit="patient", key=p) for p in concerned]
    return as_risk_table([whole, *each])
