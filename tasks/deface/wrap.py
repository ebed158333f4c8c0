"""Does a face that leaves the field of view in front come in again behind the head (MR wrap-around)?

What lies there is outside the region that is overwritten, so the series is held. Deciding belongs to `plan`.
"""

from __future__ import annotations

import numpy as np

from tasks.deface.geometry import Matrix, Stack
from tasks.deface.volume import coarse_volume

GRID_MM = 2.0
LEAST_MM2 = 80.0  # of tissue that both borders cut; the tip of a nose has 150
ALIKE = 0.5  # Dice; what wraps is cut at the same place on both borders, a nape behind a nose is far larger
ALONG = 0.8  # cosine between an axis of the stack and front to back


def wraps_around(stack: Stack, to_patient: Matrix, threshold: float) -> bool:
    """Return whether tissue in front of the face goes on at the opposite border of the stack. `to_patient`: head frame to patient."""
    fine = coarse_volume(stack, GRID_MM)
    to_head = np.linalg.inv(to_patient) @ fine.to_patient
    index = np.indices(fine.values.shape)[::-1].reshape(3, -1)  # column, row, slice
    x, z = ((to_head[n, :3] @ index + to_head[n, 3]).reshape(fine.values.shape) for n in (0, 2))
    face = (np.abs(x) < 50) & (z > -115) & (z < -15)
    tissue = fine.values > threshold
    for axis in range(3):
        step = to_head[:3, axis]
        if abs(step[1]) < ALONG * np.linalg.norm(step):
            continue
        along = 2 - axis
        first, last = (np.take(tissue & face, end, along) for end in (0, -1))
        both = int((first & last).sum())
        others = [fine.spacing_mm[n] for n in range(3) if n != axis]
        if both * others[0] * others[1] >= LEAST_MM2 and 2 * both >= ALIKE * int(first.sum() + last.sum()):
            return True
    return False
