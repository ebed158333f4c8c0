"""Did defacing change what lies deep in a head (U5)? Everything more than 25 mm below the skin; in CT, of that what bone encloses.

The floor of the nose and the mouth lie deep too, and may change; where the skull can be seen, it tells the brain from them. The depth
is measured in the source's own voxels, with no template and without the defacer's brain mask: that is what is judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.model import Finding

if TYPE_CHECKING:
    from tasks.deface.geometry import Frame, Stack

Values = np.ndarray[Any, Any]
DEEP_MM = 25.0
LARGEST_SHARE = 0.005
_GRID_MM = 4.0
_CT_SKIN_HU, _MR_SKIN = -300.0, 0.12  # share of the bright tissue
_BONE_HU = 250.0  # of cells that hold a skull and what is beside it
_FEWEST_FRAMES, _FEWEST_CELLS = 8, 100


def changes_deep_inside(written: Mapping[Path, Path], is_ct: bool, sop_instance_uids: Sequence[str]) -> list[Finding]:
    """Return one finding per object of a defaced series in which more than 0.5 % of the deep tissue changed; none otherwise.

    `written`: written path by source path. Series too thin to have a depth give none. Raises what reading raises.
    """
    share = deep_share_changed(written, is_ct)
    if share is None or share <= LARGEST_SHARE:
        return []
    return [Finding(uid, "pixels deep inside the head", "pixels", "U5.deep", 0.8) for uid in sop_instance_uids]


def deep_share_changed(written: Mapping[Path, Path], is_ct: bool) -> float | None:
    """Return the share of deep tissue whose values changed, None when nothing lies deep enough."""
    from tasks.deface.geometry import read_geometry

    changed = deep = 0.0
    for stack in read_geometry(list(written)).stacks:
        if len(stack.frames) >= _FEWEST_FRAMES:
            inside, different = _depth_and_change(stack, written, is_ct)
            deep += float(inside.sum())
            changed += float(different[inside].sum())
    return changed / deep if deep >= _FEWEST_CELLS else None


def _depth_and_change(stack: Stack, written: Mapping[Path, Path], is_ct: bool) -> tuple[Values, Values]:
    from scipy import ndimage

    first = stack.frames[0]
    cell = [max(1, round(_GRID_MM / float(np.linalg.norm(first.to_patient[:3, axis])))) for axis in (1, 0)]
    frames, step = _apart(stack)
    tissue, different = zip(*(_coarse(frame, written[frame.path], cell) for frame in frames), strict=True)
    values = np.stack(tissue)
    skin = _CT_SKIN_HU if is_ct else _MR_SKIN * float(np.percentile(values, 99.5))
    # Beyond the field of view the body goes on: only air inside it counts as outside.
    body = np.pad(values > skin, 1, mode="edge")
    body = np.stack([ndimage.binary_fill_holes(level) for level in ndimage.binary_closing(body, iterations=2) | body])
    size_mm = [float(np.linalg.norm(first.to_patient[:3, axis])) * n for axis, n in zip((1, 0), cell, strict=True)]
    depth = ndimage.distance_transform_edt(body, sampling=(step, *size_mm))[1:-1, 1:-1, 1:-1]
    deep = depth > DEEP_MM
    enclosed = deep & _inside_bone(values) if is_ct else deep
    return enclosed if enclosed.sum() >= _FEWEST_CELLS else deep, np.stack(different)


def _inside_bone(values: Values) -> Values:
    """Return what closed bone surrounds, level by level; an opened skull, or one below the field of view, surrounds nothing."""
    from scipy import ndimage

    bone = np.pad(values > _BONE_HU, ((0, 0), (3, 3), (3, 3)))
    closed = [ndimage.binary_closing(level, iterations=3) for level in bone]
    return np.stack([ndimage.binary_fill_holes(level) & ~level for level in closed])[:, 3:-3, 3:-3]


def _apart(stack: Stack) -> tuple[list[Frame], float]:
    """Return frames about 4 mm apart, and how far apart they are."""
    gap = max(stack.span_mm / max(len(stack.frames) - 1, 1), 1e-3)
    every = max(1, round(_GRID_MM / gap))
    return list(stack.frames[::every]), gap * every


def _coarse(frame: Frame, path: Path, cell: list[int]) -> tuple[Values, Values]:
    """Return a frame's mean values and the share of its changed pixels, in cells."""
    from tasks.deface.volume import decode_frame

    before, after = decode_frame(frame), decode_frame(replace(frame, path=path))
    height, width = (n // size * size for n, size in zip(before.shape, cell, strict=True))
    blocks = [
        v[:height, :width].reshape(height // cell[0], cell[0], width // cell[1], cell[1]).mean(axis=(1, 3))
        for v in (before, (before != after).astype(np.float32))
    ]
    return blocks[0], blocks[1]
