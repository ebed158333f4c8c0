"""Exact ink: pixels drawn by a program, told from anatomy by their values alone, whatever their contrast.

A program writes every stroke with one exact value; anatomy and noise spread over neighbouring values. So a value that is locally far
more frequent than its neighbours is ink, and so is whatever interrupts a perfectly even ground. Deciding whether ink is text does not
belong here (`network`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

Values = np.ndarray[Any, np.dtype[Any]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

_TILE = 32
_LEAST_COUNT = 10  # pixels of one value in a tile: two letters of the smallest font
_EXCESS = 2.5  # times the more frequent of the two neighbouring values
_DEVIATIONS = 5.0
_GROUND = 0.5  # a value that fills more of a tile is its ground, not ink


def ink_mask(values: Values, quick: bool = False) -> Mask:
    """Return where one plane of stored values (rows, columns) looks drawn rather than measured.

    `quick` is for telling whether there is any ink: it may miss a letter at the border of two tiles.
    """
    import cv2

    rows, columns = values.shape
    drawn, spikes = np.zeros((2, *values.shape), bool)
    for shift in (0,) if quick else (0, _TILE // 2):
        padded = np.pad(values, ((shift, -(rows + shift) % _TILE), (shift, -(columns + shift) % _TILE)), mode="edge")
        for whole, found in zip((drawn, spikes), _drawn(padded), strict=True):
            whole |= found[shift : shift + rows, shift : shift + columns]
    if not drawn.any():
        return np.asarray(drawn, bool)
    drawn = np.asarray(_thin(drawn) | (_thin(spikes) if spikes.any() else spikes), bool)
    near = cv2.boxFilter(drawn.astype(np.float32), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(drawn & (near >= 2), bool)


def _thin(drawn: Mask) -> Mask:
    """Return drawn pixels without areas that are wider than any stroke."""
    import cv2

    core = cv2.erode(drawn.astype(np.uint8), np.ones((11, 11), np.uint8))
    return np.asarray(drawn & (cv2.dilate(core, np.ones((15, 15), np.uint8)) == 0), bool)


def _drawn(values: Values) -> tuple[Mask, Mask]:
    """Return drawn pixels tile by tile, and those alone whose value is frequent; both sides are multiples of the tile.

    Where an even ground ends, all of the anatomy beside it interrupts it and is too wide for ink: what is frequent there still is.
    """
    down, across = values.shape[0] // _TILE, values.shape[1] // _TILE
    tiles = np.ascontiguousarray(values.reshape(down, _TILE, across, _TILE).swapaxes(1, 2)).reshape(down * across, -1)
    ordered = np.sort(tiles, axis=1)
    size = _TILE * _TILE
    fresh = np.ones(ordered.shape, bool)
    fresh[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    starts = np.flatnonzero(fresh.ravel())
    counts = np.diff(starts, append=ordered.size)
    tile = starts // size
    before = np.where(np.roll(tile, 1) == tile, np.roll(counts, 1), 0)
    after = np.where(np.roll(tile, -1) == tile, np.roll(counts, -1), 0)
    beside = np.maximum(before, after)
    ground = counts >= _GROUND * size
    spike = (counts >= _LEAST_COUNT) & ~ground & (counts > _EXCESS * beside) & (counts - beside > _DEVIATIONS * np.sqrt(beside + 1.0))
    even = np.zeros(len(tiles), bool)
    even[tile[ground & (counts < size)]] = True
    found, frequent = np.zeros((2, *tiles.shape), bool)
    grounds = set(ordered.ravel()[starts[ground]].tolist())
    for number, value in zip(tile[spike], ordered.ravel()[starts[spike]], strict=True):
        same = tiles[number] == value
        if not even[number]:
            found[number] |= same
        if value not in grounds:
            frequent[number] |= same
    where = starts[ground & (counts < size)]
    for number, value in zip(where // size, ordered.ravel()[where], strict=True):
        found[number] |= tiles[number] != value
    both = [part.reshape(down, across, _TILE, _TILE).swapaxes(1, 2).reshape(values.shape) for part in (found, frequent)]
    return both[0], both[1]
