"""What no head frame explains: bodies, thin stacks and pictures, shown to the face detectors as they are.

Without detectors nothing of this passes. Rendering and detecting belong to `render` and `detectors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tasks.deface.detectors import Detections, detect_faces
from tasks.deface.look import View, outside_value
from tasks.deface.render import IMAGE_SIZE, Image, render_views, skin_levels
from tasks.deface.volume import Values, coarse_volume, decode_frame, in_patient_axes

TURNED = ((90.0, 0.0), (-90.0, 0.0), (180.0, 0.0))
PICTURE_GRID_MM = 2.5
MOST_FRAMES = 48  # of a thin stack or a picture series


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something to be shown to the detectors; `key` is what the asker calls it."""

    key: str = field(repr=False)
    pictures: tuple[Image, ...] = field(repr=False)


def ask_detectors(doubts: Sequence[Doubt]) -> dict[str, bool] | None:
    """Return for each doubt whether a face was seen; None when the detectors could not look."""
    pictures = [picture for doubt in doubts for picture in doubt.pictures]
    if not pictures:
        return {}
    seen = detect_faces(pictures)
    if seen is None:
        return None
    answers: dict[str, bool] = {}
    start = 0
    for doubt in doubts:
        part = slice(start, start + len(doubt.pictures))
        start = part.stop
        answers[doubt.key] = answers.get(doubt.key, False) or _is_face(seen, part)
    return answers


def _is_face(seen: Detections, part: slice) -> bool:
    """A face: the mesh fits, or two detectors of different families agree on one picture (each alone fires on eggs or on speckle)."""
    mesh, hog, short = (seen.fired[name][part] for name in ("mediapipe_mesh", "dlib_hog", "mediapipe_short_range"))
    return any(m or (h and s) for m, h, s in zip(mesh, hog, short, strict=True))


def body_pictures(view: View) -> tuple[Image, ...]:
    """Return renders of a body in the patient's own axes, from the front at two levels and once from each other side."""
    assert view.body is not None
    fine = coarse_volume(view.stack, PICTURE_GRID_MM)
    values = _cube(in_patient_axes(fine, PICTURE_GRID_MM, outside_value(fine, view.is_ct)).values)
    levels, step = skin_levels(view.body.threshold, view.is_ct), PICTURE_GRID_MM
    return (*render_views(values, step, levels[:2]), *render_views(values, step, levels[1:2], TURNED))


def _cube(values: Values) -> Values:
    """Pad to the same length in all horizontal directions, so that turning cuts nothing off."""
    side = int(np.ceil(np.hypot(values.shape[1], values.shape[2])))
    pad = [(12, 12), *(((side - n) // 2, side - n - (side - n) // 2) for n in values.shape[1:])]
    return np.asarray(np.pad(values, pad, constant_values=float(values.min())), dtype=np.float32)


def frame_pictures(view: View) -> tuple[Image, ...]:
    """Return the frames of a thin stack as pictures."""
    frames = view.stack.frames
    chosen = sorted({round(n) for n in np.linspace(0, len(frames) - 1, min(MOST_FRAMES, len(frames)))})
    return tuple(_picture(decode_frame(frames[n])) for n in chosen)


def file_pictures(path: Path) -> tuple[Image, ...]:
    """Return the frames of a picture (a capture, a rendering) as they would be displayed. Raises what decoding raises."""
    from pydicom import dcmread
    from pydicom.pixels.utils import pixel_array

    header = dcmread(path, stop_before_pixels=True, force=True)
    count = int(header.get("NumberOfFrames") or 1)
    chosen = sorted({round(n) for n in np.linspace(0, count - 1, min(MOST_FRAMES, count))})
    pictures = []
    for n in chosen:
        frame = np.asarray(pixel_array(path, index=n), dtype=np.float32)
        pictures.append(_picture(frame.mean(axis=2) if frame.ndim == 3 else frame))
    return tuple(pictures)


def _picture(frame: Values) -> Image:
    import cv2

    low, high = np.percentile(frame, [1, 99.5])
    grey = np.clip((frame - low) / max(float(high - low), 1e-6) * 255, 0, 255).astype(np.uint8)
    scale = 1.5 * IMAGE_SIZE / max(grey.shape)
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    side = round(1.5 * IMAGE_SIZE)
    canvas = np.zeros((side, side), dtype=np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)[:side, :side]
    return np.asarray(cv2.resize(canvas, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA), dtype=np.uint8)
