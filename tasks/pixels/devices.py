"""Where known devices write text: a table beside this file, by make, model and frame size.

Blanking does not rest on it: text is found wherever it is. The table says when text lies where this device never writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Device:
    """One make and model at one frame size, with the regions [x, y, width, height] in which it writes."""

    manufacturer: str  # lower-case beginning of (0008,0070)
    model: str  # lower-case beginning of (0008,1090)
    rows: int
    columns: int
    regions: tuple[tuple[int, int, int, int], ...]

    def writes_at(self, x: int, y: int, width: int, height: int) -> bool:
        """Tell whether the middle of a box lies in a known region."""
        middle_x, middle_y = x + width / 2, y + height / 2
        return any(left <= middle_x <= left + w and top <= middle_y <= top + h for left, top, w, h in self.regions)


@lru_cache(maxsize=1)
def devices() -> tuple[Device, ...]:
    """Return the catalogue."""
    rows: list[dict[str, Any]] = yaml.safe_load((resources.files(__package__) / "devices.yaml").read_text("utf-8"))
    return tuple(
        Device(r["manufacturer"], r["model"], r["rows"], r["columns"], tuple((a, b, c, d) for a, b, c, d in r["regions"])) for r in rows
    )


def device_of(dataset: Dataset) -> Device | None:
    """Return the catalogue's entry for an object, by its released make and model and its frame size."""
    make, model = (str(dataset.get(keyword, "") or "").casefold() for keyword in ("Manufacturer", "ManufacturerModelName"))
    size = dataset.get("Rows"), dataset.get("Columns")
    for device in devices():
        if make.startswith(device.manufacturer) and model.startswith(device.model) and size == (device.rows, device.columns):
            return device
    return None
