"""Text regions of one frame, by two detectors that know nothing of each other: the ink network, and the reader's own.

Which frames to look at does not belong here (`plan`), nor how boxes are made from maps (`regions`, `boxes`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from tasks.pixels.boxes import Points, TextBox, crop, detect
from tasks.pixels.contrast import distinctness, stands_out
from tasks.pixels.decode import Frame
from tasks.pixels.engine import Reading, TextEngine
from tasks.pixels.ink import ink_mask
from tasks.pixels.layout import PixelLayout
from tasks.pixels.lengthen import lengthened
from tasks.pixels.network import ink_maps
from tasks.pixels.one_value import InkValues, fitted, followed, values_of
from tasks.pixels.pieces import in_parts, left_of, pieces_beside, to_readers_ends, with_strokes
from tasks.pixels.regions import lines_of
from tasks.pixels.signs import Real, grey_of
from tasks.pixels.views import Image8, lift, see

# Evidence = characters read x probability^1.5. Anatomy reaches 1.0 on real frames and 2.4 on made ones, text 5 and more.
_EVIDENCE, _EVIDENCE_SQUARE, _EVIDENCE_LARGE, _EVIDENCE_LINE = 2.0, 2.6, 3.0, 3.0
_LARGE = 0.13  # of the frame's short side: boxes this high must be read well
_ROUND = frozenset("0Oo°CcDUu1IilL|/\\()[]<>.,:;-_~'`^=\"8")  # what anatomy is read as
_KNOWN = 0.7  # of the middle of a box of the reader's detector lies in boxes of the network: nothing new
_READ = 16  # lines of one frame that are read, to prove them and for the patient's own values
_FAINT, _FLAT = 0.1, 0.8  # probability below which a pixel is ground; share of the ground that has one value where it is flat
_COMMON = 0.05  # of the frame outside a box: a value this frequent is not its ink's
_LIKELY = 0.9  # of a line that both detectors see and nobody reads well: of anatomy both may be fairly sure
_ANYTHING = 2  # characters read, well or badly, of such a line: of bones the reader makes nothing
_HIGH = 0.1  # of the frame's short side
# Probability of a line whose strokes have no exact value, or none but that of its ground.
_UNSURE, _FAIR, _ALMOST_SURE, _FAIRLY_SURE, _SURE, _SURER, _CERTAIN = 0.87, 0.9, 0.91, 0.93, 0.935, 0.96, 0.97
# Deviations of its ground's grain by which a line stands out: no less, more than folds and compression, more than any anatomy.
_AT_ALL, _ABOVE_FOLDS, _CLEAR, _VERY_CLEAR = 0.6, 2.4, 4.0, 7.0
_SHORT_SIDE = 736  # to which small frames are enlarged for the reader's detector


class _Line(NamedTuple):
    """A line of the ink network: what it is sure of, the same with all that belongs to it, and whether it proves itself.

    By ink of one exact value, which anatomy never has, or by a long line of which the network is sure.
    """

    box: TextBox
    whole: TextBox
    is_proven: bool
    is_likely: bool = False  # both detectors see it: proven when the reader makes anything of it,
    is_clear: bool = False  # or when it stands out, or the network is surer still


def find_text(
    frame: Frame,
    layout: PixelLayout,
    engine: TextEngine,
    palette: Image8 | None = None,
    lossy: bool = False,
    doubt: float = 1.0,
    by_both: bool = True,
) -> list[TextBox]:
    """Return the text boxes of one decoded frame (or projection of frames).

    `lossy` frames are not asked for exact ink: compression has blurred it. `doubt` multiplies the evidence that a box must bring.
    Not `by_both` leaves the reader's own detector out, for frames of which others like them are seen by both.
    """
    plain = see(frame, layout, palette)
    if int(plain.max()) == int(plain.min()) and (lossy or int(frame.max()) == int(frame.min())):
        return []
    lifted = lift(frame, plain)
    seen = detect(lifted, engine, _SHORT_SIDE) if by_both else []
    lines = _drawn_lines(frame, plain, layout, lossy, doubt)
    lines = [line._replace(is_likely=line.box.score >= _LIKELY and _is_seen(line.box, seen)) for line in lines]
    found = _proven(lines, lifted, engine, doubt)
    found += to_readers_ends(found, seen)
    others = [(corners, score) for corners, score in seen if not _is_known(corners, found)]
    return [*found, *_believed(lifted, others, engine, doubt)]


def _drawn_lines(frame: Frame, plain: Image8, layout: PixelLayout, lossy: bool, doubt: float) -> list[_Line]:
    """Return the lines of the ink network.

    An index into a palette is looked at twice: as the colour that it stands for, and as a number, because two indices may share a colour.
    """
    values = _plane(frame, plain)
    drawn = None if lossy or layout.floating or layout.bits_allocated == 1 else ink_mask(values)
    greys = [grey_of(frame if plain.ndim == 2 else plain, plain)]
    if layout.photometric == "PALETTE COLOR" and plain.ndim == 3:
        greys.append(grey_of(frame, frame))
    found = []
    for grey in greys:
        maps = ink_maps(values, grey, drawn)
        waiting = [(box, drawn is not None) for box in lines_of(maps, doubt)]
        while waiting:
            box, may_be_drawn = waiting.pop()
            inked = values_of(box, values, maps.ink) if may_be_drawn else InkValues([], [])
            same = next((same for same in (values == v for v in inked.leading) if _elsewhere(same, box) <= _COMMON), None)
            if same is not None:
                whole = fitted(box, same)
                waiting += left_of(box, whole, maps)
                proven = _has_length(box, grey, maps.ink) or (_is_clear(whole) and stands_out(box, grey, maps.ink))
                is_tight = whole.slack < box.slack
                longer = whole if is_tight else lengthened(whole, maps.line)
                longer = in_parts(longer, maps, same if is_tight else None)
                found.append(_Line(whole, with_strokes(longer, maps), proven))
                continue
            is_noisy = bool(inked.leading) and not _is_flat(box, values == inked.leading[0], maps.ink)
            longer = box
            for value in inked.hinted:
                longer = followed(longer, values == value)
            longer = in_parts(lengthened(longer, maps.line), maps, None)
            line = _Line(box, with_strokes(longer, maps), is_proven=False)
            is_low = min(box.sides) <= _HIGH * min(grey.shape) or box.score >= _CERTAIN  # a row of ribs or small pictures is higher
            if is_low and box.score >= _ALMOST_SURE:  # nothing less is proven without a reading
                clear = distinctness(box, grey, maps.ink)
                is_there = clear >= _AT_ALL or box.score >= _CERTAIN  # strokes differ at all, or the network needs no more
                is_sure = _is_clear(box) and doubt <= 1 and not is_noisy and is_there
                is_distinct = _is_distinct(box, clear, box.score >= _SURER or not is_noisy) and stands_out(box, grey, maps.ink)
                line = line._replace(is_proven=is_sure or is_distinct, is_clear=clear >= _ABOVE_FOLDS)
            found.append(line)
    return found


def _elsewhere(same: np.ndarray[Any, np.dtype[np.bool_]], box: TextBox) -> float:
    """Return the share of pixels that are the same, of all that lie outside a box."""
    x, y, width, height = box.bounds
    inside = same[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
    return (int(same.sum()) - int(inside.sum())) / max(same.size - inside.size, 1)


def _is_flat(box: TextBox, same: np.ndarray[Any, np.dtype[np.bool_]], ink: Real) -> bool:
    """Tell whether the pixels of a box that are no ink are all alike; of air cut off at zero, whose noise looks like ink, only some are."""
    x, y, width, height = box.bounds
    rows, columns = (slice(max(start, 0) // 2 * 2, max(start + size, 2)) for start, size in ((y, height), (x, width)))
    cut = same[rows, columns]
    near = np.repeat(np.repeat(ink > _FAINT, 2, axis=0), 2, axis=1)[rows, columns][: cut.shape[0], : cut.shape[1]]
    return bool(cut[~near].mean() >= _FLAT) if (~near).any() else False


def _is_clear(box: TextBox) -> bool:
    """Tell whether the network is sure of a long line."""
    return box.score >= _SURE and max(box.sides) >= max(2.5 * min(box.sides), 30.0)


def _has_length(box: TextBox, grey: Real, ink: Real) -> bool:
    """Tell whether a line of one exact value is longer than it is high: a good deal where the network is not sure of it."""
    ratio = max(box.sides) / max(min(box.sides), 1.0)
    return ratio >= 2 and (box.score >= _FAIR or (box.score >= _UNSURE and ratio >= 4 and distinctness(box, grey, ink) >= _CLEAR))


def _is_distinct(box: TextBox, clear: float, may_be_long: bool) -> bool:
    """Tell whether the network is fairly sure of a line that is very clear, or clear and longer still."""
    length, ratio = max(box.sides), max(box.sides) / max(min(box.sides), 1.0)
    is_long = may_be_long and box.score >= _FAIRLY_SURE and ratio >= 3.8 and length >= 30
    is_short = box.score >= _FAIRLY_SURE and ratio >= 2.2 and length >= 25
    return (is_long and clear >= _ABOVE_FOLDS) or (is_short and clear >= _VERY_CLEAR)


def _is_seen(box: TextBox, seen: list[tuple[Points, float]]) -> bool:
    """Tell whether the reader's own detector is sure of text in most of a box."""
    return _is_known(box.corners, [TextBox(corners, score) for corners, score in seen if score >= 0.5])


