"""Lines of one exact value: which value a line's ink has, and how far pixels of that value go on along it.

A program writes every stroke with one value; what lies half under it has others. Finding the line (`regions`), following it in the
network's map (`lengthen`) and proving that it is text (`find`) do not belong here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tasks.pixels.boxes import Points, TextBox, axes_of, box_between
from tasks.pixels.signs import Real

Plane = np.ndarray[Any, np.dtype[np.bool_]]
Integers = np.ndarray[Any, np.dtype[np.int64]]

_INKED, _LEAST_INKED = 0.4, 20  # probability from which a pixel counts as ink; pixels of it that say anything about its value
_LEADING, _ABOVE = 0.15, 8.0  # share of one value among the ink, and how many times as often as the values next to it (anatomy: 5)
_GREY = (1 << 32) + (1 << 16) + 1  # from one grey of a colour frame to the next, as `find` packs them into one integer
_LEADERS = 3  # values of one box that are asked
_HINT, _HINTED = 12, 3.0  # pixels of a value, and times as many as of the values next to it, that may be half-covered ink's full one
_BEYOND = 12.0  # line heights looked at beyond either end
_STEP = 0.25  # line heights
_COMMON = 0.05  # of the frame outside the line: a value this frequent leads anywhere
_STRAY = 0.0015  # of the pixels of a step may have the value by chance, however few have it beside the line
_AROUND = 1.5  # line heights along it over which what lies beside it is counted
_SPACE = 6.0  # evidence (natural logarithm of odds) that a line height without the value costs: a space between words
_ENOUGH = 6.0  # of this evidence a line needs to have the value at all, and what follows to be its continuation
_GAP = 2.0  # line heights without the value behind which another line begins
_FULL = 0.12  # of a box has its one value: enough to tell where the line begins and ends
_NEARLY = 0.85  # of a box's height: pixels of its value that reach so far do not say that it is too high
_HIGHER = 3.0  # pixels by which a line may be higher than its box
_DENSE, _DENSER = 2.0, 4.0  # times as many pixels of the value in a line, and in a row of it, as beside it
_FRINGE = 2.0  # pixels around full ink: what is half covered, and the seam beside it


class InkValues(NamedTuple):
    """Stored values that a line's ink may have.

    `leading`: much more frequent among its ink than the values next to them, the commonest first. `hinted`: more frequent than these, the
    most first: too little to prove anything by, enough to look whether they go on along the line.
    """

    leading: list[int]
    hinted: list[int]


def values_of(box: TextBox, values: np.ndarray[Any, np.dtype[Any]], ink: Real) -> InkValues:
    """Return what values the ink of a box may have; `values` (rows, columns) are the stored ones, `ink` is the network's map of them."""
    inked = _inked(box, values, ink)
    if inked.size < _LEAST_INKED:
        return InkValues([], [])
    found, counts, beside = _counted(inked)
    leads = (counts >= max(_LEAST_INKED, _LEADING * inked.size)) & (counts >= _ABOVE * (beside + 1))
    hints = (counts >= _HINT) & (counts >= _HINTED * (beside + 1))
    commonest, most = np.argsort(-counts, kind="stable")[:_LEADERS], np.argsort(-(counts - beside), kind="stable")[:_LEADERS]
    return InkValues([int(found[i]) for i in commonest if leads[i]], [int(found[i]) for i in most if hints[i]])


