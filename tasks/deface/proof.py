"""Proof that a body which no head frame explains shows no face: neither its inside nor its surface is near to a head's.

Silence of detectors alone is no proof: they are blind to a face that is cut at the brow. Asking them belongs to `doubtful`.
"""

from __future__ import annotations

from scipy import ndimage

from tasks.deface.likeness import GRID_MM, face_likeness
from tasks.deface.look import View, outside_value
from tasks.deface.render import skin_levels
from tasks.deface.volume import coarse_volume, in_patient_axes

LIKENESS_LIMIT = 0.73  # faces 0.75..0.95, cut ones 0.76 and more; feet, hands and knees 0..0.71
TOGETHER_LIMIT = 0.55  # real heads cut anywhere 0.70 and more in the right frame; what is none 0.07..0.53
SUM_LIMIT = 1.05
"""Of both: cut faces in a wrong frame have 1.09 and more, what is none 0 to 0.98."""


def is_far_from_a_head(view: View) -> bool:
    """True when neither the best frame nor any part of the surface of an examined body comes near to a head.

    PRIVACY: everything else that no frame explains is held whatever detectors say (test_face_plan.py).
    """
    if view.body is None or view.evidence is None:
        return False
    together = view.evidence.together if view.evidence.is_possible else 0.0
    if together >= TOGETHER_LIMIT:
        return False
    fine = coarse_volume(view.stack, GRID_MM)
    values = ndimage.gaussian_filter(in_patient_axes(fine, GRID_MM, outside_value(fine, view.is_ct)).values, 0.5)
    likeness = face_likeness(values, skin_levels(view.body.threshold, view.is_ct))
    return likeness < LIKENESS_LIMIT and likeness + together < SUM_LIMIT
