"""All measures of a candidate as one RISK table: value, bounds, what was counted, and what a value out of bounds means.

Judging the values does not belong here (`expectations`), and no measure names a value of a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pyarrow as pa

from tasks.policy.gates import GatePolicy
from tasks.risk.crowds import class_sizes, count_special_uniques, measure_crowds
from tasks.risk.differences import compare_with_earlier
from tasks.risk.disclosure import measure_shared_secrets
from tasks.risk.intervals import measure_intervals
from tasks.risk.population import pitman, zayatz
from tasks.risk.profiles import Profiles, check_roles, read_profiles
from tasks.risk.rarity import count_extremes, measure_rare_values
from tasks.schemas import RISK


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of RISK."""

    gate: str
    measure: str
    value: float | None
    n: int
    action: str
    at_least: float | None = None
    at_most: float | None = None
    unit: str = "release"
    key: str = ""


def measure_risk(instances: pa.Table, policy: GatePolicy, earlier: pa.Table | None = None) -> pa.Table:
    """Measure every re-identification gate over the rows of a candidate (INSTANCES, or any table with PatientID).

    `earlier`: rows of all earlier releases, with `release_id`. Raises UsageError when a column has no role.
    """
    check_roles(instances.column_names, policy)
    return as_risk_table(_measures(instances, policy, earlier))


def as_risk_table(measures: Iterator[Measure] | list[Measure]) -> pa.Table:
    """Return the measures as a RISK table."""
    return pa.Table.from_pylist([asdict(m) for m in measures], schema=RISK)


def _measures(instances: pa.Table, policy: GatePolicy, earlier: pa.Table | None) -> Iterator[Measure]:
    profiles = read_profiles(instances, policy)
    crowds = measure_crowds(profiles)
    yield Measure("K1", "smallest crowd", crowds.smallest, crowds.patients, "block", at_least=policy.k)
    yield Measure("K2", "classes per patient", crowds.average_risk, crowds.patients, "block", at_most=policy.average_risk_at_most)
    if policy.k > 1:
        # Where every class of all facts holds two patients, so does every class of fewer facts.
        alone = 0 if crowds.smallest > 1 else count_special_uniques(profiles, policy.few_facts)
        yield Measure("K3", f"patients unique on {policy.few_facts} facts", alone, crowds.patients, "block", at_most=0)
    yield from _shared_secrets(instances, policy, crowds.patients)
    yield from _population(profiles, policy)
    patterns = measure_intervals(instances, policy.interval_crowd_at_least)
    yield Measure("K6", "patients who share their pattern of visits", patterns.share, patterns.patients, "ask", policy.interval_share)
    yield from _differences(instances, policy, earlier)
    yield from _rarity(instances, policy, crowds.patients)


def _shared_secrets(instances: pa.Table, policy: GatePolicy, patients: int) -> Iterator[Measure]:
    if policy.k == 1:
        return  # Without crowds there is nothing that a crowd could share.
    for name in policy.with_role("sensitive"):
        if name in instances.column_names:
            shared = measure_shared_secrets(instances, name, policy)
            yield Measure("K4", f"crowds that share their {name}", shared.disclosing, patients, "ask", at_most=0)


def _population(profiles: Profiles, policy: GatePolicy) -> Iterator[Measure]:
    if policy.population is None:
        return
    sizes = class_sizes(profiles)
    yield Measure(
        "K5", "sample uniques that are population uniques (Zayatz)", zayatz(sizes, policy.population), policy.population, "info", 0
    )
    share = pitman(sizes, policy.population)
    if share is not None:
        yield Measure("K5", "population uniques (Pitman)", share, policy.population, "info", 0)


def _differences(instances: pa.Table, policy: GatePolicy, earlier: pa.Table | None) -> Iterator[Measure]:
    if earlier is None or earlier.num_rows == 0:
        return
    for difference in compare_with_earlier(instances, earlier, policy):
        least = policy.difference_crowd_at_least
        # Nobody added, or nobody removed, exposes nobody.
        smallest = least if difference.smallest is None else difference.smallest
        measure = f"smallest crowd, {difference.comparison} with release {difference.release_id}"
        # Who opted out must not stay for the sake of a crowd: a person decides about removals.
        action = "ask" if difference.comparison == "removed" else "block"
        yield Measure("K7", measure, smallest, difference.patients, action, at_least=least)


def _rarity(instances: pa.Table, policy: GatePolicy, patients: int) -> Iterator[Measure]:
    least = policy.rare_patients_at_least
    for name in policy.with_role("rare"):
        if name in instances.column_names:
            rare = measure_rare_values(instances, name, least)
            yield Measure("K8", f"values of {name} with too few patients", rare.rare, patients, "ask", at_most=0)
    for group, count in count_extremes(instances, policy).items():
        capped = group == "older than the cap"
        standing_out = count if capped or 0 < count < policy.k else 0
        yield Measure("K9", f"patients in a small group: {group}", standing_out, patients, "block" if capped else "ask", at_most=0)
