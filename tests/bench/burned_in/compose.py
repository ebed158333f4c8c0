"""Write known ink on a frame: where, how bright, in which polarity; and the strata that a region belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tests.bench.burned_in.ink import coverage, rotated, text_for


@dataclass(frozen=True)
class Style:
    """One way to write: the strata of a region."""

    font: str = "sans"
    height: int = 14
    script: str = "latin"
    rotation: int = 0
    contrast: float = 1.0
    polarity: str = "bright"
    position: str = "corner"
    held_out: bool = False  # drawn with a font that the ink network never saw


@dataclass
class Region:
    """One written region: its ink coverage in frame coordinates and what it was meant to be."""

    style: Style
    top: int
    left: int
    ink: np.ndarray = field(repr=False)

    @property
    def box(self):
        return slice(self.top, self.top + self.ink.shape[0]), slice(self.left, self.left + self.ink.shape[1])


def display_range(frame: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(frame, (0.5, 99.5))
    return (float(low), float(high)) if high > low else (float(frame.min()), float(frame.max()) + 1)


def write(frame: np.ndarray, style: Style, rng: np.random.Generator, limits: tuple[int, int], taken: np.ndarray) -> Region | None:
    """Write one region into `frame` (in place); None when it does not fit or would not be visible in that polarity.

    The ink has one value: the ground's median plus or minus contrast x display range, clipped to `limits`. `taken` marks places in use.
    """
    ink = coverage(text_for(style.script, rng), style.font, style.height, style.script, style.held_out)
    if ink is None:
        return None
    ink = rotated(ink, style.rotation)
    rows, columns = frame.shape[:2]
    height, width = ink.shape
    if height + 4 >= rows or width + 4 >= columns:
        return None
    low, high = display_range(frame)
    step = style.contrast * (high - low) * (1 if style.polarity == "bright" else -1)
    for _ in range(40):
        top, left = _place(style.position, rows, columns, height, width, rng)
        if taken[max(top - 12, 0) : top + height + 12, max(left - 12, 0) : left + width + 12].any():
            continue
        ground = frame[top : top + height, left : left + width]
        grey = ground if ground.ndim == 2 else ground.mean(axis=2)
        value = float(np.clip(np.median(grey) + step, *limits))
        if abs(value - float(np.median(grey))) < 0.6 * abs(step):
            continue  # no room for this contrast in this polarity here
        cover = ink if ground.ndim == 2 else ink[..., None]
        frame[top : top + height, left : left + width] = np.round(ground * (1 - cover) + value * cover).astype(frame.dtype)
        taken[top : top + height, left : left + width] = True
        return Region(style, top, left, ink)
    return None


def _place(position: str, rows: int, columns: int, height: int, width: int, rng: np.random.Generator) -> tuple[int, int]:
    if position == "corner":
        top = int(rng.integers(2, max(rows // 8 - height, 3)))
        left = int(rng.integers(2, max(columns // 4 - width, 3)))
        top = top if rng.random() < 0.5 else rows - height - top
        left = left if rng.random() < 0.5 else columns - width - left
        return max(top, 0), max(left, 0)
    if position == "edge":
        return (0 if rng.random() < 0.5 else rows - height), int(rng.integers(0, columns - width))
    top = int(rng.integers(rows // 5, max(rows * 4 // 5 - height, rows // 5 + 1)))
    left = int(rng.integers(columns // 6, max(columns * 5 // 6 - width, columns // 6 + 1)))
    return min(top, rows - height), min(left, columns - width)
