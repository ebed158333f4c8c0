"""The average head that frames are found with, in its own axes (the head frame).

Head frame: millimetres, x to the left (0 = midline), y to the back, z to the vertex; globes at (+-31, -72, -33), nose tip at
(0, -119, -66), chin near (0, -92, -113), ear canals near (+-66, 6, -40). Derived by infra/template/derive_head.py from the
MIT-licensed average of pydeface (licence beside the data): read as data, no program of it is used, nothing is downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources

import numpy as np

from tasks.deface.body import Mask
from tasks.deface.volume import Volume


@dataclass(frozen=True, slots=True)
class Template:
    """Average T1 intensities (0-255) and the brain, on one grid of the head frame."""

    head: Volume
    brain: Mask = field(repr=False)


@lru_cache(maxsize=1)
def load_template() -> Template:
    """Return the average head; raises when the package's data is missing (the series is then held)."""
    with (resources.files("tasks.deface") / "data" / "head.npz").open("rb") as file, np.load(file) as data:
        values = data["head"].astype(np.float32)
        brain = np.unpackbits(data["brain"])[: values.size].reshape(values.shape).astype(bool)
        step = float(data["grid_mm"])
        to_frame = np.diag([step, step, step, 1.0])
        to_frame[:3, 3] = data["origin"]
    return Template(Volume(values, to_frame), brain)
