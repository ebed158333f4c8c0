"""Text regions of one frame: two passes of the detector, the ink view, and the rules by which a box is believed.

Which frames to look at does not belong here (`plan`), nor how boxes are made from a text map (`boxes`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tasks.pixels.boxes import Points, TextBox, crop, detect, turn_back
from tasks.pixels.decode import Frame
from tasks.pixels.engine import Reading, TextEngine
from tasks.pixels.glyphs import glyph_rows
from tasks.pixels.ink import Mask, ink_like, ink_mask, ink_view
from tasks.pixels.layout import PixelLayout
from tasks.pixels.lines import grow, look_closer
from tasks.pixels.tight import tighten
from tasks.pixels.views import Image8, lift, see

# Evidence = characters read x probability^1.5. On real frames anatomy reaches 1.0 and text 5 and more (tests/bench/burned_in).
_EVIDENCE, _EVIDENCE_SQUARE, _EVIDENCE_LARGE = 1.4, 2.2, 2.5
_LARGE = 0.13  # of the frame's short side: boxes this high must be read well
_INKED = 0.06  # of a box: exact ink that makes it text however it reads
_ROUND = frozenset("0Oo°CcDUu1IilL|/\\()[]<>.,:;-_~'`^=\"8")  # what anatomy is read as
_CLOSER = 12  # boxes of one frame that are looked at again, upright and enlarged
_SURE = 0.7  # the detector's own probability
_BESIDE = "P5.beside"  # the rule of fragments: those that read as nothing do not grow
_TWO_LETTERS = 22  # pixels of ink


def find_text(
    frame: Frame, layout: PixelLayout, engine: TextEngine, palette: Image8 | None = None, lossy: bool = False, doubt: float = 1.0
) -> list[TextBox]:
    """Return the text boxes of one decoded frame (or projection of frames), grown to cover whole lines.

    `lossy` frames are not asked for exact ink: compression has blurred it. `doubt` multiplies the evidence that a box must bring.
    """
    plain = see(frame, layout, palette)
    if int(plain.max()) == int(plain.min()) and (lossy or int(frame.max()) == int(frame.min())):
        return []
    lifted = lift(frame, plain)
    drawn = None if lossy or layout.floating or layout.bits_allocated == 1 else ink_mask(_plane(frame, plain))
    candidates = [(corners, score, "P1.ocr") for corners, score in detect(lifted, engine, 736)]
    candidates += [(corners, score, "P1.ocr") for corners, score in _turned(lifted, engine)]
    rows: list[Points] = []
    if drawn is not None and drawn.any():
        rows = glyph_rows(drawn, _plane(frame, plain)) if doubt <= 1 else []
        candidates += _in_ink(drawn, engine)
    boxes = _believed(lifted, _without_twins(candidates), drawn, engine, doubt)
    boxes += [TextBox(corners, 0.9, rule="P3.glyphs") for corners in rows]
    closer = [look_closer(box, lifted, engine) for box in boxes[:_CLOSER]]
    evened = np.ascontiguousarray(lifted[..., 1])
    whole = []
    for box in [*closer, *boxes[_CLOSER:]]:
        ink = None if drawn is None else ink_like(box.bounds, drawn, _plane(frame, plain))
        grown = box if box.rule == _BESIDE and not box.text else grow(box, evened, ink)
        whole.append(tighten(grown, lifted, ink))
    return whole


def _plane(frame: Frame, plain: Image8) -> np.ndarray[Any, Any]:
    """Return one integer per pixel; a colour counts as one value."""
    if frame.ndim == 2:
        return frame if frame.dtype.kind in "iu" else plain
    wide = frame.astype(np.int64)
    return (wide[..., 0] << 32) | (wide[..., 1] << 16) | wide[..., 2]


def _in_ink(drawn: Mask, engine: TextEngine) -> list[tuple[Points, float, str]]:
    """Detect in the ink view, only where some neighbourhood holds as much ink as two letters of the smallest font."""
    import cv2

    ones = drawn.astype(np.float32)
    near = np.maximum(*(cv2.boxFilter(ones, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT) for size in ((25, 11), (11, 25))))
    rows, columns = np.nonzero(near >= _TWO_LETTERS)
    if not rows.size:
        return []
    top, left = max(int(rows.min()) - 32, 0), max(int(columns.min()) - 32, 0)
    view = ink_view(drawn[top : int(rows.max()) + 33, left : int(columns.max()) + 33])
    found = [*detect(view, engine, min(736, 2 * min(view.shape))), *_turned(view, engine)]
    return [(corners + np.array([left, top], np.float32), score, "P2.ink") for corners, score in found]


def _turned(image: Image8, engine: TextEngine) -> list[tuple[Points, float]]:
    """Detect with the frame turned by a quarter, at no more than its own size: the detector is weak on lines that run upwards.

    Frames above one tile are halved for this pass: their upright lines are tall enough.
    """
    import cv2

    scale = 0.5 if max(image.shape[:2]) > 1100 else 1.0
    turned = np.ascontiguousarray(np.rot90(image))
    if scale < 1:
        turned = cv2.resize(turned, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found = detect(turned, engine, 384)
    return [(turn_back(corners / np.float32(scale), image.shape[1]), score) for corners, score in found]


def _believed(
    lifted: Image8, candidates: list[tuple[Points, float, str]], drawn: Mask | None, engine: TextEngine, doubt: float
) -> list[TextBox]:
    """Keep the boxes that read as text or hold exact ink, and the fragments beside them."""
    if not candidates:
        return []
    short = min(lifted.shape[:2])
    kept, doubtful = [], []
    readings = _read_twice([crop(lifted[..., 1], corners) for corners, _, _ in candidates], engine)
    again = [i for i, reading in enumerate(readings) if _evidence(reading) < _EVIDENCE]
    others = _read_twice([_other_view(lifted, drawn, candidates[i]) for i in again], engine)
    for i, other in zip(again, others, strict=True):
        readings[i] = max(readings[i], other, key=_evidence)
    for (corners, score, rule), reading in zip(candidates, readings, strict=True):
        box = TextBox(corners, score, reading.text, reading.score, rule)
        height = min(box.sides)
        evidence = _evidence(reading) / doubt
        if height > _LARGE * short:
            if evidence >= _EVIDENCE_LARGE and reading.score > 0.6:
                kept.append(box)
        elif evidence >= (_EVIDENCE if max(box.sides) > 1.6 * height else _EVIDENCE_SQUARE) or (rule == "P2.ink" and _is_inked(box, drawn)):
            kept.append(box)
        elif doubt <= 1 and _stands_out(box, lifted[..., 0]):
            kept.append(replace(box, rule="P4.line"))
        else:
            doubtful.append(box)
    return kept + [replace(box, rule=_BESIDE) for box in doubtful if any(_beside(box, other) for other in kept)]


def _without_twins(candidates: list[tuple[Points, float, str]]) -> list[tuple[Points, float, str]]:
    """Drop the smaller of two boxes that passes found at nearly the same place, so that each text is read once."""
    bounds = np.array([[*corners.min(axis=0), *corners.max(axis=0)] for corners, _, _ in candidates], np.float32).reshape(-1, 4)
    areas = (bounds[:, 2] - bounds[:, 0]) * (bounds[:, 3] - bounds[:, 1])
    kept: list[int] = []
    for i in np.argsort(-areas, kind="stable"):
        low = np.maximum(bounds[kept, :2], bounds[i, :2])
        high = np.minimum(bounds[kept, 2:], bounds[i, 2:])
        shared = np.clip(high - low, 0, None).prod(axis=1)
        if not (shared > 0.8 * (areas[kept] + areas[i] - shared)).any():
            kept.append(int(i))
    return [candidates[i] for i in sorted(kept)]


def _other_view(lifted: Image8, drawn: Mask | None, candidate: tuple[Points, float, str]) -> Image8:
    corners, _, rule = candidate
    return crop(ink_view(drawn) if rule == "P2.ink" and drawn is not None else lifted[..., 0], corners)


def _read_twice(crops: list[Image8], engine: TextEngine) -> list[Reading]:
    """Read each crop; what does not read well is read upside down too."""
    if not crops:
        return []
    readings = engine.read(crops)
    poor = [i for i, reading in enumerate(readings) if _evidence(reading) < _EVIDENCE]
    if poor:
        turned = engine.read([np.ascontiguousarray(crops[i][::-1, ::-1]) for i in poor])
        for i, reading in zip(poor, turned, strict=True):
            readings[i] = max(readings[i], reading, key=_evidence)
    return readings


def _evidence(reading: Reading) -> float:
    """Return how much a reading speaks for text; rows of ribs and rings read as 0, O, 1 and little else."""
    characters = reading.text.replace(" ", "")
    weight = 1.0 if any(c not in _ROUND for c in characters) else 0.4
    return float(len(characters) * reading.score**1.5 * weight)


def _is_inked(box: TextBox, drawn: Mask | None) -> bool:
    """Tell whether a long enough box holds exact ink in the density of text."""
    if drawn is None or box.score < 0.5 or max(box.sides) < 2 * min(box.sides):
        return False
    inside = crop(drawn.astype(np.uint8) * 255, box.corners) > 127
    return _INKED <= float(inside.mean()) <= 0.6


def _stands_out(box: TextBox, plain: Image8) -> bool:
    """Tell whether a line that the detector is sure of, though nobody can read it, is busy on a quiet ground: any other script."""
    length, height = max(box.sides), min(box.sides)
    if box.score < _SURE or length < 2.5 * height or height > 0.09 * min(plain.shape):
        return False
    centre = box.corners.mean(axis=0)
    inside = crop(plain, box.corners).astype(np.float32)
    taller = np.asarray(centre + (box.corners - centre) * np.float32(2.2), np.float32)
    around = crop(plain, taller).astype(np.float32)
    rim = np.concatenate([around[: around.shape[0] // 5].ravel(), around[-(around.shape[0] // 5) :].ravel()])
    return bool(rim.size and inside.std() > 4 * rim.std() + 6)


def _beside(fragment: TextBox, box: TextBox) -> bool:
    """Tell whether a doubtful box of similar height lies within one line height of a believed one."""
    x, y, w, h = fragment.bounds
    bx, by, bw, bh = box.bounds
    reach = min(box.sides)
    gap = max(x - (bx + bw), bx - (x + w), y - (by + bh), by - (y + h))
    return gap < reach and min(fragment.sides) < 1.3 * reach and w * h < 4 * bw * bh
