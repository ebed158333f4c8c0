"""Whose brain the face table measures by. None of these is the defacer's own, whose answer would always be 0.

`known`: the phantom's, as it was made. `network`: deepbet's (MIT, its weights lie in its wheel), in an environment of its own that
SALLYPORT_BENCH_BRAIN names the interpreter of; made for T1, and by eye right on the T2 and on the CT at hand as well. `bone`: CT only,
soft tissue inside closed bone. Environment: `python3.11 -m venv E; E/bin/pip install deepbet==1.0.2 torch`.
"""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import ndimage

from tasks.deface.geometry import Stack

VARIABLE = "SALLYPORT_BENCH_BRAIN"
BONE_HU = 180.0
CORE_MM, NARROW_MM = 50.0, 8.0


def independent_brains(
    values: np.ndarray, stack: Stack, points: np.ndarray, is_ct: bool, known: np.ndarray | None
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every brain that can be had of a stack, by name. `values` are rescaled, `points` their places in the head frame."""
    if known is not None:
        yield "known", known
        return
    found = _network(values, stack, is_ct)
    if found is not None:
        yield "network", found
    if is_ct:
        yield "bone", inside_bone(values, points, float(np.linalg.norm(stack.frames[0].to_patient[:3, 0])))


def nearest_mm(changed: np.ndarray, brain: np.ndarray, stack: Stack) -> float:
    """Return the distance from the brain to the nearest changed voxel; infinite when there is none."""
    if not (changed.any() and brain.any()):
        return float("inf")
    steps = np.linalg.norm(stack.frames[0].to_patient[:3, :2], axis=0)
    apart = ndimage.distance_transform_edt(~brain, sampling=(float(np.diff(stack.positions).mean()), steps[1], steps[0]))
    return float(apart[changed].min())


def _network(values: np.ndarray, stack: Stack, is_ct: bool) -> np.ndarray | None:
    interpreter = os.environ.get(VARIABLE, "")
    if not interpreter:
        return None
    if is_ct:  # brain bright, skull dark, as the network knows it
        values = np.where(values > 130, 20, np.where(values < -90, 0, np.clip(values, -100, 80) + 100))
    affine = stack.frames[0].to_patient.copy()
    affine[:3, 2] = (stack.frames[-1].to_patient[:3, 3] - affine[:3, 3]) / (len(stack.frames) - 1)
    buffer = io.BytesIO()
    np.savez(buffer, values=values.astype(np.float32), affine=np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
    program = Path(__file__).with_name("brain_program.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([interpreter, "-I", str(program)], input=buffer.getvalue(), stdout=subprocess.PIPE, check=True, env=environment)
    return np.asarray(np.load(io.BytesIO(done.stdout), allow_pickle=False), dtype=bool)


def inside_bone(values: np.ndarray, points: np.ndarray, pixel_mm: float) -> np.ndarray:
    """Return soft tissue inside closed bone that is broadly connected to the middle of the head.

    Under its roof an orbit is closed too, and its muscles touch the frontal lobe from slice to slice: what is narrower is cut off.
    """
    radius = max(3, round(NARROW_MM / 2 / pixel_mm))
    bone = np.pad(values > BONE_HU, ((0, 0), (6, 6), (6, 6)))
    inside = np.stack([ndimage.binary_fill_holes(ndimage.binary_closing(level, iterations=5)) & ~level for level in bone])
    inside = ndimage.binary_opening(inside[:, 6:-6, 6:-6] & (values > 0) & (values < 80), np.ones((1, 3, 3)), iterations=radius)
    labels, _ = ndimage.label(inside)
    near = (np.linalg.norm(points - np.array([[0], [-2], [10]]), axis=0) < CORE_MM).reshape(values.shape)
    common = np.bincount(labels[near & inside]) if (near & inside).any() else np.zeros(1)
    return np.asarray(labels == int(common.argmax()) if common[1:].any() else np.zeros(values.shape, bool))
