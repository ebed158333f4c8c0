"""From the ink network's maps to boxes: which parts of a frame are lines of text, each as tight a rotated rectangle as its ink allows.

Reading does not belong here (`find`), nor does the margin that is blanked around a box (`blank`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tasks.pixels.boxes import Points, TextBox, axes_of
from tasks.pixels.network import InkMaps

_SURE, _LINE = 0.7, 0.35  # probability that a line must reach somewhere, and down to which it is followed
_INK = 0.35  # probability from which a pixel counts as ink
_CORE = 0.6  # probability of a line from which a pixel counts towards the extent of a box
_CLEAR = 0.08  # of a component is ink: then ink alone tells its extent
_LEAST_INK, _LEAST_LINE = 6, 12  # pixels of the maps: three letters of the smallest font
_FILLED = 0.7  # of its rectangle: a component that fills less is cut in two
_SMALL = 8.0  # pixels of the maps: shorter parts are not cut
_GAP, _ASIDE, _TALLER = 2.0, 0.6, 2.2  # line heights: between two pieces of a line, off its middle, and how high a piece may be
_DIRECTED, _PARALLEL = 2.5, 0.97  # heights from which a piece has a direction of its own; cosine of fourteen degrees
_GROWN = 0.3  # line heights by which a piece may make its line higher
_WITHIN = 0.5  # probability of a line where ink counts towards its extent
_CERTAIN = 0.85  # probability of a line with or without clear ink
_NEARLY, _NO_LARGER = 0.96, 1.2  # cosine of sixteen degrees; times its area that a box may have as an upright one
_BETWEEN = 2  # rows of the maps without ink between two lines of one component
_FAR, _SHARE = 1.5, 0.06  # line heights without ink, and share of a line's ink: less, so far off, is not the line's
_MOST_PIECES = 80  # more of them are a texture that no line runs through

Inside = np.ndarray[Any, np.dtype[np.bool_]]


def lines_of(maps: InkMaps, doubt: float = 1.0) -> list[TextBox]:
    """Return a box, in pixels of the frame, for every line of text that the maps show; `doubt` above 1 asks for more certainty."""
    import cv2

    sure = 1 - (1 - _SURE) / doubt
    count, labels, stats, _ = cv2.connectedComponentsWithStats((maps.line > _LINE).astype(np.uint8), connectivity=8)
    boxes: list[TextBox] = []
    for label in range(1, count):
        x, y, width, height, area = stats[label]
        if area < _LEAST_LINE:
            continue
        window = slice(y, y + height), slice(x, x + width)
        inside = labels[window] == label
        line, ink = maps.line[window][inside], maps.ink[window][inside]
        if int((line > sure).sum()) < _LEAST_LINE or int((ink > _INK).sum()) < _LEAST_INK * doubt:
            continue
        score = float(line[line > sure].mean())
        points = np.argwhere(inside)[:, ::-1].astype(np.float32) + np.array([x, y], np.float32)
        core = (ink > _INK) & (line > _CORE)
        core = core if core.mean() > _CLEAR else (line > _CORE) | (ink > _INK)
        boxes += [TextBox(corners, score, rule="P1.ink", slack=3.0) for corners in _rectangles(points, core)]
    inked = np.argwhere((maps.ink > _INK) & (maps.line > _WITHIN))[:, ::-1].astype(np.float32) * 2 + 1
    certain = np.argwhere(maps.line > _CERTAIN)[:, ::-1].astype(np.float32) * 2 + 1
    return [_trimmed(_upright(box, inked), inked, certain) for box in _whole_lines(boxes)]


def _upright(box: TextBox, inked: Points) -> TextBox:
    """Return a box that is turned by little as an upright one, unless its ink (given as points of the frame) says that it is turned."""
    along, across, length, height = axes_of(box)
    straight = np.round(along)
    if np.abs(straight).sum() != 1 or float(np.abs(along @ straight)) < _NEARLY or float(np.abs(along @ straight)) > 1 - 1e-6:
        return box
    middle = box.corners.mean(axis=0)
    place = (inked - middle) @ np.stack([along, across]).T
    own = inked[(np.abs(place[:, 0]) <= length / 2 + 1) & (np.abs(place[:, 1]) <= height / 2 + 1)]
    if len(own) < _LEAST_INK:
        return box
    (left, top), (right, bottom) = np.quantile(own, (0.005, 0.995), axis=0)
    if float(right - left + 2) * float(bottom - top + 2) > _NO_LARGER * length * height:
        return box
    left, top, right, bottom = left - 1, top - 1, right + 1, bottom + 1
    return replace(box, corners=np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32))


def _trimmed(box: TextBox, inked: Points, certain: Points) -> TextBox:
    """Return the box cut down to the clear ink inside it (given as points of the frame), without ink that stands far off at its ends.

    It stays as long as points go on in it that certainly lie in a line.
    """
    middle, (along, across, length, height) = box.corners.mean(axis=0), axes_of(box)
    axes = np.stack([along, across])
    near = inked[(np.abs(inked - middle) <= length).all(axis=1)]
    place = (near - middle) @ axes.T
    place = place[(np.abs(place) <= np.array([length, height]) / 2 + 1).all(axis=1)]
    if len(place) * 4 < _CLEAR * length * height:
        return box
    order = np.sort(place[:, 0])
    groups = np.split(order, np.flatnonzero(np.diff(order) > _FAR * height) + 1)
    kept = [group for group in groups if len(group) >= _SHARE * len(order)]
    if not kept:
        return box
    left, right = float(kept[0][0]) - 1, float(kept[-1][-1]) + 1
    sure = (certain - middle) @ axes.T
    sure = sure[(np.abs(sure) <= np.array([length, height]) / 2).all(axis=1), 0]
    if sure.size:
        left, right = min(left, float(np.quantile(sure, 0.002))), max(right, float(np.quantile(sure, 0.998)))
    off = place[(place[:, 0] >= left) & (place[:, 0] <= right), 1]
    top, bottom = (float(v) for v in np.quantile(off, (0.005, 0.995)))
    left, right = max(left, -length / 2), min(right, length / 2)
    top, bottom = max(top - 1.5, -height / 2), min(bottom + 1.5, height / 2)
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32) @ axes + middle
    return replace(box, corners=corners.astype(np.float32))


def _rectangles(points: Points, core: Inside) -> list[Points]:
    """Return the corners of one rectangle around the core of some points of the maps, or of several where the points bend or branch."""
    import cv2

    if not core.any():
        return []
    (cx, cy), (width, height), angle = cv2.minAreaRect(points)
    if len(points) >= _FILLED * (width + 1) * (height + 1) or max(width, height) < _SMALL:
        parts = _separate(points[core])
        return [_rectangle(part) for part in (parts if len(parts) > 1 else [points[core]])]
    turned = np.deg2rad(angle if width >= height else angle + 90)
    along: np.ndarray[Any, Any] = (points - np.array([cx, cy], np.float32)) @ np.array([np.cos(turned), np.sin(turned)], np.float32)
    return [corners for half in (along <= 0, along > 0) if half.any() for corners in _rectangles(points[half], core[half])]


def _rectangle(points: Points) -> Points:
    import cv2

    (cx, cy), (width, height), angle = cv2.minAreaRect(points)
    return np.asarray(cv2.boxPoints((((cx + 0.5) * 2, (cy + 0.5) * 2), (2 * width + 2, 2 * height + 2), angle)), np.float32)


def _separate(points: Points) -> list[Points]:
    """Return points of the maps apart by the lines that they belong to: lines that lie close above each other are one component."""
    import cv2

    (cx, cy), (width, height), angle = cv2.minAreaRect(points)
    turned = np.deg2rad(angle + 90 if width >= height else angle)
    across = np.round((points - np.array([cx, cy], np.float32)) @ np.array([np.cos(turned), np.sin(turned)], np.float32))
    rows = np.unique(across)
    borders = rows[:-1][np.diff(rows) > _BETWEEN]
    return [part for number in range(len(borders) + 1) if len(part := points[np.searchsorted(borders, across) == number]) >= _LEAST_INK]


def _whole_lines(boxes: list[TextBox]) -> list[TextBox]:
    """Return the boxes with those joined that are pieces of one line: of like height, one behind the other, little between them."""
    waiting = sorted(boxes, key=lambda box: -max(box.sides))
    if len(waiting) > _MOST_PIECES:
        return boxes
    whole: list[TextBox] = []
    while waiting:
        box, *waiting = waiting
        height, joined = axes_of(box)[3], True
        while joined:  # a longer line may reach further pieces
            joined, rest = False, []
            for other in waiting:
                longer = _joined(box, other, height)
                if longer is None:
                    rest.append(other)
                else:
                    box, joined = longer, True
            waiting = rest
        whole.append(box)
    return whole


def _joined(line: TextBox, piece: TextBox, height: float) -> TextBox | None:
    """Return the line lengthened by a piece of it; None when the other is no piece of it.

    `height` is that of the line before pieces made it higher: they do not add up.
    """
    along, across, length, _ = axes_of(line)
    if length < 1.5 * height or height < 1:
        return None
    direction, _, its_length, its_height = axes_of(piece)
    if its_length >= _DIRECTED * its_height and abs(float(along @ direction)) < _PARALLEL:
        return None  # a line of its own, that runs elsewhere
    axes, middle = np.stack([along, across]), line.corners.mean(axis=0)
    own, other = (line.corners - middle) @ axes.T, (piece.corners - middle) @ axes.T
    (left, top), (right, bottom) = other.min(axis=0), other.max(axis=0)
    gap = max(float(left) - length / 2, -length / 2 - float(right))
    if gap > _GAP * height or abs(float(top + bottom)) / 2 > _ASIDE * height or float(bottom - top) > _TALLER * height:
        return None
    low, high = np.minimum(own.min(axis=0), other.min(axis=0)), np.maximum(own.max(axis=0), other.max(axis=0))
    low[1], high[1] = max(low[1], -(0.5 + _GROWN) * height), min(high[1], (0.5 + _GROWN) * height)
    corners = np.array([low, [high[0], low[1]], high, [low[0], high[1]]], np.float32) @ axes + middle
    return replace(line, corners=corners.astype(np.float32), score=max(line.score, piece.score))
