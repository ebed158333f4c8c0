"""What is looked at: every frame, or the projections and samples that are proven to be as good.

How text is found in one view (`find`) and what happens to it (`clean`) do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.errors import ReleaseError
from tasks.model import Instance, Reason
from tasks.pixels.blank import Mask, mask_of
from tasks.pixels.decode import read_frames
from tasks.pixels.engine import TextEngine
from tasks.pixels.find import TextBox, find_text
from tasks.pixels.layout import PixelLayout, PixelsRefusedError, read_layout
from tasks.pixels.views import Image8, read_palette, see
from tasks.policy.pixels import PixelPolicy


@dataclass(frozen=True, slots=True)
class Examination:
    """What looking at one object found: every region with its place, and the mask of each frame (None: nothing to blank)."""

    layout: PixelLayout
    boxes: tuple[tuple[str, TextBox], ...]
    masks: tuple[Mask | None, ...]


def examine_series(instances: Sequence[Instance], policy: PixelPolicy, engine: TextEngine) -> list[Examination | Reason]:
    """Look at every object of one series; a Reason for each that cannot be examined."""
    return [_examined(instance, policy, engine) for instance in instances]


def _examined(instance: Instance, policy: PixelPolicy, engine: TextEngine) -> Examination | Reason:
    try:
        layout = read_layout(instance.dataset, instance.transfer_syntax_uid, policy.max_decoded_bytes)
        return _look(instance, layout, engine)
    except PixelsRefusedError as refused:
        return refused.reason
    except ReleaseError:
        raise
    except Exception:
        # PRIVACY: whatever breaks while looking leaves the object unexamined, never clean (tests/unit/test_pixels_clean.py).
        return Reason.PIXELS_NOT_EXAMINED


def _look(instance: Instance, layout: PixelLayout, engine: TextEngine) -> Examination:
    palette = read_palette(instance.dataset) if layout.photometric == "PALETTE COLOR" else None
    if layout.frames <= 3:
        boxes: list[tuple[str, TextBox]] = []
        masks: list[Mask | None] = []
        for number, frame in enumerate(read_frames(instance.dataset, layout), start=1):
            found = find_text(see(frame, layout, palette), engine)
            boxes += [(f"pixels frame {number}", box) for box in found]
            masks.append(mask_of(found, layout) if found else None)
        return Examination(layout, tuple(boxes), tuple(masks))
    found = []
    for view in _summaries(instance, layout, palette):
        found += find_text(view, engine)
    mask = mask_of(found, layout) if found else None
    return Examination(layout, tuple(("pixels all frames", box) for box in found), (mask,) * layout.frames)


def _summaries(instance: Instance, layout: PixelLayout, palette: Image8 | None) -> list[Image8]:
    """Return max, min and median projection and the first, middle and last frame as views."""
    chosen = {0, layout.frames // 2, layout.frames - 1}
    sampled = set(range(0, layout.frames, max(layout.frames // 15, 1)))
    views, samples = [], []
    greatest = least = None
    for index, frame in enumerate(read_frames(instance.dataset, layout)):
        view = see(frame, layout, palette)
        greatest = view if greatest is None else np.maximum(greatest, view)
        least = view if least is None else np.minimum(least, view)
        if index in chosen:
            views.append(view)
        if index in sampled:
            samples.append(view)
    assert greatest is not None and least is not None
    return [greatest, least, np.median(np.stack(samples), axis=0).astype(np.uint8), *views]
