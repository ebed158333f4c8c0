"""Defects that only a whole candidate shows: crowds, differences between releases, copies, rare words, opt-out, approvals.

Each trial makes a small clean candidate, plants one defect (or none), and asks the unchanged measure or check. Defects of one
object are in `leaks`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.policy.gates import GatePolicy
from tasks.prove.specimens import make_patient
from tasks.schemas import FINDINGS, INSTANCES

Trial = Callable[[random.Random, GatePolicy, bool], bool]
"""Builds a candidate, with the defect or without, and says whether the gate holds it."""
HOLDING = frozenset(("block", "quarantine", "ask"))
_AGES = (32, 47, 55, 61)


@dataclass(frozen=True, slots=True)
class CandidateDefect:
    """A defect of a candidate, the recall to prove, and how many trials it is worth (they cost more than objects)."""

    gate: str
    kind: str
    trial: Trial
    target: float = 0.95


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


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=INSTANCES)


def _facts(rows: list[dict[str, Any]], policy: GatePolicy) -> pa.Table:
    """Return the columns that crowds are counted over: what else a candidate has is measured by other gates."""
    return _table(rows).select(["PatientID", *(c for c in policy.quasi_identifiers() if c in INSTANCES.names)])


def crowd_too_small(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A crowd of k - 1 among large ones."""
    from tasks.risk import measure_risk

    sizes = [policy.k + chance.randint(0, 6) for _ in range(3)]
    if defect:
        sizes[chance.randrange(3)] = policy.k - 1
    return is_out_of_bounds(measure_risk(_facts(candidate(chance, sizes), policy), policy), "K1")


