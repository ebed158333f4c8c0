"""Who was removed by the gates, and which counts a public page may show."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import UsageError
from tasks.policy.gates import GatePolicy
from tasks.publish.store import open_store
from tasks.risk.balance import measure_balance, standardised_difference
from tasks.risk.cells import count_unsafe, protect_cells
from tasks.risk.published import freeze_levels, read_earlier, read_frozen_levels
from tests.unit.gate_tables import instance_row, table


def outside(measures: pa.Table) -> set[tuple[str, str]]:
    rows = measures.to_pylist()
    return {
        (r["gate"], r["measure"].split(": ")[-1])
        for r in rows
        if (r["at_least"] is not None and r["value"] < r["at_least"]) or (r["at_most"] is not None and r["value"] > r["at_most"])
    }


def _people(women, men):
    return [instance_row(i, PatientSex="F") for i in range(women)] + [instance_row(1000 + i, PatientSex="M") for i in range(men)]


def test_gates_that_remove_everybody_alike_are_fair():
    assert outside(measure_balance(table(_people(100, 100)), table(_people(90, 90)), GatePolicy())) == set()


def test_gates_that_remove_mostly_men_are_seen():
    found = outside(measure_balance(table(_people(100, 100)), table(_people(100, 50)), GatePolicy()))
    assert {("B2", "sex M"), ("B2", "sex F"), ("B1", "sex M")} <= found


def test_a_small_group_is_not_judged():
    measures = measure_balance(table(_people(100, 10)), table(_people(100, 0)), GatePolicy())
    assert [m["measure"] for m in measures.to_pylist() if "sex M" in m["measure"]] == []
    assert outside(measures) == set()


def test_a_patient_with_many_rows_is_one_person():
    rows = [instance_row(i, 0, n, PatientSex="F") for i in range(30) for n in range(5)] + _people(0, 30)
    measures = measure_balance(table(rows), table(rows), GatePolicy()).to_pylist()
    assert {m["n"] for m in measures if "sex" in m["measure"]} == {30}


@pytest.mark.parametrize(
    ("before", "after", "expected"), [(0.5, 0.5, 0.0), (0.5, 0.4, 0.2020), (0.0, 0.0, 0.0), (1.0, 1.0, 0.0), (0.0, 1.0, 1.0)]
)
def test_standardised_difference(before, after, expected):
    assert standardised_difference(before, after) == pytest.approx(expected, abs=1e-4)


@given(st.dictionaries(st.sampled_from("abcdefg"), st.integers(0, 60), min_size=1), st.integers(1, 12))
def test_no_count_that_is_too_small_is_shown_or_can_be_computed(counts, least):
    shown = protect_cells(counts, least)
    everything_hidden = all(n is None for n, true in zip(shown.values(), counts.values(), strict=True) if true)
    total = sum(counts.values())
    assert count_unsafe(shown, total, least) == 0 or everything_hidden
    assert all(shown[name] in (None, n) for name, n in counts.items())
    if all(n == 0 or n >= least for n in counts.values()):
        assert shown == counts


@pytest.mark.parametrize(
    ("shown", "total", "unsafe"),
    [({"F": 30, "M": 5}, 35, 1), ({"F": 30, "M": None}, 35, 1), ({"F": None, "M": None}, 35, 0), ({"F": 30, "M": 0}, 30, 0)],
)
def test_unsafe_cells_are_counted(shown, total, unsafe):
    assert count_unsafe(shown, total, 11) == unsafe


def test_levels_are_frozen_by_the_first_release(tmp_path):
    private = open_store(str(tmp_path))
    policy = GatePolicy()
    assert read_frozen_levels(private, policy) is None
    freeze_levels(private, {"patient_age_years": 2, "PatientSex": 0}, policy)
    freeze_levels(private, {"patient_age_years": 0, "PatientSex": 0}, policy)
    assert read_frozen_levels(private, policy) == {"patient_age_years": 2, "PatientSex": 0}
    other = GatePolicy(columns={"patient_age_years": {"role": "quasi", "bands": [7]}})
    with pytest.raises(UsageError, match="new dataset name"):
        read_frozen_levels(private, other)


def test_before_the_first_release_there_is_nothing_to_compare_with(tmp_path):
    assert read_earlier(open_store(str(tmp_path))) is None
