"""Text regions in one 8-bit view: tiles, scale, boxes from the text map, and the filters that keep anatomy unmasked.

Which frames and which views to look at does not belong here (`plan`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tasks.pixels.engine import TextEngine
from tasks.pixels.views import Image8

Points = np.ndarray[Any, np.dtype[np.float32]]

_TILE, _OVERLAP = 1024, 160
_SHORT_SIDE, _LARGEST_SCALE = 736, 3.0
_PIXEL, _BOX, _UNCLIP = 0.3, 0.3, 1.6


@dataclass(frozen=True, slots=True)
class TextBox:
    """A rotated rectangle of text in pixels of the frame, with what was read in it (identified: never shown)."""

    corners: Points  # (4, 2) x, y
    score: float
    text: str = field(default="", repr=False)
    text_score: float = 0.0
    rule: str = "P1.ocr"

    @property
    def bounds(self) -> tuple[int, int, int, int]:
        """The upright bounding box: x, y, width, height."""
        (x0, y0), (x1, y1) = np.floor(self.corners.min(axis=0)), np.ceil(self.corners.max(axis=0))
        return int(x0), int(y0), int(x1 - x0), int(y1 - y0)


def find_text(image: Image8, engine: TextEngine) -> list[TextBox]:
    """Return the text boxes of one view that survive the filters."""
    boxes = []
    for top, left, tile in _tiles(image):
        for corners, score in _detect(tile, engine):
            boxes.append((corners + np.array([left, top], np.float32), score))
    return _believed(image, boxes, engine)


def _tiles(image: Image8) -> list[tuple[int, int, Image8]]:
    rows, columns = image.shape[:2]
    if max(rows, columns) <= 1100:
        return [(0, 0, image)]
    step = _TILE - _OVERLAP
    tops = [*range(0, max(rows - _TILE, 0), step), max(rows - _TILE, 0)]
    lefts = [*range(0, max(columns - _TILE, 0), step), max(columns - _TILE, 0)]
    tiles = ((top, left, image[top : top + _TILE, left : left + _TILE]) for top in tops for left in lefts)
    return [(top, left, tile) for top, left, tile in tiles if int(tile.max()) - int(tile.min()) > 2]


def _detect(tile: Image8, engine: TextEngine) -> list[tuple[Points, float]]:
    import cv2

    rows, columns = tile.shape[:2]
    scale = min(max(_SHORT_SIDE / min(rows, columns), 1.0), _LARGEST_SCALE)
    if scale > 1:
        tile = cv2.resize(tile, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    down, right = -tile.shape[0] % 32, -tile.shape[1] % 32
    padded = cv2.copyMakeBorder(tile, 0, down, 0, right, cv2.BORDER_REPLICATE)
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
        grow = 2 * w * h * _UNCLIP / (2 * (w + h))
        boxes.append((cv2.boxPoints(((cx + 0.5, cy + 0.5), (w + grow, h + grow), angle)), score))
    return boxes


def _believed(image: Image8, boxes: list[tuple[Points, float]], engine: TextEngine) -> list[TextBox]:
    """Read every box and drop what is anatomy: large shapes read as one or two characters, single doubtful characters."""
    if not boxes:
        return []
    readings = engine.read([crop(image, corners) for corners, _ in boxes])
    short = 0.12 * min(image.shape[:2])
    kept = []
    for (corners, score), reading in zip(boxes, readings, strict=True):
        sides = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
        characters = len(reading.text.replace(" ", ""))
        if (min(sides) > short and characters <= 2) or (characters <= 1 and reading.score < 0.3):
            continue
        kept.append(TextBox(corners, score, reading.text, reading.score))
    return kept


def crop(image: Image8, corners: Points) -> Image8:
    """Cut a rotated box out of a view, turned so that its long side lies flat."""
    import cv2

    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    ordered = _from_top_left(corners)
    width = max(int(np.linalg.norm(ordered[0] - ordered[1])), 4)
    height = max(int(np.linalg.norm(ordered[0] - ordered[3])), 4)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    cut: Image8 = cv2.warpPerspective(
        grey, cv2.getPerspectiveTransform(ordered, target), (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.ascontiguousarray(np.rot90(cut)) if height >= 1.5 * width else cut


def _from_top_left(corners: Points) -> Points:
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = by_x[:2], by_x[2:]
    left, right = left[np.argsort(left[:, 1])], right[np.argsort(right[:, 1])]
    return np.array([left[0], right[0], right[1], left[1]], np.float32)
