"""Every risk measure equals a brute-force reading of the same table."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.policy.gates import GatePolicy
from tasks.risk import measure_risk, plan_suppression
from tasks.risk.crowds import count_special_uniques, measure_crowds
from tasks.risk.differences import compare_with_earlier
from tasks.risk.disclosure import measure_shared_secrets
from tasks.risk.intervals import measure_intervals
from tasks.risk.profiles import read_profiles
from tasks.risk.rarity import measure_rare_values
from tasks.risk.search import find_levels, read_lattice
from tests.property import risk_oracle as oracle

SMALL = {
    "patient_age_years": {"role": "quasi", "bands": [5, 10]},
    "EthnicGroup": {"role": "quasi", "parents": [{"a": "x", "b": "x", "c": "y"}]},
    "PatientSize": {"role": "quasi", "bands": [0.05]},
    "PatientWeight": {"role": "technical"},
    "PregnancyStatus": {"role": "technical"},
}
SCHEMA = pa.schema(
    [
        ("PatientID", pa.string()),
        ("StudyInstanceUID", pa.string()),
        ("StudyDate", pa.date32()),
        ("StudyDescription", pa.string()),
        ("Modality", pa.string()),
        ("PatientSex", pa.string()),
        ("patient_age_years", pa.int32()),
        ("EthnicGroup", pa.string()),
        ("PatientSize", pa.float64()),
    ]
)
unknown = st.none()
rows_of = lambda people, most: st.lists(  # noqa: E731
    st.fixed_dictionaries(
        {
            "PatientID": st.integers(0, people - 1).map("p{}".format),
            "StudyInstanceUID": st.integers(0, 3).map("1.{}".format),
            "StudyDate": unknown | st.integers(0, 3).map(lambda d: date(2020, 1, 1) + timedelta(days=d)),
            "StudyDescription": unknown | st.sampled_from(["HEAD", "CHEST", "KNEE"]),
            "Modality": unknown | st.sampled_from(["CT", "MR", ""]),
            "PatientSex": unknown | st.sampled_from(["F", "M"]),
            "patient_age_years": unknown | st.sampled_from([3, 4, 5, 9, 10, 14]),
            "EthnicGroup": unknown | st.sampled_from(["a", "b", "c"]),
            "PatientSize": unknown | st.sampled_from([1.1, 1.15, 1.2]),
        }
    ),
    min_size=1,
    max_size=most,
)
policies = st.builds(
    lambda k, cap, risk: GatePolicy(k=k, max_suppressed=cap, average_risk=risk, columns=SMALL),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.2, 0.5]),
    st.sampled_from([1.0, 0.5, 0.34]),
)
quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def table(rows):
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@pytest.mark.slow
@quick
@given(rows_of(12, 40), policies)
def test_crowds_equal_the_oracle(rows, policy):
    quasi = policy.quasi_identifiers()
    profiles = read_profiles(table(rows), policy)
    crowds = measure_crowds(profiles)
    people = oracle.classes(rows, quasi)
    assert crowds.smallest == oracle.smallest(rows, quasi)
    assert crowds.classes == len(people)
    assert crowds.patients == len({r["PatientID"] for r in rows})
    assert count_special_uniques(profiles, 3) == oracle.special_uniques(rows, quasi, 3)


@pytest.mark.slow
@quick
@given(rows_of(7, 12), policies)
def test_no_larger_set_of_patients_could_stay(rows, policy):
    levels = dict.fromkeys(policy.quasi_identifiers(), 0)
    plan = plan_suppression(table(rows), policy.model_copy(update={"max_suppressed": 0.99}), frozen=levels)
    everybody = {r["PatientID"] for r in rows}
    kept = oracle.largest_stable_set(rows, policy.quasi_identifiers(), levels, policy.k)
    assert plan.reached == (bool(kept) and len(everybody - kept) <= int(0.99 * len(everybody)))
    assert everybody - plan.held_patient_ids == (kept if plan.reached else everybody)


@pytest.mark.slow
@quick
@given(rows_of(14, 30), policies)
def test_the_search_finds_the_least_general_levels(rows, policy):
    quasi = policy.quasi_identifiers()
    patients = len({r["PatientID"] for r in rows})
    cap = int(policy.max_suppressed * patients)
    profiles = read_profiles(table(rows), policy)
    found = find_levels(read_lattice(profiles, policy), profiles.names, policy, cap) if patients >= policy.k else None
    assert found == oracle.best_levels(rows, quasi, policy, cap)


@pytest.mark.slow
@quick
@given(rows_of(14, 30), policies)
def test_after_the_plan_every_crowd_is_large_enough(rows, policy):
    plan = plan_suppression(table(rows), policy)
    if plan.reached and policy.k > 1:
        left = [r for r in rows if r["PatientID"] not in plan.held_patient_ids]
        assert min(len(p) for p in oracle.classes(left, policy.quasi_identifiers(), dict(plan.levels)).values()) >= policy.k
    if not plan.reached:
        assert plan.held_patient_ids == frozenset()


@pytest.mark.slow
@quick
@given(rows_of(14, 30), policies, st.randoms())
def test_the_plan_does_not_depend_on_the_order_of_rows(rows, policy, random):
    shuffled = random.sample(rows, len(rows))
    one, other = plan_suppression(table(rows), policy), plan_suppression(table(shuffled), policy)
    assert (one.held_patient_ids, one.levels, one.reached) == (other.held_patient_ids, other.levels, other.reached)


@quick
@given(rows_of(12, 40), policies)
def test_shared_secrets_equal_the_oracle(rows, policy):
    shared = measure_shared_secrets(table(rows), "StudyDescription", policy)
    assert shared.disclosing == oracle.disclosing(rows, policy.quasi_identifiers(), "StudyDescription", policy)


@pytest.mark.slow
@quick
@given(rows_of(8, 30), st.integers(1, 4))
def test_visit_patterns_equal_the_oracle(rows, crowd):
    patterns = measure_intervals(table(rows), crowd)
    assert (patterns.patients, patterns.hidden) == oracle.hidden_by_visits(rows, crowd)


@pytest.mark.slow
@quick
@given(rows_of(8, 30), st.integers(1, 4))
def test_rare_values_equal_the_oracle(rows, least):
    rare = measure_rare_values(table(rows), "Modality", least)
    people: dict[str, set[str]] = {}
    for row in rows:
        if row["Modality"]:
            people.setdefault(row["Modality"], set()).add(row["PatientID"])
    assert rare.values == len(people)
    assert rare.rare == sum(1 for p in people.values() if len(p) < least)
    assert rare.smallest == min((len(p) for p in people.values()), default=None)


@pytest.mark.slow
@quick
@given(rows_of(8, 20), rows_of(8, 20), policies)
def test_differences_equal_the_oracle(now, then, policy):
    earlier = table(then).append_column("release_id", pa.array(["2026.1.0"] * len(then)))
    found = compare_with_earlier(table(now), earlier, policy)
    assert {d.comparison: d.smallest for d in found} == oracle.differences(now, then, policy.quasi_identifiers())


def _verdicts(rows, policy, earlier=None):
    measured = measure_risk(table(rows), policy, earlier).to_pylist()
    outside = [m for m in measured if (m["at_least"] or 0) > m["value"] or m["value"] > (m["at_most"] if m["at_most"] is not None else 1e9)]
    return {m["gate"] for m in outside}


def _person(number, **facts):
    plain = {"StudyInstanceUID": f"1.{number}", "StudyDate": date(2020, 1, 1), "StudyDescription": "CHEST", "Modality": "CT"}
    return dict.fromkeys(SCHEMA.names) | plain | {"PatientID": f"p{number}", "PatientSex": "F", "patient_age_years": 50} | facts


CROWD = [_person(i) for i in range(24)]
POLICY = GatePolicy(columns={})


@pytest.mark.parametrize(
    ("rows", "gate"),
    [
        ([*CROWD, _person(99, patient_age_years=60)], "K1"),
        ([_person(i, patient_age_years=50 + i % 2) for i in range(22)], "K2"),
        ([*CROWD, _person(99, PatientSex="M")], "K3"),
        ([*[_person(i, StudyDescription="HIV CLINIC") for i in range(12)], *[_person(i, PatientSex="M") for i in range(12, 60)]], "K4"),
        ([*CROWD, *[_person(i, StudyInstanceUID=f"2.{i}", StudyDate=date(2021, 1, 1) + timedelta(days=i)) for i in range(24)]], "K6"),
        ([*CROWD, _person(1, Modality="PT", StudyInstanceUID="3.1")], "K8"),
        ([_person(i, patient_age_years=95) for i in range(24)], "K9"),
        ([*CROWD, _person(1, patient_age_years=12, StudyInstanceUID="3.1")], "K9"),
    ],
    ids=["K1", "K2", "K3", "K4", "K6", "K8", "K9 age", "K9 minor"],
)
def test_each_gate_catches_its_planted_defect_and_lets_the_clean_control_pass(rows, gate):
    assert _verdicts(CROWD, POLICY) == set()
    assert gate in _verdicts(rows, POLICY)


def test_one_patient_more_than_last_time_is_caught_though_every_release_has_its_crowds():
    """K7: two releases that differ by one patient name that patient."""
    earlier = table(CROWD)
    assert "K7" in _verdicts([*CROWD, _person(99)], POLICY, earlier)
    assert "K7" not in _verdicts(CROWD, POLICY, earlier)
    assert "K7" not in _verdicts([*CROWD, *[_person(i) for i in range(100, 120)]], POLICY, earlier)


def test_two_granularities_cut_each_others_crowds():
    """K7: two releases, each with crowds of 12, that leave crowds of 6 together."""
    then = [_person(i, patient_age_years=50 + (i % 2)) for i in range(24)]
    now = [_person(i, patient_age_years=40 + (i // 12)) for i in range(24)]
    found = {d.comparison: d.smallest for d in compare_with_earlier(table(now), table(then), POLICY)}
    assert found["intersection"] == 6
    assert "K7" in _verdicts(now, POLICY, table(then))


def test_estimates_of_the_population_never_fail_and_never_relax():
    policy = GatePolicy(population=1_000_000, columns={})
    measured = measure_risk(table(CROWD), policy).to_pylist()
    assert {m["action"] for m in measured if m["gate"] == "K5"} == {"info"}
    assert [m for m in measured if m["gate"] == "K1"] == [m for m in measure_risk(table(CROWD), POLICY).to_pylist() if m["gate"] == "K1"]


def test_patients_are_counted_and_rows_are_not():
    """One patient with eleven studies is a crowd of one."""
    rows = [_person(1, StudyInstanceUID=f"1.{i}") for i in range(11)]
    assert measure_risk(table(rows), POLICY).to_pylist()[0]["value"] == 1
