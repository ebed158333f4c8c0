"""Judge a blanked object by the ink that is known to have been in it: matched filter and overwritten share, never by reading."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import cv2
import numpy as np

from tasks.pixels.decode import read_frames
from tasks.pixels.layout import read_layout
from tests.bench.burned_in.compose import Region, Style
from tests.bench.burned_in.objects import NAMES, Case

_LEFT, _RESPONSE = 0.05, 0.25


@dataclass(frozen=True)
class Judged:
    """One region: its strata, whether its ink is gone, and how far it stood out from its ground (in deviations)."""

    style: Style
    modality: str
    syntax: str
    photometric: str
    frames: int
    gone: bool
    visibility: float


def frames_of(instance) -> list[np.ndarray]:
    layout = read_layout(instance.dataset, instance.transfer_syntax_uid, 10**10)
    return [np.asarray(frame, np.float32) for frame in read_frames(instance.dataset, layout)]


def ink_is_gone(before: np.ndarray, after: np.ndarray, region: Region) -> bool:
    """Tell whether at most 5 % of the ink kept its values, and a filter matched to the ink answers a quarter of before at most."""
    ink = region.ink
    old, new = (_grey(x)[region.box] for x in (before, after))
    strong = ink > 0.3
    # dark ink may have the very value that regions are filled with: a pixel is left when it kept a value other than the fill
    everywhere_old, everywhere_new = _grey(before), _grey(after)
    changed = everywhere_new[everywhere_old != everywhere_new]
    fill = float(np.median(changed)) if changed.size else np.nan
    left = float(((np.abs(old - new) <= 1e-6) & (np.abs(new - fill) > 4))[strong].mean()) if changed.size else 1.0
    # the filter answers to ink against the ground between and beside the strokes; a slanted fill against what lies around it is no ink
    near = cv2.dilate((ink > 0.05).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    template = ink[near] - ink[near].mean()
    first = abs(float((template * (old[near] - old[near].mean())).sum()))
    second = abs(float((template * (new[near] - new[near].mean())).sum()))
    return left <= _LEFT and second <= _RESPONSE * first + 1e-3


def visibility(written: np.ndarray, ink: np.ndarray) -> float:
    """Return by how many deviations of the ground's grain (what is left when its slow changes are taken away) the strokes differ from it.

    Below 1 a stroke is hidden in the grain for whoever does not know where to look; text of one exact value may still be told by that.
    """
    bare = (ink < 0.05).astype(np.float32)
    slow = cv2.GaussianBlur(written * bare, (0, 0), 3) / np.maximum(cv2.GaussianBlur(bare, (0, 0), 3), 1e-3)
    strong = ink > 0.6
    if not strong.any() or not bare.any():
        return 0.0
    return float(np.abs((written - slow)[strong]).mean() / ((written - slow)[bare > 0].std() + 1e-3))


def judge(case: Case, outcome) -> tuple[list[Judged], float]:
    """Return every region judged, and the share of pixels changed outside the regions' boxes (the greatest of all frames)."""
    before, after = frames_of(case.instance), frames_of(outcome.instance)
    judged = []
    for number, region in case.regions:
        gone = outcome.reason is not None or ink_is_gone(before[number], after[number], region)
        seen = visibility(_grey(before[number])[region.box], region.ink)
        judged.append(Judged(region.style, case.name, NAMES[case.syntax], case.photometric, len(before), gone, seen))
    over = []
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        changed = (old != new) if old.ndim == 2 else (old != new).any(axis=2)
        for n, region in case.regions:
            if n == number or len(before) > 1:
                y, x = region.box
                changed[max(y.start - 4, 0) : y.stop + 4, max(x.start - 4, 0) : x.stop + 4] = False
        over.append(float(changed.mean()))
    return judged, max(over)


def _grey(frame: np.ndarray) -> np.ndarray:
    return frame if frame.ndim == 2 else frame[..., 0] if frame.shape[2] == 1 else frame.mean(axis=2)


def strata(judged: list[Judged]) -> dict[str, dict[str, tuple[int, int]]]:
    """Return (gone, all) by stratum."""
    table: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for j in judged:
        s = j.style
        rows = {
            "modality": j.modality, "photometric": j.photometric, "syntax": j.syntax, "font": s.font, "height": f"{s.height:02d} px",
            "script": s.script, "rotation": f"{s.rotation}", "contrast": f"{s.contrast:.0%}",
            "face": "held out" if s.held_out else "in training",
            "polarity": s.polarity, "position": s.position,
            "frames": "one of many" if j.frames > 1 else "single",
            "visibility": "< 1" if j.visibility < 1 else "1 to 3" if j.visibility < 3 else "> 3",
        }  # fmt: skip
        for name, value in rows.items():
            table[name][value].append(j.gone)
    return {name: {value: (sum(gone), len(gone)) for value, gone in sorted(rows.items())} for name, rows in table.items()}
