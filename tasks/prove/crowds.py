"""Defects of crowds: too small a crowd, a telling difference, a shared secret, a rare value, an unfair removal (K, B).

Each trial makes a small clean candidate, plants one defect (or none), and asks the unchanged measure.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from tasks.policy.gates import GatePolicy
from tasks.prove.tables import as_table, candidate, facts, is_out_of_bounds


def crowd_too_small(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A crowd of k - 1 among large ones."""
    from tasks.risk import measure_risk

    sizes = [policy.k + chance.randint(0, 6) for _ in range(3)]
    if defect:
        sizes[chance.randrange(3)] = policy.k - 1
    return is_out_of_bounds(measure_risk(facts(candidate(chance, sizes), policy), policy), "K1")


def one_patient_difference(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """An earlier release without exactly one patient of the candidate, who is the difference of the two."""
    from tasks.risk import measure_risk

    rows = candidate(chance, [2 * policy.k + chance.randint(0, 5), 2 * policy.k])
    left_out = chance.randrange(len(rows)) if defect else None
    earlier = facts([row for number, row in enumerate(rows) if number != left_out], policy)
    earlier = earlier.append_column("release_id", pa.array(["r1"] * earlier.num_rows, pa.string()))
    return is_out_of_bounds(measure_risk(facts(rows, policy), policy, earlier), "K7")


def average_risk(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """Crowds that are all just large enough, so that on average they are too small."""
    from tasks.risk import measure_risk

    size = policy.k if defect else int(2 / policy.average_risk_at_most)
    rows = candidate(chance, [size + (0 if defect else chance.randint(0, 9)) for _ in range(4)])
    return is_out_of_bounds(measure_risk(facts(rows, policy), policy), "K2")


def unique_on_few_facts(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """One patient whose weight and sex nobody shares."""
    from tasks.risk import measure_risk

    rows = candidate(chance, [policy.k + chance.randint(0, 9), policy.k + 3])
    for row in rows:
        row["PatientWeight"] = 70.0
    if defect:
        chance.choice(rows)["PatientWeight"] = float(chance.randint(41, 65))
    return is_out_of_bounds(measure_risk(facts(rows, policy), policy), "K3")


def shared_secret(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A crowd in which everybody had the same telling examination."""
    from tasks.risk import measure_risk

    rows = candidate(chance, [3 * policy.k, 3 * policy.k])
    texts = ("CT THORAX", "CT ABDOMEN", "CT PELVIS", "CT SPINE")
    for number, row in enumerate(rows):
        row["StudyDescription"] = texts[number % 4]
    if defect:
        for row in rows[: 3 * policy.k]:
            row["StudyDescription"] = "CT STAGING"
    return is_out_of_bounds(measure_risk(as_table(rows), policy), "K4")


def population_unique(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """Many who are alone in the sample: the estimate says so. It informs, and holds nothing."""
    from tasks.risk import measure_risk

    known = policy.model_copy(update={"population": 10_000})
    rows = candidate(chance, [30, 30])
    for row in rows[:20] if defect else ():
        row["PatientWeight"] = 41.0 + rows.index(row)
    measured = measure_risk(facts(rows, known), known).to_pylist()
    return any(r["gate"] == "K5" and r["value"] is not None and r["value"] > 0 for r in measured)


def visit_pattern(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """Patients with three studies at intervals of their own."""
    rows: list[dict[str, Any]] = []
    for row in candidate(chance, [2 * policy.k, 2 * policy.k]):
        day = date(2020, 1, 1)
        for number in range(3):
            rows.append({**row, "StudyInstanceUID": f"{row['StudyInstanceUID']}.{number}", "StudyDate": day})
            day += timedelta(days=chance.randint(10, 900) if defect else 30)
    from tasks.risk import measure_risk

    return is_out_of_bounds(measure_risk(as_table(rows), policy), "K6")


def rare_value(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A scanner, a body part or a modality that only one patient has."""
    from tasks.risk import measure_risk

    rows = candidate(chance, [2 * policy.k, 2 * policy.k])
    if defect:
        chance.choice(rows)[chance.choice(("ManufacturerModelName", "BodyPartExamined", "Manufacturer", "Modality"))] = "PT"
    return is_out_of_bounds(measure_risk(as_table(rows), policy), "K8")


def extreme(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """Somebody older than the cap, very heavy, very small, a child, or pregnant."""
    from tasks.risk import measure_risk

    rows = candidate(chance, [2 * policy.k, 2 * policy.k])
    if defect:
        column, value = chance.choice(
            (("patient_age_years", 97), ("PatientWeight", 190.0), ("PatientSize", 1.2), ("patient_age_years", 7), ("PregnancyStatus", 3))
        )
        chance.choice(rows)[column] = value
    return is_out_of_bounds(measure_risk(as_table(rows), policy), "K9")


def small_cell(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A public count of a few people, or one that the others give away. `defect`: the count as it is; else as it is published."""
    from tasks.risk.cells import count_unsafe, protect_cells

    least = policy.report_cell_at_least
    counts = {"F": chance.randint(40, 90), "M": chance.randint(40, 90), "O": chance.randint(1, least - 1)}
    shown: dict[str, int | None] = dict(counts)
    if not defect:
        shown = protect_cells(counts, least)
    elif chance.random() < 0.5:
        shown["O"] = None  # hidden alone: the total tells it
    return count_unsafe(shown, sum(counts.values()), least) > 0


def unfair_removal(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """Gates that remove mostly patients of one group."""
    return _balance(chance, policy, defect, "B2")


def changed_shares(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A candidate in which a group has another share than in the cohort."""
    return _balance(chance, policy, defect, "B1")


def _balance(chance: random.Random, policy: GatePolicy, defect: bool, gate: str) -> bool:
    from tasks.risk.balance import measure_balance

    rows = candidate(chance, [100, 100])  # one sex each
    lost = chance.randint(45, 80) if defect else 0
    everywhere = chance.randint(0, 10)
    stayed = [row for number, row in enumerate(rows) if everywhere <= number % 100 and (number >= 100 or number >= everywhere + lost)]
    return is_out_of_bounds(measure_balance(as_table(rows), as_table(stayed), policy), gate)
