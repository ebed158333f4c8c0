"""Small clean candidates as tables, and the defects of their words; each trial plants one defect (or none) and asks the gate.

Crowds are in `crowds`, comparisons of studies in `comparisons`, decisions and registries in `decisions`, single objects in `leaks`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from tasks.policy.gates import GatePolicy
from tasks.prove.specimens import make_patient
from tasks.schemas import FINDINGS, INSTANCES
from tasks.secret import Secret
from tasks.value_rules import ValueRules

Trial = Callable[[random.Random, GatePolicy, bool], bool]
"""Builds a candidate, with the defect or without, and says whether the gate holds it."""
HOLDING = frozenset(("block", "quarantine", "ask"))
_AGES = (32, 47, 55, 61)


@dataclass(frozen=True, slots=True)
class CandidateDefect:
    """A defect of a candidate, the recall to prove, and how many trials it is worth: some cost a fifth of a second each."""

    gate: str
    kind: str
    trial: Trial
    target: float = 0.95
    most: int = 300


def is_out_of_bounds(measures: pa.Table, gate: str) -> bool:
    """Say whether a RISK table holds a candidate because of one gate."""
    for row in measures.to_pylist():
        value, low, high = row["value"], row["at_least"], row["at_most"]
        outside = value is None or (low is not None and value < low) or (high is not None and value > high)
        if row["gate"] == gate and row["action"] in HOLDING and outside:
            return True
    return False


def candidate(chance: random.Random, crowds: list[int], first: int = 0, text: str = "CT THORAX") -> list[dict[str, Any]]:
    """Return INSTANCES rows of one object per patient; patients of one crowd share all their facts."""
    rows: list[dict[str, Any]] = []
    for crowd, size in enumerate(crowds):
        for _ in range(size):
            number = first + len(rows)
            row: dict[str, Any] = dict.fromkeys(INSTANCES.names)
            uid = f"2.25.{chance.getrandbits(100)}"
            row |= {"study_key": f"s{number}", "PatientID": f"P{number:06d}", "StudyInstanceUID": f"{uid}1", "SeriesInstanceUID": f"{uid}2"}
            row |= {"SOPInstanceUID": f"{uid}3", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "TransferSyntaxUID": "1.2.840.10008.1.2.1"}
            row |= {"quarantine_key": f"q/{number}", "size_bytes": 1, "sha256": "0" * 64, "status": "released", "Modality": "CT"}
            row |= {
                "PatientSex": "FM"[crowd % 2],
                "patient_age_years": _AGES[crowd % 4],
                "StudyDate": date(2024, 1, 1),
                "StudyDescription": text,
            }
            row |= {"BodyPartExamined": "CHEST", "Manufacturer": "Maker", "ManufacturerModelName": "Model"}
            rows.append(row)
    return rows


def as_table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=INSTANCES)


def facts(rows: list[dict[str, Any]], policy: GatePolicy) -> pa.Table:
    """Return the columns that crowds are counted over: what else a candidate has is measured by other gates."""
    return as_table(rows).select(["PatientID", *(c for c in policy.quasi_identifiers() if c in INSTANCES.names)])


def rare_word(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A family name in one text of one patient; nobody knows it is one."""
    from tasks.risk.words import measure_words, unread_words, words_in

    places = (
        ("(0008,1030)", "LO"),
        ("(0008,103E)", "LO"),
        ("(0018,1030)", "LO"),
        ("(0020,4000)", "LT"),
        ("(0040,0275)[].(0040,0007)", "LO"),
    )
    people = [row["PatientID"] for row in candidate(chance, [12, 12])]
    noted = [{"PatientID": who, "place": place, "vr": vr, "text": b"CT THORAX"} for who in people for place, vr in places]
    if defect:
        name = make_patient(chance.randrange(10**6)).family
        chance.choice(noted)["text"] = chance.choice(("{}", "CT {} 3mm", "{}_thorax", "chest {}")).format(name).encode()
    strict = policy.model_copy(update={"rare_words": "ask"})  # other policies may tell a person, not ask
    unread = unread_words(words_in(pa.Table.from_pylist(noted)), ValueRules(Secret(bytes(32)), {}), strict)
    return is_out_of_bounds(measure_words(unread, strict), "T4")


def near_miss_asks(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A near miss that the scan found in one object."""
    from tasks.scan.measures import measure_near_misses

    rows = candidate(chance, [12])
    uid = chance.choice(rows)["SOPInstanceUID"]
    found = [{"sop_instance_uid": uid, "place": "(0008,103E)", "kind": "patient_name", "rule": "T1.fuzzy", "score": 0.45}] if defect else []
    return is_out_of_bounds(measure_near_misses(as_table(rows), pa.Table.from_pylist(found, schema=FINDINGS)), "T1")
