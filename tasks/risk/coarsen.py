"""Coarsening: writes the levels of a plan into the objects, so that a header says no more than the crowds were counted on.

PRIVACY: a manifest with age bands beside headers with exact ages protects nobody (tests/unit/test_coarsen.py). Choosing the
levels does not belong here.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from math import floor
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tasks.errors import ReleaseError
from tasks.policy.gates import ColumnRole, GatePolicy
from tasks.publish.store import Store

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def coarsen_candidate(private: Store, instances: pa.Table, levels: Mapping[str, int], policy: GatePolicy) -> pa.Table:
    """Return INSTANCES at the given levels; objects whose header says more are written anew under their own digest.

    Pixels are copied as they are. The same object at the same levels always gives the same bytes. Objects that are coarse
    enough keep theirs.
    """
    active = {n: policy.columns[n] for n, level in levels.items() if level and policy.columns[n].attribute}
    if not active:
        return instances
    shown = {
        n: pa.array([coarse_value(v, c, levels[n]) for v in instances[n].to_pylist()], instances.schema.field(n).type)
        for n, c in active.items()
    }
    rows = instances.to_pylist()
    for i, row in enumerate(rows):
        coarse = {n: column[i].as_py() for n, column in shown.items()}
        if any(row[n] != value for n, value in coarse.items()):
            rows[i] = {**row, **coarse, **_rewrite(private, row, active, levels)}
    return pa.Table.from_pylist(rows, schema=instances.schema)


def coarse_value(value: Any, column: ColumnRole, level: int) -> Any:
    """Return a value at a level: the lower end of its band, its parent, or nothing."""
    if value is None or level >= column.level_count - 1:
        return None
    if level == 0:
        return value
    if column.bands:
        width = column.bands[level - 1]
        low = floor(value / width + 1e-9) * width
        return int(low) if isinstance(value, int) else round(low, 6)
    for parents in column.parents[:level]:
        value = parents[value]
    return value


def coarsen_dataset(dataset: Dataset, columns: Mapping[str, ColumnRole], levels: Mapping[str, int]) -> None:
    """Show every occurrence of the columns' attributes at their level, at any depth, in a dataset that was just read.

    A hidden attribute stays, empty: that is valid for Type 2 and Type 3 alike (PS3.5 7.4).
    """
    wanted = {c.attribute: (c, levels[n]) for n, c in columns.items()}
    for element in list(dataset):
        if element.VR == "SQ":
            for item in element.value or ():
                coarsen_dataset(item, columns, levels)
        elif element.keyword in wanted:
            element.value = _coarse_element(element.value, element.VR, *wanted[element.keyword])


def _coarse_element(value: Any, vr: str, column: ColumnRole, level: int) -> Any:
    if level >= column.level_count - 1 or value in (None, ""):
        return None
    if vr == "AS":
        from tasks.describe import age_in_years

        years = age_in_years(str(value))
        return None if years is None else f"{coarse_value(years, column, level):03d}Y"
    if column.bands:
        return f"{coarse_value(float(value), column, level):g}"
    return coarse_value(str(value), column, level)


def _rewrite(private: Store, row: Mapping[str, Any], columns: Mapping[str, ColumnRole], levels: Mapping[str, int]) -> dict[str, Any]:
    from pydicom import dcmread
    from pydicom.filewriter import dcmwrite

    buffer = io.BytesIO()
    try:
        data = private.get(row["quarantine_key"])
        if hashlib.sha256(data).hexdigest() != row["sha256"]:
            raise ReleaseError("coarsen", "an object on the private side was changed", "process its study again")
        dataset = dcmread(io.BytesIO(data))
        coarsen_dataset(dataset, columns, levels)
        dcmwrite(buffer, dataset, enforce_file_format=True)
    except ReleaseError:
        raise
    except Exception as error:  # PRIVACY: a reader's message may quote a value
        raise ReleaseError("coarsen", f"an object cannot be rewritten ({type(error).__name__})", "process its study again") from None
    written = buffer.getvalue()
    sha256 = hashlib.sha256(written).hexdigest()
    key = f"quarantine/objects/{sha256[:2]}/{sha256}.dcm"
    private.put(key, written)
    offset = row["pixel_data_offset"]
    moved = len(written) - len(data)
    return {
        "quarantine_key": key,
        "sha256": sha256,
        "size_bytes": len(written),
        "pixel_data_offset": None if offset is None else offset + moved,
    }


def held_rows(instances: pa.Table, patients: frozenset[str]) -> pa.Table:
    """Return the rows of the patients who are not held back."""
    return instances.filter(pc.invert(pc.is_in(instances["PatientID"], value_set=pa.array(sorted(patients), pa.string()))))
