"""Stand-ins for the face detectors: always silent, or always firing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.deface.detectors import LIMITS, Detections


def silent(
    pictures: Sequence[object], portraits: Sequence[object] = (), box: tuple[int, ...] = (), limits: object = None, *, fires: bool = False
) -> Detections:
    """What detectors answer that see a face nowhere, or everywhere."""
    return Detections({name: (fires,) * len(pictures) for name in LIMITS}, {"stand-in": "1"}, tuple(np.zeros(128) for _ in portraits))