def _plane(frame: Frame, plain: Image8) -> np.ndarray[Any, np.dtype[Any]]:
    """Return one integer per pixel; a colour counts as one value."""
    if frame.ndim == 2:
        return frame if frame.dtype.kind in "iu" else plain
    wide = frame.astype(np.int64)
    return (wide[..., 0] << 32) | (wide[..., 1] << 16) | wide[..., 2]


def _is_known(corners: Points, found: list[TextBox]) -> bool:
    """Tell whether most of a box's middle line lies in boxes that were found before (boxes of this detector are wider than their ink)."""
    import cv2

    a, b, c, d = corners
    ends = ((a + d) / 2, (b + c) / 2) if np.linalg.norm(b - a) >= np.linalg.norm(c - b) else ((a + b) / 2, (c + d) / 2)
    points = [ends[0] + (ends[1] - ends[0]) * t for t in np.linspace(0.05, 0.95, 19)]
    inside = [any(cv2.pointPolygonTest(box.corners, (float(x), float(y)), False) >= 0 for box in found) for x, y in points]
    return sum(inside) >= _KNOWN * len(inside)


def _proven(lines: list[_Line], lifted: Image8, engine: TextEngine, doubt: float) -> list[TextBox]:
    """Return the lines that are proven to be text, or that read as text, with what they read as; the surest of many are read.

    Pieces beside such a line are returned too.
    """
    wanted = sorted(range(len(lines)), key=lambda i: -lines[i].box.score * max(lines[i].box.sides))[:_READ]
    readings = dict(zip(wanted, _read_twice([crop(lifted[..., 0], lines[i].box.corners) for i in wanted], engine), strict=True))
    poor = [i for i in wanted if not lines[i].is_proven and _evidence(readings[i]) / doubt < _EVIDENCE_LINE]
    for i, other in zip(poor, _read_twice([crop(lifted[..., 1], lines[i].box.corners) for i in poor], engine), strict=True):
        readings[i] = max(readings[i], other, key=_evidence)
    texts = [i for i, line in enumerate(lines) if line.is_proven or _is_text(line, readings.get(i), doubt)]
    others = [i for i in range(len(lines)) if i not in texts]
    texts += [others[n] for n in pieces_beside([lines[i].whole for i in texts], [lines[i].box for i in others])]
    found = []
    for i in texts:
        reading = readings.get(i, Reading("", 0.0))
        found.append(replace(lines[i].whole, text=reading.text, text_score=reading.score))
    return found


