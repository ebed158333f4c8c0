"""What the report shows, counted from a candidate's tables and the receipts. Layout does not belong here."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pyarrow as pa

from tasks.model import Receipt
from tasks.policy import Policy
from tasks.policy.vocabulary import gates
from tasks.risk.crowds import class_sizes
from tasks.risk.profiles import read_profiles
from tasks.risk.words import WORD
from tasks.value_rules import ValueRules

JUDGED_ROLES = ("text", "sensitive", "rare")
"""Columns whose values a reviewer reads one by one."""

Bars = list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class ValueCount:
    """One distinct value of one column: in how many patients and objects, and what was decided about it before."""

    column: str
    value: str = field(repr=False)
    patients: int
    objects: int
    decided: str | None


@dataclass(frozen=True, slots=True)
class GateSummary:
    """All verdict rows of one gate and measure, counted by outcome."""

    gate: str
    measure: str
    threshold: str
    verdict: str
    units: int
    value: float | None


@dataclass(frozen=True, slots=True)
class GroupCount:
    """Patients of one group before the gates, and how many of them are in the candidate."""

    group: str
    patients: int
    stayed: int


@dataclass(frozen=True, slots=True)
class Facts:
    modalities: Bars  # patients
    people: Bars  # patients by sex
    ages: Bars  # patients by ten years
    crowds: Bars  # classes by size
    outcomes: Bars  # objects by status and reason
    findings: Bars  # findings by rule
    held: Bars  # patients held back by gate
    groups: list[GroupCount]
    gates: list[GateSummary]
    values: list[ValueCount] = field(repr=False)


def gather_facts(
    tables: Mapping[str, pa.Table], receipts: Sequence[Receipt], policy: Policy, rules: ValueRules | None, plan: Mapping[str, Any]
) -> Facts:
    """Count everything that the report shows. `tables`: instances, findings, verdicts, risk, words; `plan`: as it was kept."""
    instances = tables["instances"]
    return Facts(
        modalities=_patients_by(instances, "Modality"),
        people=_patients_by(instances, "PatientSex"),
        ages=_ages(instances),
        crowds=_crowds(instances, policy),
        outcomes=_outcomes(receipts),
        findings=Counter(f"{r['rule']} ({r['kind']})" for r in tables["findings"].to_pylist()).most_common(40),
        held=[(f"{gate}: {_question(gate)}", n) for gate, n in plan.get("held_by_gate", {}).items() if n],
        groups=[GroupCount(g["facet"], g["patients"], g["stayed"]) for facet in plan.get("groups", {}).values() for g in facet],
        gates=_gates(tables["verdicts"], tables["risk"]),
        values=[*_words(tables["words"]), *_values(instances, policy, rules)],
    )


def _patients_by(instances: pa.Table, column: str) -> Bars:
    people: dict[str, set[str]] = defaultdict(set)
    for value, patient in zip(instances[column].to_pylist(), instances["PatientID"].to_pylist(), strict=True):
        people[str(value) if value else "not stated"].add(patient)
    return sorted(((v, len(p)) for v, p in people.items()), key=lambda b: (-b[1], b[0]))


def _ages(instances: pa.Table) -> Bars:
    people: dict[str, set[str]] = defaultdict(set)
    for age, patient in zip(instances["patient_age_years"].to_pylist(), instances["PatientID"].to_pylist(), strict=True):
        people["not stated" if age is None else "90 and more" if age >= 90 else f"{age // 10 * 10:2d} to {age // 10 * 10 + 9}"].add(patient)
    return sorted((band, len(p)) for band, p in people.items())


def _crowds(instances: pa.Table, policy: Policy) -> Bars:
    if instances.num_rows == 0:
        return []
    bands: Counter[int] = Counter()
    edges = (1, 2, 5, 11, 20, 50, 100, 1000)
    for size, classes in class_sizes(read_profiles(instances, policy.gates)).items():
        bands[max(e for e in edges if e <= size)] += classes
    names = {low: f"{low}" if high == low + 1 else f"{low} to {high - 1}" for low, high in pairwise(edges)}
    names[edges[-1]] = f"{edges[-1]:,} and more"
    return [(f"crowds of {names[e]}", bands[e]) for e in edges if bands[e]]


def _outcomes(receipts: Sequence[Receipt]) -> Bars:
    objects: Counter[str] = Counter()
    for receipt in receipts:
        for status, reason, n in receipt.outcomes:
            objects[f"{status}: {reason.replace('_', ' ')}" if reason else status] += n
    return objects.most_common()


def _gates(verdicts: pa.Table, risk: pa.Table) -> list[GateSummary]:
    measured = {(r["gate"], r["measure"]): r["value"] for r in risk.to_pylist()}
    counted: Counter[tuple[str, str, str, str]] = Counter()
    for row in verdicts.to_pylist():
        counted[row["gate"], row["measure"], row["threshold"], row["verdict"]] += 1
    grave = {"broken": 0, "block": 1, "quarantine": 2, "ask": 3, "info": 4, "pass": 5}
    rows = [GateSummary(g, m, t, v, n, measured.get((g, m))) for (g, m, t, v), n in counted.items()]
    return sorted(rows, key=lambda r: (grave.get(r.verdict, 0), r.gate, r.measure))


def _question(gate: str) -> str:
    known = gates().get(gate)
    return known.question if known else "unknown gate"


def _values(instances: pa.Table, policy: Policy, rules: ValueRules | None) -> list[ValueCount]:
    columns = [n for n, c in policy.gates.columns.items() if c.role in JUDGED_ROLES and n in instances.column_names]
    patients = instances["PatientID"].to_pylist()
    found: list[ValueCount] = []
    for column in columns:
        people: dict[str, set[str]] = defaultdict(set)
        objects: Counter[str] = Counter()
        for value, patient in zip(_texts(instances[column]), patients, strict=True):
            if value:
                people[value].add(patient)
                objects[value] += 1
        found += [ValueCount(column, v, len(p), objects[v], rules.choice(column, v) if rules else None) for v, p in people.items()]
    return sorted(found, key=lambda v: (columns.index(v.column), v.patients, v.value))


def _words(words: pa.Table) -> list[ValueCount]:
    return [ValueCount(WORD, r["token"], r["patients"], r["patients"], None) for r in words.to_pylist()]


def _texts(column: Any) -> list[str | None]:
    return [v if isinstance(v, str) else None for v in column.to_pylist()]