def one_patient_difference(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """An earlier release without exactly one patient of the candidate, who is the difference of the two."""
    from tasks.risk import measure_risk

    rows = candidate(chance, [2 * policy.k + chance.randint(0, 5), 2 * policy.k])
    left_out = chance.randrange(len(rows)) if defect else None
    earlier = _facts([row for number, row in enumerate(rows) if number != left_out], policy)
    earlier = earlier.append_column("release_id", pa.array(["r1"] * earlier.num_rows, pa.string()))
    return is_out_of_bounds(measure_risk(_facts(rows, policy), policy, earlier), "K7")


def rare_word(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A family name in the description of one patient; nobody knows it is one."""
    from tasks.scan.measures import measure_leftovers

    rows = candidate(chance, [12, 12])
    if defect:
        name = make_patient(chance.randrange(10**6)).family
        place = chance.choice(("StudyDescription", "SeriesDescription", "ProtocolName"))
        chance.choice(rows)[place] = chance.choice(("{}", "CT {} 3mm", "{}_thorax", "chest {}")).format(name)
    strict = policy.model_copy(update={"rare_words": "ask"})  # in other policies a person is told, not asked
    return is_out_of_bounds(measure_leftovers(_table(rows), FINDINGS.empty_table(), strict), "T4")


def near_miss_asks(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A near miss that the scan found in one object."""
    from tasks.scan.measures import measure_leftovers

    rows = candidate(chance, [12])
    uid = chance.choice(rows)["SOPInstanceUID"]
    found = [{"sop_instance_uid": uid, "place": "(0008,103E)", "kind": "patient_name", "rule": "T1.fuzzy", "score": 0.45}] if defect else []
    return is_out_of_bounds(measure_leftovers(_table(rows), pa.Table.from_pylist(found, schema=FINDINGS), policy), "T1")


def copied_pixels(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """The pixels of one patient's object under another patient."""
    from tasks.consistency.copies import LEDGER, measure_copies

    rows = [{"PatientID": f"P{n // 3}", "SOPInstanceUID": f"1.{n}", "pixel_digest": f"{chance.getrandbits(128):032x}"} for n in range(60)]
    first = chance.randrange(60)
    if defect:
        other = chance.choice([n for n in range(60) if n // 3 != first // 3])
        rows[other]["pixel_digest"] = rows[first]["pixel_digest"]
    else:
        rows[first // 3 * 3]["pixel_digest"] = rows[first // 3 * 3 + 1]["pixel_digest"]  # twice under one patient: no copy
    return is_out_of_bounds(measure_copies(pa.Table.from_pylist(rows, schema=LEDGER)), "I4")


def two_pseudonyms(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """The same body under a second pseudonym: moved, rescaled, and with new noise."""
    from tasks.consistency.likeness import measure_likeness, small_picture

    seed = np.random.default_rng(chance.getrandbits(64))
    bodies = [_body(seed) for _ in range(20)]
    patients = [f"P{n}" for n in range(20)]
    if defect:
        again = np.roll(bodies[chance.randrange(20)], (chance.randint(-1, 1), chance.randint(-1, 1)), axis=(0, 1))
        bodies.append(again * chance.uniform(0.9, 1.1) + seed.normal(0, 20, again.shape) + chance.randint(-50, 50))
        patients.append("P99")
    return is_out_of_bounds(measure_likeness(np.stack([small_picture(b) for b in bodies]), patients), "P1")


def _body(seed: np.random.Generator) -> np.ndarray[Any, Any]:
    """Return a slice with organs of its own in a body like everybody's."""
    rows, columns = np.mgrid[:96, :96] - 47.5
    image = np.where((rows / 38) ** 2 + (columns / 44) ** 2 < 1, 1000.0, 0.0)
    for _ in range(9):
        y, x = seed.uniform(-26, 26, 2)
        a, b = seed.uniform(4, 13, 2)
        image += seed.uniform(-500, 500) * (((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1)
    return np.asarray(image + seed.normal(0, 20, image.shape))


def opted_out(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A patient on the opt-out registry, spelled as registries spell."""
    from tasks.registry import Registry

    patients = [make_patient(chance.randrange(10**6)).patient_id for _ in range(20)]
    refused = chance.choice(patients)
    spelled = chance.choice((refused, refused.lower(), f" {refused} ", refused.lstrip("0")))
    listed = spelled if defect else "nobody-1"
    registry = Registry(frozenset({("", "".join(listed.split()).casefold().lstrip("0"))}))
    return any(registry.refuses(p, "") for p in patients)


def stale_approval(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """An approval that expired, is about other bytes, or was changed after signing."""
    from dataclasses import replace

    from tasks.approval import approval_signer, decide, refusal_of
    from tasks.model import Verdict
    from tasks.secret import Secret

    secret = Secret(chance.randbytes(32))
    signer = approval_signer(secret)
    root = chance.randbytes(32).hex()
    verdict = Verdict(root, False, ("T4: rare words (ask)",), "p" * 64, ("suite",))
    decided = datetime(2026, 1, 5, tzinfo=UTC)
    people = {"reviewer": "reviewer 1", "operator": "operator 2"}
    record = decide(verdict, "c1", "approve", typed_digest=root[:12], signer=signer, policy=policy, now=decided, **people)
    now = decided + timedelta(hours=1)
    if defect:
        kind = chance.randrange(3)
        if kind == 0:
            now = decided + timedelta(days=policy.approval_days, seconds=chance.randint(1, 10**6))
        elif kind == 1:
            verdict = replace(verdict, candidate_root=chance.randbytes(32).hex())
        else:
            record = replace(record, comment="changed")
    return refusal_of(record, verdict, policy, {"": [signer.public]}, now) is not None


CANDIDATE_DEFECTS = (
    CandidateDefect("T1", "near miss in a candidate asks a person", near_miss_asks),
    CandidateDefect("T4", "unknown word of one patient", rare_word),
    CandidateDefect("K1", "crowd of k - 1", crowd_too_small),
    CandidateDefect("K7", "difference of one patient", one_patient_difference),
    CandidateDefect("I4", "copied pixels", copied_pixels),
    CandidateDefect("P1", "one body under two pseudonyms", two_pseudonyms),
    CandidateDefect("C2", "patient who opted out", opted_out),
    CandidateDefect("C2", "approval that does not count", stale_approval),
)
