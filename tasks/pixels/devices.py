"""Where known devices write text: a table beside this file, by make, model and frame size.

Blanking does not rest on it: text is found wherever it is. The table says when text lies where this device never writes, and how far the
banner reaches in which some text was found.
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
    """One make and model at one frame size, with the regions [x, y, width, height] in which it writes.

    `whole` devices write nowhere else; of the others only the banner is known that names the patient.
    """

    manufacturer: str  # lower-case beginning of (0008,0070)
    model: str  # lower-case beginning of (0008,1090)
    rows: int
    columns: int | None  # None: any
    regions: tuple[tuple[int, int, int, int], ...]
    whole: bool = True

    def writes_at(self, x: int, y: int, width: int, height: int) -> bool:
        """Tell whether the middle of a box lies in a known region."""
        return self.region_at(x, y, width, height) is not None

    def region_at(self, x: int, y: int, width: int, height: int) -> tuple[int, int, int, int] | None:
        """Return the known region in which the middle of a box lies."""
        middle_x, middle_y = x + width / 2, y + height / 2
        inside = (r for r in self.regions if r[0] <= middle_x <= r[0] + r[2] and r[1] <= middle_y <= r[1] + r[3])
        return next(inside, None)


@lru_cache(maxsize=1)
def devices() -> tuple[Device, ...]:
    """Return the catalogue."""
    rows: list[dict[str, Any]] = yaml.safe_load((resources.files(__package__) / "devices.yaml").read_text("utf-8"))
    return tuple(
        Device(
            r["manufacturer"],
            r["model"],
            r["rows"],
            r.get("columns"),
            tuple((x, y, width, height) for x, y, width, height in r["regions"]),
            r.get("whole", True),
        )
        for r in rows
    )


def device_of(dataset: Dataset) -> Device | None:
    """Return the catalogue's entry for an object, by its released make and model and its frame size."""
    make, model = (str(dataset.get(keyword, "") or "").casefold() for keyword in ("Manufacturer", "ManufacturerModelName"))
    rows, columns = dataset.get("Rows"), dataset.get("Columns")
    for device in devices():
        fits = rows == device.rows and device.columns in (None, columns)
        if fits and make.startswith(device.manufacturer) and model.startswith(device.model):
            return device
    return None
