"""Is a scan physically what its header says (I5)? Advisory: noise, grey values and field of view against the scanner's others.

An edited or inserted image need not show any of this; what share of edits is seen is measured by `sallyport prove`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tasks.risk.measures import Measure, as_risk_table

if TYPE_CHECKING:
    from tasks.consistency.frames import Frame, Image

_FIELD_MM = (2.0, 2500.0)
_OF_BODIES = frozenset(("CT", "MR", "PT", "NM", "CR", "DX", "MG", "XA", "RF"))  # a microscope's field is small
_AIR_HU = (-1150.0, -600.0)  # lung alone may fill the view
_BONE_HU = 700.0
_SLICE_STEP, _SERIES_STEP = log(1.8), log(2.5)  # smallest ratio of noise levels that is called odd
_SPREADS = 8.0  # and as many robust spreads away from the others
_FEWEST_SLICES, _FEWEST_SERIES = 8, 8


def noise_level(image: Image) -> float | None:
    """Return the noise of the central half of a (rows, columns) image in stored values; None for an image too small or flat."""
    rows, columns = image.shape[0] // 4, image.shape[1] // 4
    part = image[rows : image.shape[0] - rows, columns : image.shape[1] - columns].astype(np.float32)
    if min(part.shape) < 8:
        return None
    second = part[:, 2:] - 2 * part[:, 1:-1] + part[:, :-2]  # blind to slopes
    level = float(np.median(np.abs(second))) / 0.6745 / 6**0.5
    return level if level > 0 else None


def flaw_of(frame: Frame, row: Mapping[str, Any]) -> str:
    """Return in what the header of one object (its INSTANCES row) disagrees with its pixels, "" when in nothing."""
    spacing = row["pixel_spacing_row_mm"]
    if spacing is not None and row["Modality"] in _OF_BODIES and not _FIELD_MM[0] <= spacing * frame.stored.shape[0] <= _FIELD_MM[1]:
        return "field of view"
    if frame.native and float(frame.stored.max()) >= 2.0**frame.bits_stored:
        return "more bits than stated"
    if row["Modality"] == "CT" and frame.stored.ndim == 2 and _air_is_off(frame, row["ImageType"] or []):
        return "air is not where air is in Hounsfield units"
    return ""


def _air_is_off(frame: Frame, image_type: list[str]) -> bool:
    if frame.intercept == 0 or "AXIAL" not in image_type:
        return False  # no Hounsfield units, or a localizer
    values = frame.stored[::2, ::2].astype(np.float32) * frame.slope + frame.intercept
    if float((values > _BONE_HU).mean()) > 0.2:
        return True  # nobody is bone to a fifth of the image
    low = values[(values < -250) & (values > values.min())]  # the least value is often a pad
    return bool(low.size > 0.2 * values.size and not _AIR_HU[0] <= float(np.percentile(low, 25)) <= _AIR_HU[1])


def implausible_series(objects: pa.Table) -> dict[str, str]:
    """Return the odd series of the evidence's objects, each with the first oddity: a flaw, one slice's noise, or all of its noise."""
    series: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in objects.select(["SeriesInstanceUID", "InstanceNumber", "scanner", "noise", "flaw"]).to_pylist():
        series[row["SeriesInstanceUID"]].append(row)
    odd = {uid: next(r["flaw"] for r in rows if r["flaw"]) for uid, rows in series.items() if any(r["flaw"] for r in rows)}
    scanners: dict[str, dict[str, float]] = defaultdict(dict)
    for uid, rows in series.items():
        levels = [log(r["noise"]) for r in sorted(rows, key=lambda r: r["InstanceNumber"] or 0) if r["noise"]]
        if _one_stands_out(levels):
            odd.setdefault(uid, "noise of one slice")
        if levels and rows[0]["scanner"]:
            scanners[rows[0]["scanner"]][uid] = float(np.median(levels))
    for levels_of in scanners.values():
        values = np.array(list(levels_of.values()))
        if len(values) >= _FEWEST_SERIES:
            middle, spread = float(np.median(values)), _spread(values)
            for uid, level in levels_of.items():
                if abs(level - middle) > max(_SERIES_STEP, _SPREADS * spread):
                    odd.setdefault(uid, "noise unlike the scanner's others")
    return odd


def _one_stands_out(levels: list[float]) -> bool:
    """Say whether a slice is noisier or smoother than both its neighbours by far: anatomy changes noise, but not in one step."""
    if len(levels) < _FEWEST_SLICES:
        return False
    values = np.array(levels)
    steps = np.diff(values)
    bumps = np.minimum(np.abs(steps[:-1]), np.abs(steps[1:])) * (np.sign(steps[:-1]) != np.sign(steps[1:]))
    ends = np.array([abs(steps[0]), abs(steps[-1])])
    limit = max(_SLICE_STEP, _SPREADS * _spread(steps))
    return bool(bumps.max(initial=0.0) > limit or ends.max() > 1.5 * limit)


def _spread(values: Image) -> float:
    return float(np.median(np.abs(values - np.median(values)))) / 0.6745


def measure_plausibility(objects: pa.Table, action: str = "ask") -> pa.Table:
    """Return the I5 rows: how many series look edited, inserted or mislabelled, then each of them."""
    odd = implausible_series(objects)
    count = len(set(objects["SeriesInstanceUID"].to_pylist()))
    whole = Measure("I5", "series that are not what their header says", len(odd), count, action, at_most=0)
    each = [Measure("I5", f"{flaw}", 1, 1, action, at_most=0, unit="series", key=uid) for uid, flaw in sorted(odd.items())]
    return as_risk_table([whole, *each])
