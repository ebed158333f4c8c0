"""Who is in a candidate, and whom the gates removed: groups of people before and after (B1, B2).

A group of fewer patients than can be compared is not judged. Crowds do not belong here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

import pyarrow as pa

from tasks.policy.gates import GatePolicy
from tasks.risk.measures import Measure, as_risk_table
from tasks.risk.profiles import PATIENT, connect

SMALLEST_GROUP = 20

_BAND = 'floor("patient_age_years" / 20) * 20'
_GROUPS = {
    "sex": ("PatientSex", '"PatientSex"'),
    "age": ("patient_age_years", f"CAST({_BAND} AS INTEGER) || ' to ' || CAST({_BAND} + 19 AS INTEGER)"),
}


@dataclass(frozen=True, slots=True)
class Group:
    """Distinct patients of one group before the gates, and how many of them stayed."""

    facet: str
    patients: int
    stayed: int


def count_groups(before: pa.Table, after: pa.Table) -> dict[str, list[Group]]:
    """Count the distinct patients of every sex and age group (20 years) before and after; unknown is a group of its own."""
    connection = connect()
    connection.register("stayed_rows", after.select([PATIENT]))
    connection.execute('CREATE TEMP TABLE stayed AS SELECT DISTINCT "PatientID" AS patient FROM stayed_rows')
    groups: dict[str, list[Group]] = {}
    for facet, (column, shown) in _GROUPS.items():
        if column not in before.column_names:
            continue
        connection.register("cohort", before.select([PATIENT, column]))
        rows = connection.execute(
            f'WITH people AS (SELECT DISTINCT "PatientID" AS patient, {shown} AS g FROM cohort)'  # noqa: S608 - own expressions
            " SELECT g, count(DISTINCT patient), count(DISTINCT patient) FILTER (patient IN (SELECT patient FROM stayed))"
            " FROM people GROUP BY g ORDER BY g NULLS LAST"
        ).fetchall()
        groups[facet] = [Group(f"{facet} {'unknown' if g is None else g}", int(n), int(kept)) for g, n, kept in rows]
    return groups


def measure_balance(before: pa.Table, after: pa.Table, policy: GatePolicy) -> pa.Table:
    """Return B1 and B2 as RISK rows: for every large enough group its chance to stay, and its change of share.

    `before`: INSTANCES of the whole cohort, whatever became of them; `after`: those of the candidate. Where crowds of one are
    released on purpose (k = 1) the measures only inform.
    """
    return as_risk_table(list(_measures(count_groups(before, after), policy)))


def _measures(groups: dict[str, list[Group]], policy: GatePolicy) -> Iterator[Measure]:
    action = "info" if policy.k == 1 else "ask"
    for of_facet in groups.values():
        patients, stayed = sum(g.patients for g in of_facet), sum(g.stayed for g in of_facet)
        for group in of_facet:
            if group.patients < max(SMALLEST_GROUP, policy.k) or not stayed:
                continue
            ratio = (group.stayed / group.patients) / (stayed / patients)
            low, high = policy.removal_ratio_low, policy.removal_ratio_high
            yield Measure("B2", f"chance to stay, against everybody's: {group.facet}", ratio, group.patients, action, low, high)
            if patients - group.patients < max(SMALLEST_GROUP, policy.k):
                continue  # A change of share is only the other side of a group too small to be judged.
            difference = standardised_difference(group.patients / patients, group.stayed / stayed)
            yield Measure(
                "B1", f"standardised difference: {group.facet}", difference, group.patients, action, at_most=policy.standardised_difference
            )


def standardised_difference(before: float, after: float) -> float:
    """Return the absolute standardised difference of two shares (Austin 2009)."""
    spread = sqrt((before * (1 - before) + after * (1 - after)) / 2)
    return abs(after - before) / spread if spread else float(before != after)