def _is_text(line: _Line, reading: Reading | None, doubt: float) -> bool:
    """Tell whether what was read of a line proves it; a likely line that nobody has read counts as text."""
    if reading is None:
        return line.is_likely
    is_read = len(reading.text.replace(" ", "")) >= _ANYTHING
    is_enough = is_read or line.is_clear or line.box.score >= _SURER
    return _evidence(reading) / doubt > _needed(line.box.score) or (line.is_likely and is_enough)


def _needed(score: float) -> float:
    """Return what a line's evidence must exceed: the less, the surer the network is, because the two know nothing of each other.

    Lines of real frames without text reach 1.2 at 0.916, where 1.8 is needed, and 0.8 at 0.928, where 1.1 is.
    """
    return _EVIDENCE_LINE * min((1 - score) / (1 - _FAIR), 1.0) ** 3


def _believed(lifted: Image8, candidates: list[tuple[Points, float]], engine: TextEngine, doubt: float) -> list[TextBox]:
    """Keep the boxes of the reader's detector that read as text."""
    short = min(lifted.shape[:2])
    kept = []
    readings = _read_twice([crop(lifted[..., 1], corners) for corners, _ in candidates], engine)
    again = [i for i, reading in enumerate(readings) if _evidence(reading) < _EVIDENCE]
    others = _read_twice([crop(lifted[..., 0], candidates[i][0]) for i in again], engine)
    for i, other in zip(again, others, strict=True):
        readings[i] = max(readings[i], other, key=_evidence)
    for (corners, score), reading in zip(candidates, readings, strict=True):
        box = TextBox(corners, score, reading.text, reading.score, "P2.ocr")
        height, evidence = min(box.sides), _evidence(reading) / doubt
        if height > _LARGE * short:
            if evidence >= _EVIDENCE_LARGE and reading.score > 0.6:
                kept.append(box)
        elif evidence >= (_EVIDENCE if max(box.sides) > 1.6 * height else _EVIDENCE_SQUARE):
            kept.append(box)
    return kept


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