def _inked(box: TextBox, values: np.ndarray[Any, np.dtype[Any]], ink: Real) -> Integers:
    import cv2

    x, y, width, height = cv2.boundingRect(np.round(box.corners).astype(np.int32))
    left, top = max(x, 0) // 2 * 2, max(y, 0) // 2 * 2
    cut = values[top : y + height, left : x + width]
    near = ink[top // 2 : (y + height + 1) // 2, left // 2 : (x + width + 1) // 2] > _INKED
    corners = np.round(box.corners - np.array([left, top], np.float32)).astype(np.int32)
    inside = cv2.fillConvexPoly(np.zeros(cut.shape, np.uint8), corners, 1)
    wanted = (inside > 0) & np.repeat(np.repeat(near, 2, axis=0), 2, axis=1)[: cut.shape[0], : cut.shape[1]]
    return np.asarray(cut[wanted], np.int64)


def _counted(inked: Integers) -> tuple[Integers, Integers, Points]:
    """Return the values, how often each occurs, and how often on average the two values below it and the two above, in grey or in blue."""
    found, counts = np.unique(inked, return_counts=True)
    beside = np.zeros(len(found), np.float32)
    for step in (-2, -1, 1, 2):
        for other in (found + step, found + step * _GREY):
            place = np.clip(np.searchsorted(found, other), 0, len(found) - 1)
            beside += np.where(found[place] == other, counts[place], 0) / 4
    return found, counts, beside


def fitted(box: TextBox, same: Plane) -> TextBox:
    """Return the box as long and as high as the pixels of its one value reach along its line, which are many more than beside it.

    `same` (rows, columns) tells where the frame has that value. Where the value is too rare to fill the line (half-covered pixels have
    others) the box only grows.
    """
    ends = _Along(box, same)
    reached = ends.reached()
    if reached is None:
        return box
    left, right = reached
    length, thick, place = ends.length, ends.thick, ends.place
    within = (place >= left) & (place <= right)
    own = within & (np.abs(place) <= length / 2)  # what crosses the line farther on does not say how high it is
    top, bottom = ends.rows(own)
    if (ends.in_line & within).sum() < _FULL * (right - left) * thick:
        low, high = (min(left, -length / 2), min(top, -thick / 2)), (max(right, length / 2), max(bottom, thick / 2))
        return replace(box, corners=box_between(box, low, high))
    fringe = _FRINGE if min(abs(ends.along)) < 1e-3 else 1.5 * _FRINGE
    if bottom - top > _NEARLY * thick:  # dots and accents are few pixels: the network knows them as ink
        top, bottom = min(top, -thick / 2 + fringe), max(bottom, thick / 2 - fringe)
    corners = box_between(box, (left - fringe, top - fringe), (right + fringe, bottom + fringe))
    return replace(box, corners=corners, slack=2.0)


def followed(box: TextBox, same: Plane) -> TextBox:
    """Return the box lengthened by what follows of its value; arguments as in `fitted`."""
    ends = _Along(box, same)
    reached = ends.reached()
    if reached is None:
        return box
    left, right = min(reached[0] - _FRINGE, -ends.length / 2), max(reached[1] + _FRINGE, ends.length / 2)
    return replace(box, corners=box_between(box, (left, -ends.thick / 2), (right, ends.thick / 2)))


class _Along:
    """Pixels of one value along a line and beside it, in pixels from its middle."""

    def __init__(self, box: TextBox, same: Plane) -> None:
        self.along, self._across, self.length, self.thick = axes_of(box)
        self.height, self._middle = max(self.thick, 4.0), box.corners.mean(axis=0)
        self._reach = self.length / 2 + _BEYOND * self.height
        low = np.maximum(np.floor(self._middle - self._reach), 0).astype(int)
        high = np.ceil(self._middle + self._reach).astype(int) + 1
        points = np.argwhere(same[low[1] : high[1], low[0] : high[0]])[:, ::-1] + low + 0.5
        self.place, self._off = ((points - self._middle) @ np.stack([self.along, self._across]).T).T
        self.in_line = np.abs(self._off) <= self.height / 2 + 1
        beside = (np.abs(self._off) > self.height / 2 + _HIGHER) & (np.abs(self._off) <= 1.5 * self.height + 5)
        self._sides = beside & (self._off < 0), beside & (self._off > 0)
        self._share = (self.height + 2) / (2 * (self.height + 5 - _HIGHER))  # of the line's area to that of the strips beside it
        self._is_common = int(same.sum()) - int(self.in_line.sum()) > _COMMON * same.size

    def reached(self) -> tuple[float, float] | None:
        """Return from where to where pixels of the value go on: the stretch for which most speaks; None when too little does.

        Every step speaks for the line as much as its pixels are likelier at the rate of the line than at that beside it.
        """
        if self._is_common or not self.in_line.any():
            return None
        step = max(_STEP * self.height, 2.0)
        count = int(np.ceil(self._reach / step))
        edges = np.arange(-count, count + 1) * step
        inked = np.histogram(self.place[self.in_line], edges)[0].astype(float)
        width = 2 * int(_AROUND * self.height / step) + 1
        around = [np.convolve(np.histogram(self.place[side], edges)[0], np.full(width, 1 / width), "same") for side in self._sides]
        chance = np.maximum(2 * self._share * np.maximum(*around), _STRAY * step * self.height)
        middles = (edges[:-1] + edges[1:]) / 2
        own = np.abs(middles) <= self.length / 2
        if not own.any():
            return None
        rate = float((inked - chance)[own].mean())
        if rate < _DENSE * float(chance[own].mean()):
            return None
        speaks = np.maximum(inked * np.log1p(rate / chance) - rate, -_SPACE * step / self.height)
        if speaks[own].sum() < _ENOUGH:
            return None
        first, last = (int(place) for place in np.flatnonzero(own)[[0, -1]])
        while first < last and speaks[first] < 0:
            first += 1
        while last > first and speaks[last] < 0:
            last -= 1
        gap = int(_GAP * self.height / step)
        last += _steps_on(speaks[last + 1 :], gap)
        first -= _steps_on(speaks[:first][::-1], gap)
        reached = self.place[self.in_line & (self.place >= edges[first]) & (self.place <= edges[last + 1])]
        return (float(reached.min()) - 0.5, float(reached.max()) + 0.5) if reached.size else None

    def rows(self, own: Plane) -> tuple[float, float]:
        """Return from where to where across a line there are more of some of the pixels than beside it."""
        most = np.ceil(self.height / 2 + _HIGHER)
        edges = np.arange(-most, most + 1)
        beside = (np.logical_or(*self._sides) & own).sum() * self._share / (self.height + 2)
        inked = np.flatnonzero(np.histogram(self._off[own], edges)[0] >= max(2.0, _DENSER * beside))
        if not inked.size:
            return -self.height / 2, self.height / 2
        return float(edges[inked[0]]), float(edges[inked[-1] + 1])


def _steps_on(speaks: Points, gap: int) -> int:
    """Return how many steps a line goes on: to where most speaks for it, if that is enough, and across no gap of so many steps."""
    if len(speaks) >= gap:
        is_silent = np.convolve(speaks <= 0, np.ones(gap), "valid") == gap
        speaks = speaks[: int(is_silent.argmax())] if is_silent.any() else speaks
    total = np.cumsum(speaks)
    return int(total.argmax()) + 1 if total.size and float(total.max()) >= _ENOUGH else 0
