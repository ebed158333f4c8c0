"""The brain in a volume's own voxels, so that none of it is ever changed.

PRIVACY against use: protecting too much leaves face behind and the judge then holds the series; protecting too little spoils
data. The template's brain alone would be a guess about an individual (test_face_replace.py).
"""

from __future__ import annotations

import numpy as np

from tasks.deface.body import Mask
from tasks.deface.evidence import sample
from tasks.deface.geometry import Matrix
from tasks.deface.region import GRID_MM, region_grid
from tasks.deface.template import load_template
from tasks.deface.volume import Values, Volume

BONE_HU = 180.0
OVER_THE_GLOBES_MM = -16.0  # z from which what bone encloses is kept whole: frontal lobe and the roof of the orbit beside it


def find_brain(values: Values, threshold: float, is_ct: bool, grid: Volume | None = None) -> Mask:
    """Return the brain on a grid of the head frame (`region_grid` without one).

    CT: soft tissue inside bone; MR: tissue that is broadly connected to the template's core.
    """
    from scipy import ndimage

    template = load_template()
    grid = grid or region_grid()
    identity: Matrix = np.eye(4)
    average = sample(Volume(template.brain.astype(np.float32), template.head.to_patient), identity, grid, 0.0) > 0.5
    if not average.any():
        return average
    reach = ndimage.distance_transform_edt(~average) * GRID_MM
    core = ndimage.binary_erosion(average, iterations=3)
    tissue = (values > -20) & (values < BONE_HU) if is_ct else (values > threshold)
    tissue &= reach < 14
    ball = ndimage.generate_binary_structure(3, 1)
    opened = ndimage.binary_erosion(tissue, ball, iterations=3)
    labels, _ = ndimage.label(opened)
    wanted = np.unique(labels[core & opened])
    native = np.isin(labels, wanted[wanted > 0])
    native = ndimage.binary_dilation(native, ball, iterations=3) & tissue
    found = (native & (reach < 10)) | average
    if is_ct:  # the opening above loses the corners of the brain; closed bone says that they belong to it
        bone = [ndimage.binary_closing(np.pad(level > BONE_HU, 2), iterations=2)[2:-2, 2:-2] for level in values]
        enclosed = np.stack([ndimage.binary_fill_holes(level) & ~level for level in bone])
        high = np.arange(len(values)) * GRID_MM + grid.to_patient[2, 3] > OVER_THE_GLOBES_MM
        found |= enclosed & ((reach < 20) | high[:, None, None]) & (values > -20) & (values < BONE_HU)
    return np.asarray(found, dtype=np.bool_)
