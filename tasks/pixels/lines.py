"""Whole lines: a box found is looked at again upright and enlarged, and lengthened until no ink of its line is left outside.

Whether a box is text does not belong here (`find`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tasks.pixels.boxes import Points, TextBox, boxes_of
from tasks.pixels.engine import TextEngine
from tasks.pixels.ink import Mask
from tasks.pixels.views import Image8

_LINE = 28  # height in pixels at which the detector is at its best
_FRAME = 32
_INKED = 0.03  # of a box: exact ink that tells where its line ends
_BEYOND, _BESIDE = 4.0, 1.2  # line heights looked at beyond the ends and at the sides


@dataclass(frozen=True, slots=True)
class Patch:
    """An upright cut around a box: x along the line, y across; `scale` patch pixels per pixel of the frame."""

    origin: Points
    unit: Points
    up: Points
    scale: float
    width: int
    depth: int
    box: tuple[float, float, float, float]  # the box in patch pixels: x0, y0, x1, y1

    @property
    def transform(self) -> Points:
        a, b = self.unit / self.scale, self.up / self.scale
        return np.array([[a[0], b[0], self.origin[0]], [a[1], b[1], self.origin[1]]], np.float32)

    def cut(self, image: Image8, smooth: bool = True) -> Image8:
        import cv2

        flags = (cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST) | cv2.WARP_INVERSE_MAP
        border = cv2.BORDER_REPLICATE if smooth else cv2.BORDER_CONSTANT
        patch: Image8 = cv2.warpAffine(image, self.transform, (self.width, self.depth), flags=flags, borderMode=border)
        return patch

    def back(self, x0: float, y0: float, x1: float, y1: float) -> Points:
        """Return the corners in the frame of a rectangle in patch pixels."""
        points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32) / np.float32(self.scale)
        return np.asarray(self.origin + points[:, :1] * self.unit + points[:, 1:] * self.up, np.float32)


def patch_around(box: TextBox, scale: float) -> Patch | None:
    """Return the upright cut around a box and the ground about it; None when the box is too small."""
    a, b, c, d = box.corners
    along, across = (b - a, c - b) if np.linalg.norm(b - a) >= np.linalg.norm(c - b) else (c - b, d - c)
    length, height = float(np.linalg.norm(along)), float(np.linalg.norm(across))
    if height < 3 or length < 3:
        return None
    unit, up = (along / length).astype(np.float32), (across / height).astype(np.float32)
    reach, side = _BEYOND * height, _BESIDE * height
    origin = box.corners.mean(axis=0) - unit * (length / 2 + reach) - up * (height / 2 + side)
    size = int((length + 2 * reach) * scale), int((height + 2 * side) * scale)
    inner = (reach * scale, side * scale, (reach + length) * scale, (side + height) * scale)
    return Patch(np.asarray(origin, np.float32), unit, up, scale, *size, inner)


def look_closer(box: TextBox, lifted: Image8, engine: TextEngine) -> TextBox:
    """Return the box united with what the detector sees of its line in an upright, enlarged cut around it."""
    import cv2

    height = min(box.sides)
    patch = patch_around(box, min(max(_LINE / max(height, 1), 0.5), 3.0))
    if patch is None or patch.width > 2000 or patch.width * patch.depth > 400_000:
        return box
    cut = patch.cut(lifted)
    # the detector sees little in a narrow strip: give it a quiet frame around
    ground = [float(v) for v in np.median(cut.reshape(-1, 3), axis=0)]
    edge = _FRAME, _FRAME + -cut.shape[0] % 32, _FRAME, _FRAME + -cut.shape[1] % 32
    padded = cv2.copyMakeBorder(cut, *edge, cv2.BORDER_CONSTANT, value=ground)
    x0, y0, x1, y1 = patch.box
    middle, line = (y0 + y1) / 2, y1 - y0
    for corners, _ in boxes_of(engine.text_map(padded)[_FRAME : _FRAME + cut.shape[0], _FRAME : _FRAME + cut.shape[1]]):
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        in_line = abs((top + bottom) / 2 - middle) < 0.5 * line and bottom - top < 1.7 * line
        if in_line and left < x1 + 1.5 * line and right > x0 - 1.5 * line:
            x0, x1 = min(x0, float(left)), max(x1, float(right))
            y0, y1 = min(y0, float(max(top, y0 - 0.35 * line))), max(y1, float(min(bottom, y1 + 0.35 * line)))
    return replace(box, corners=patch.back(x0, y0, x1, y1))


def grow(box: TextBox, lifted: Image8, drawn: Mask | None) -> TextBox:
    """Return the box lengthened while the strips beyond its ends look like its inside, not like the ground around.

    `lifted` is the view with even contrast (one plane); `drawn` exact ink, which settles the matter where there is any.
    """
    patch = patch_around(box, 1.0)
    if patch is None:
        return box
    x0, y0, x1, y1 = patch.box
    height = y1 - y0
    top, bottom, start, stop = int(y0), int(y1), int(x0), int(x1)
    seen = patch.cut(lifted).astype(np.float32)
    signs = [np.abs(np.diff(seen, axis=1, prepend=seen[:, :1])) + np.abs(np.diff(seen, axis=0, prepend=seen[:1]))]
    if drawn is not None:
        ink = patch.cut(drawn.astype(np.uint8), smooth=False)
        if ink[top:bottom, start:stop].mean() > _INKED:
            signs.append(ink.astype(np.float32) * 100)
    before = after = 0.0
    margin = int(0.25 * height)
    for energy in signs:
        inside = float(energy[top:bottom, start:stop].mean())
        around = np.concatenate([energy[: max(top - margin, 1), start:stop], energy[bottom + margin :, start:stop]])
        ground = float(np.median(around.mean(axis=1))) if around.size else 0.0
        if inside < 1.6 * ground + 1:
            continue
        level = ground + 0.45 * (inside - ground)
        columns = energy[top:bottom].mean(axis=0)
        gap = height if inside > 3 * ground + 1 else 0.0
        before = max(before, _reach(columns[:start][::-1], level, height, gap))
        after = max(after, _reach(columns[stop:], level, height, gap))
    return replace(box, corners=patch.back(x0 - before, y0, x1 + after, y1)) if before or after else box


def _reach(columns: np.ndarray[Any, Any], level: float, height: float, gap: float) -> float:
    """Return how many pixels of text follow: a window of 0.6 line heights must stay above the level, a gap may lie between."""
    window = max(int(0.6 * height), 3)
    reached, position, blank = 0, 0, 0
    while position + window <= len(columns) and blank <= gap:
        if float(columns[position : position + window].mean()) > level:
            reached, blank = position + window, 0
        else:
            blank += max(window // 2, 1)
        position += max(window // 2, 1)
    return float(min(reached, len(columns)))
