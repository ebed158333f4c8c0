"""All measures of a candidate as one RISK table: value, bounds, what was counted, and what a value out of bounds means.

Judging the values does not belong here (`expectations`), and no measure names a value of a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pyarrow as pa

from tasks.policy.gates import GatePolicy
from tasks.risk.crowds import count_special_uniques, measure_crowds
from tasks.risk.profiles import check_roles, read_profiles
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
