"""Rotated text boxes: from the detector's text map to boxes, turned and cropped.

Whether a box is text (`find`) and where its line ends (`lines`) does not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tasks.pixels.engine import TextEngine
from tasks.pixels.views import Image8

Points = np.ndarray[Any, np.dtype[np.float32]]

_TILE, _OVERLAP, _WHOLE = 1024, 160, 1100
_LARGEST_SCALE = 3.0
_PIXEL, _BOX, _UNCLIP = 0.3, 0.3, 1.6


@dataclass(frozen=True, slots=True)
class TextBox:
    """A rotated rectangle of text in pixels of the frame, with what was read in it (identified: never shown)."""

    corners: Points  # (4, 2) x, y
    score: float
    text: str = field(default="", repr=False)
    text_score: float = 0.0
    rule: str = "P1.ocr"
    slack: float = 5.0  # pixels by which its ink may reach beyond its ends: least where its ends are those of its ink
    parts: tuple[Points, ...] = ()  # rectangles on its axes that hold all of its ink, where that is not the box itself

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """The upright bounding box: x, y, width, height."""
        (x0, y0), (x1, y1) = np.floor(self.corners.min(axis=0)), np.ceil(self.corners.max(axis=0))
        return int(x0), int(y0), int(x1 - x0), int(y1 - y0)

    @property
    def sides(self) -> tuple[float, float]:
        """Lengths of its two sides in pixels."""
        a, b, c, _ = self.corners
        return float(np.linalg.norm(b - a)), float(np.linalg.norm(c - b))


def axes_of(box: TextBox) -> tuple[Points, Points, float, float]:
    """Return the directions along and across a line, its length and its height."""
    a, b, c, _ = box.corners
    along, across = (b - a, c - b) if np.linalg.norm(b - a) >= np.linalg.norm(c - b) else (c - b, b - a)
    length, height = max(float(np.linalg.norm(along)), 1e-3), max(float(np.linalg.norm(across)), 1e-3)
    return (along / length).astype(np.float32), (across / height).astype(np.float32), length, height


def box_between(box: TextBox, low: tuple[float, float], high: tuple[float, float]) -> Points:
    """Return the corners of a box on the axes of another, from `low` to `high` (along, across) as seen from its middle."""
    along, across, _, _ = axes_of(box)
    corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])], np.float32) @ np.stack([along, across])
    return np.asarray(corners + box.corners.mean(axis=0), np.float32)


def detect(image: Image8, engine: TextEngine, short_side: int) -> list[tuple[Points, float]]:
    """Return (corners, score) of every box in one view; small views are enlarged to `short_side`, large ones tiled."""
    boxes = []
    for top, left, tile in _tiles(image):
        boxes += [(corners + np.array([left, top], np.float32), score) for corners, score in _detect_tile(tile, engine, short_side)]
    return boxes


def _tiles(image: Image8) -> list[tuple[int, int, Image8]]:
    rows, columns = image.shape[:2]
    (tops, height), (lefts, width) = _steps(rows), _steps(columns)
    tiles = ((top, left, image[top : top + height, left : left + width]) for top in tops for left in lefts)
    return [(top, left, tile) for top, left, tile in tiles if int(tile.max()) - int(tile.min()) > 2]


def _steps(length: int) -> tuple[list[int], int]:
    """Return where equal tiles that overlap begin on one side, and how long they are."""
    if length <= _WHOLE:
        return [0], length
    count = -(-(length - _OVERLAP) // (_TILE - _OVERLAP))
    size = -(-(length + (count - 1) * _OVERLAP) // count)
    return [(length - size) * number // (count - 1) for number in range(count)], size


def _detect_tile(tile: Image8, engine: TextEngine, short_side: int) -> list[tuple[Points, float]]:
    import cv2

    scale = min(max(short_side / min(tile.shape[:2]), 1.0), _LARGEST_SCALE)
    if scale > 1:
        tile = cv2.resize(tile, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    padded = cv2.copyMakeBorder(tile, 0, -tile.shape[0] % 32, 0, -tile.shape[1] % 32, cv2.BORDER_REPLICATE)
    found = engine.text_map(padded)[: tile.shape[0], : tile.shape[1]]
    return [(corners / np.float32(scale), score) for corners, score in boxes_of(found)]


def boxes_of(found: np.ndarray[Any, np.dtype[np.float32]]) -> list[tuple[Points, float]]:
    """Return rotated boxes (corners, mean probability) of a text map, grown back from the map's shrunken kernels."""
    import cv2

    mask = cv2.dilate((found > _PIXEL).astype(np.uint8), np.ones((2, 2), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    boxes = []
    for label in range(1, count):
        x, y, width, height, area = stats[label]
        if min(width, height) < 3 or area < 9:
            continue
        inside = labels[y : y + height, x : x + width] == label
        score = float(found[y : y + height, x : x + width][inside].mean())
        if score < _BOX:
            continue
        points = np.argwhere(inside)[:, ::-1].astype(np.float32) + np.array([x, y], np.float32)
        (cx, cy), (w, h), angle = cv2.minAreaRect(points)
        w, h = w + 1, h + 1
        more = _UNCLIP * w * h / (w + h)
        boxes.append((cv2.boxPoints(((cx + 0.5, cy + 0.5), (w + more, h + more), angle)), score))
    return boxes


def crop(image: Image8, corners: Points) -> Image8:
    """Cut a rotated box out of a grey view, turned so that its long side lies flat."""
    import cv2

    ordered = _from_top_left(corners)
    width = max(int(np.linalg.norm(ordered[0] - ordered[1])), 4)
    height = max(int(np.linalg.norm(ordered[0] - ordered[3])), 4)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    cut: Image8 = cv2.warpPerspective(
        np.ascontiguousarray(image),
        cv2.getPerspectiveTransform(ordered, target),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.ascontiguousarray(np.rot90(cut)) if height >= 1.5 * width else cut


def _from_top_left(corners: Points) -> Points:
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = by_x[:2], by_x[2:]
    left, right = left[np.argsort(left[:, 1])], right[np.argsort(right[:, 1])]
    return np.array([left[0], right[0], right[1], left[1]], np.float32)
