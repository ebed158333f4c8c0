"""Rare values and extremes: a scanner, procedure or body part of too few patients (K8), and people who stand out (K9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from tasks.policy.gates import GatePolicy
from tasks.risk.profiles import PATIENT, connect, quote


@dataclass(frozen=True, slots=True)
class RareValues:
    """The smallest number of patients behind any value of a column; `smallest` is None when every value is null."""

    column: str
    values: int
    rare: int
    smallest: int | None


def measure_rare_values(instances: pa.Table, column: str, least: int) -> RareValues:
    """Count the distinct patients behind every value of one column; unknown (null or empty) is no fact about anybody."""
    connection = connect()
    connection.register("source", instances.select([PATIENT, column]))
    shown = quote(column)
    known = f"{shown} IS NOT NULL AND CAST({shown} AS VARCHAR) <> ''"
    counts = f'SELECT count(DISTINCT "PatientID") AS n FROM source WHERE {known} GROUP BY {shown}'  # noqa: S608 - quoted
    row = connection.execute(f"SELECT count(*), count(*) FILTER (n < ?), min(n) FROM ({counts})", [least]).fetchone()  # noqa: S608
    assert row is not None
    return RareValues(column, int(row[0]), int(row[1]), None if row[2] is None else int(row[2]))


def count_extremes(instances: pa.Table, policy: GatePolicy) -> Mapping[str, int]:
    """Count the distinct patients of every group that stands out: too old, minors, pregnant, and beyond the usual size or weight.

    Bounds come from the policy, not from the data, so that two releases draw the same line.
    """
    low_kg, high_kg = policy.usual_weight_kg
    low_m, high_m = policy.usual_size_m
    conditions = {
        "older than the cap": ("patient_age_years", f"patient_age_years > {policy.oldest_years}"),
        "minors": ("patient_age_years", f"patient_age_years < {policy.youngest_years}"),
        "pregnant, or perhaps": ("PregnancyStatus", '"PregnancyStatus" IN (2, 3)'),
        "lighter than usual": ("PatientWeight", f'"PatientWeight" < {low_kg}'),
        "heavier than usual": ("PatientWeight", f'"PatientWeight" > {high_kg}'),
        "smaller than usual": ("PatientSize", f'"PatientSize" < {low_m}'),
        "taller than usual": ("PatientSize", f'"PatientSize" > {high_m}'),
    }
    present = {group: sql for group, (column, sql) in conditions.items() if column in instances.column_names}
    if not present:
        return {}
    connection = connect()
    wanted = [
        PATIENT,
        *(c for c in ("patient_age_years", "PregnancyStatus", "PatientWeight", "PatientSize") if c in instances.column_names),
    ]
    connection.register("source", instances.select(wanted))
    counts = ", ".join(f'count(DISTINCT "PatientID") FILTER ({sql})' for sql in present.values())
    row = connection.execute(f"SELECT {counts} FROM source").fetchone()  # noqa: S608 - conditions of this module
    assert row is not None
    return dict(zip(present, (int(n) for n in row), strict=True))
