"""Series that are not what their header says (I5, advisory): a flaw of their own, one slice's noise, noise unlike the scanner's."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tasks.consistency.evidence import OBJECTS
from tasks.consistency.plausible import implausible_series, measure_plausibility

USUAL = [12.0, 12.4, 12.1, 11.8, 12.3, 12.0, 11.9, 12.2]


def _objects(**series: list[float]) -> pa.Table:
    rows = [
        dict.fromkeys(f.name for f in OBJECTS)
        | {"SeriesInstanceUID": uid, "InstanceNumber": number, "scanner": "Maker|Model", "noise": noise, "flaw": ""}
        for uid, levels in series.items()
        for number, noise in enumerate(levels)
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema(list(OBJECTS)))


@pytest.mark.parametrize("at", [0, 3, 7])
@pytest.mark.parametrize("factor", [0.33, 3.0])
def test_one_slice_with_another_scans_noise_stands_out(at: int, factor: float) -> None:
    levels = [noise * (factor if number == at else 1) for number, noise in enumerate(USUAL)]
    assert implausible_series(_objects(a=levels)) == {"a": "noise of one slice"}


def test_noise_that_anatomy_changes_slowly_does_not() -> None:
    assert implausible_series(_objects(a=[10 * 1.12**number for number in range(12)])) == {}


def test_a_series_unlike_all_others_of_its_scanner_stands_out() -> None:
    others = {f"s{number}": [noise * (1 + 0.02 * number) for noise in USUAL] for number in range(12)}
    found = implausible_series(_objects(**others, odd=[noise * 8 for noise in USUAL]))
    assert found == {"odd": "noise unlike the scanner's others"}


def test_a_flaw_is_told_of_the_series_and_of_the_candidate() -> None:
    table = _objects(a=USUAL)
    table = table.set_column(table.schema.get_field_index("flaw"), "flaw", pa.array(["", "values outside of their bits", *[""] * 6]))
    whole, one = measure_plausibility(table).to_pylist()
    assert (whole["value"], whole["action"], one["key"]) == (1, "ask", "a")
