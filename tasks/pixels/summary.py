"""Many frames seen as one: projections that keep bright and dark text of any frame, and the frames that hold exact ink.

Nothing here is larger than a few frames, however many are added.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from tasks.pixels.boxes import TextBox, crop
from tasks.pixels.decode import Frame
from tasks.pixels.ink import ink_mask

_REMEMBERED = 15  # frames kept for the median
_TWO_LETTERS, _LETTERS = 16, 30  # pixels of exact ink of one value in the smallest font
_ALIKE = 0.6  # correlation from which two frames show the same text
_OWN_ALIKE = 0.2  # correlation of what two frames do not share with most others; that of independent noise stays far below
_SHARED = 0.25  # of a pattern's energy: with less of its own, it is what most frames show
_LEAST_COMPARED = 5  # frames
_OUTSTANDING = 2.0  # deviations, on average over nine blocks
_USUAL = 0.2  # share of the frames that hold ink of a value: from here on it is the picture's own


class Summary:
    """Add frames of one size one after the other; then ask for projections and suspects."""

    def __init__(self, exact: bool) -> None:
        self._exact = exact
        self._greatest: Frame | None = None
        self._least: Frame | None = None
        self._kept: list[Frame] = []
        self._every = 1
        self._count = 0
        self._ink: list[dict[int, int]] = []
        self._detail: list[np.ndarray[Any, np.dtype[np.float16]]] = []

    def add(self, frame: Frame) -> None:
        """Take one frame into account."""
        if self._greatest is None or self._least is None:
            self._greatest, self._least = frame.copy(), frame.copy()
        else:
            np.maximum(self._greatest, frame, out=self._greatest)
            np.minimum(self._least, frame, out=self._least)
        if self._count % self._every == 0:
            self._kept.append(frame.copy())
            if len(self._kept) > 2 * _REMEMBERED:
                self._kept = self._kept[::2]
                self._every *= 2
        self._ink.append(_ink_values(frame) if self._exact else {})
        self._detail.append(_detail(frame))
        self._count += 1

    @property
    def extremes(self) -> list[Frame]:
        """The greatest and the least value of each pixel over all frames."""
        return [] if self._greatest is None or self._least is None else [self._greatest, self._least]

    def projections(self) -> list[Frame]:
        """Return the greatest, the least and the median value of each pixel over all frames (the median over a sample)."""
        if not self._kept:
            return []
        median = np.median(np.stack(self._kept), axis=0).astype(self._kept[0].dtype)
        return [*self.extremes, median]

    def suspects(self, most: int) -> list[int]:
        """Return the frames that differ from their neighbours as drawn text does, at most so many by the first sign, a third by the second.

        The signs are exact ink of a value in which few others hold any (padding, air cut off at zero and saturated metal have the same
        values in many frames; drawn text stands alone), and places with more fine detail than the frames before and after show there.
        """
        return sorted({*self._with_ink(most), *self._with_detail(most // 3)})

    def _with_detail(self, most: int) -> list[int]:
        """Return the frames that stand out by their detail somewhere, those that stand out most if they are more than so many."""
        if self._count < _LEAST_COMPARED:
            return []
        detail = np.stack(self._detail).astype(np.float32)
        times = np.arange(self._count)
        around = np.clip(times[:, None] + np.array([-3, -2, -1, 1, 2, 3]), 0, self._count - 1)
        outstanding = np.zeros(detail.shape, np.float32)
        for part in range(0, detail.shape[1], 8):  # a few rows of blocks at a time: a cine may have thousands of frames
            here = detail[:, part : part + 8]
            excess = here - np.median(here[around], axis=1)
            spread = 1.48 * np.median(np.abs(excess), axis=0) + 0.04 * np.median(here, axis=0) + 0.05
            outstanding[:, part : part + 8] = np.clip(excess / spread, -3, 12)
        import cv2

        found = np.array([float(cv2.blur(plane, (3, 3), borderType=cv2.BORDER_REFLECT).max()) for plane in outstanding])
        wanted = np.flatnonzero(found >= _OUTSTANDING)
        return [int(i) for i in wanted[np.argsort(-found[wanted], kind="stable")[:most]]]

    def _with_ink(self, most: int) -> list[int]:
        holders = Counter(value for inks in self._ink for value in inks)
        usual = {value for value, count in holders.items() if count > max(_USUAL * self._count, 1)}
        fullest = np.array([max((n for value, n in inks.items() if value not in usual), default=0) for inks in self._ink])
        found = np.flatnonzero(fullest >= _LETTERS)
        if len(found) > most:
            found = found[np.argsort(-fullest[found], kind="stable")[:most]]
        return [int(i) for i in np.sort(found)]


def _detail(frame: Frame) -> np.ndarray[Any, np.dtype[np.float16]]:
    """Return how much neighbouring pixels differ, by blocks of 8 pixels (16 in large frames)."""
    import cv2

    grey = frame.astype(np.float32) if frame.ndim == 2 else frame.astype(np.float32).max(axis=2)
    size = 8 if max(grey.shape) <= 640 else 16
    fine = np.abs(cv2.Laplacian(grey, cv2.CV_32F, borderType=cv2.BORDER_REFLECT))
    blocks = cv2.resize(fine, (-(-grey.shape[1] // size), -(-grey.shape[0] // size)), interpolation=cv2.INTER_AREA)
    return np.asarray(np.sqrt(np.minimum(blocks, 60000)), np.float16)


def _ink_values(frame: Frame) -> dict[int, int]:
    """Return how many pixels of exact ink a frame holds by value, where they are enough for two letters."""
    if frame.ndim == 3:
        wide = frame.astype(np.int64)
        frame = (wide[..., 0] << 32) | (wide[..., 1] << 16) | wide[..., 2]
    values, counts = np.unique(frame[ink_mask(frame, quick=True)], return_counts=True)
    return {int(v): int(n) for v, n in zip(values, counts, strict=True) if n >= _TWO_LETTERS}


def pattern_in(frame: Frame, box: TextBox) -> Frame:
    """Return the fine structure of a frame inside a box (the mean of each neighbourhood taken away)."""
    import cv2

    cut: np.ndarray[Any, Any] = crop(frame.astype(np.float32), box.corners)
    return np.asarray(cut - cv2.GaussianBlur(cut, (0, 0), max(min(cut.shape) / 4, 1)))


def carries(frame: Frame, box: TextBox, pattern: Frame, usual: Frame) -> bool:
    """Tell whether a frame shows inside a box the text whose pattern some other frame, or a projection, showed there.

    `usual` is the pattern that most frames show there: anatomy that all share makes no two frames alike, where the text is not part of it.
    """
    here = pattern_in(frame, box)
    if _likeness(here, pattern) <= _ALIKE:
        return False
    own = pattern - usual
    in_most_frames = float((own * own).sum()) < _SHARED * float((pattern * pattern).sum())
    return in_most_frames or _likeness(here - usual, own) > _OWN_ALIKE


def _likeness(one: Frame, other: Frame) -> float:
    norm = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return float((one * other).sum()) / norm if norm > 0 else 0.0
