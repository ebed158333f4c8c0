"""Derive `tasks/deface/data/head.npz` from the average head of the pydeface wheel (MIT): run once, by hand.

    python infra/template/derive_head.py WHEEL.whl tasks/deface/data/head.npz

The wheel's own program needs FSL and its requirements bring nipype; only its average head is read. The result is made
upright and left-right symmetric, 3 mm, in the axes that `tasks/deface/head.py` describes.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

GRID_MM = 3.0
SIZE = (62, 78, 72)  # left, posterior, superior
ORIGIN = (-91.5, -138.0, -126.0)


def derive(wheel: Path, target: Path) -> None:
    """Write average intensities and a brain mask."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        archive.extract("pydeface/data/mean_reg2mean.nii.gz", folder)
        head = sitk.ReadImage(str(Path(folder) / "pydeface/data/mean_reg2mean.nii.gz"), sitk.sitkFloat32)
    head = sitk.DICOMOrient(head, "LPS")
    values = None
    best = None
    for roll in np.arange(-4.0, 4.1, 1.0):  # the pose in which the average is most symmetric
        for yaw in np.arange(-3.0, 3.1, 1.0):
            for shift in np.arange(-1.0, 12.1, 1.0):
                resampled = _upright(head, roll, yaw, shift, 6.0)
                difference = float(np.abs(resampled - resampled[:, :, ::-1]).mean())
                if best is None or difference < best[0]:
                    best = (difference, roll, yaw, shift)
    assert best is not None
    print("most symmetric at roll, yaw, shift:", best[1:])
    values = _upright(head, *best[1:], GRID_MM)
    values = (values + values[:, :, ::-1]) / 2
    brain = _brain(values)
    scaled = np.clip(values / np.percentile(values, 99.8) * 255, 0, 255).astype(np.uint8)
    np.savez_compressed(target, head=scaled, brain=np.packbits(brain), grid_mm=np.float64(GRID_MM), origin=np.array(ORIGIN))


def _upright(head: sitk.Image, roll: float, yaw: float, shift: float, grid_mm: float) -> np.ndarray:
    factor = grid_mm / GRID_MM
    # the grid is symmetric about x = 0
    reference = sitk.Image([round(s / factor) for s in SIZE], sitk.sitkFloat32)
    reference.SetSpacing((grid_mm,) * 3)
    width = reference.GetSize()[0]
    reference.SetOrigin((-(width - 1) / 2 * grid_mm, ORIGIN[1], ORIGIN[2]))
    pose = sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.0, float(np.radians(roll)), float(np.radians(yaw)), (float(shift), 0.0, 0.0))
    return sitk.GetArrayFromImage(sitk.Resample(head, reference, pose, sitk.sitkLinear, 0.0))


def _brain(values: np.ndarray) -> np.ndarray:
    """The brain of an average T1: bright tissue inside the dark shell of skull and fluid, by erosion, seed and dilation."""
    z, y, x = np.meshgrid(*(np.arange(n) * GRID_MM + o for n, o in zip(SIZE[::-1], ORIGIN[::-1], strict=True)), indexing="ij")
    room = (x / 68) ** 2 + ((y - 4) / 84) ** 2 + ((z - 4) / 74) ** 2 < 1  # the cranial cavity, generously
    tissue = (values > 0.42 * np.percentile(values, 97)) & room
    eroded = ndimage.binary_erosion(tissue, iterations=2)
    labels, _ = ndimage.label(eroded)
    core = labels == labels[int((10 - ORIGIN[2]) / GRID_MM), int((10 - ORIGIN[1]) / GRID_MM), SIZE[0] // 2 + 8]
    grown = ndimage.binary_dilation(core, iterations=3) & tissue
    return ndimage.binary_fill_holes(ndimage.binary_closing(grown, iterations=3))


if __name__ == "__main__":
    derive(Path(sys.argv[1]), Path(sys.argv[2]))
