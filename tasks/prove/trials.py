"""One kind of defect, planted many times in copies of clean specimens and shown to the unchanged gate.

What is planted is in `leaks`, `tables` and `images`; which kinds there are is in `kinds`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydicom.dataset import Dataset

from tasks.policy import Policy
from tasks.policy.gates import GatePolicy
from tasks.prove.bounds import lower_bound, upper_bound
from tasks.prove.kinds import NOT_PROMISED, USUAL, ObjectDefect
from tasks.prove.leaks import Plant, burned_in_text, lost_utility, strangers_value
from tasks.prove.specimens import Specimen
from tasks.prove.tables import CandidateDefect
from tasks.scan import HOLD_SCORE, hold_reason, scan_object
from tasks.scan.strangers import find_strangers
from tasks.scan.texts import texts_of
from tasks.scan.walk import read_walk

ALLOWED_PER_1000 = 1.0


@dataclass(frozen=True, slots=True)
class Proof:
    """What a gate did with one kind of defect, or (kind "clean") with objects that have none."""

    gate: str
    kind: str
    planted: int
    caught: int
    target: float  # the recall whose lower bound was asked for; for clean controls the false alarms allowed per 1,000

    @property
    def recall(self) -> float:
        return self.caught / self.planted if self.planted else 0.0

    @property
    def ci_low(self) -> float:
        """Return the lower bound of the recall (one-sided, 95 %)."""
        return lower_bound(self.caught, self.planted) if self.planted else 0.0

    @property
    def is_control(self) -> bool:
        return self.kind.startswith("clean")

    @property
    def alarms_per_1000(self) -> float:
        return 1000 * self.recall

    @property
    def alarms_per_1000_high(self) -> float:
        """Return the upper bound of the false alarms per 1,000 clean units (one-sided, 95 %)."""
        return 1000 * upper_bound(self.caught, self.planted)

    @property
    def outcome(self) -> str:
        """Return "met", "missed", "too few" when nothing was missed but the number proves less than the target, or "measured"
        where nothing was promised.
        """
        if self.target == NOT_PROMISED:
            return "measured"
        if self.is_control:
            return "met" if self.planted and self.alarms_per_1000 <= self.target else "missed"
        if self.planted and self.ci_low >= self.target:
            return "met"
        return "too few" if self.caught == self.planted else "missed"


def try_plants(kind: ObjectDefect, specimens: Sequence[Specimen], n: int, policy: Policy, scratch: Path) -> Proof:
    """Plant one kind of defect in each of `n` copies and count how many the scan holds (or, with `rules`, reports by one of them)."""
    caught = 0
    for number in range(n):
        specimen = specimens[number * len(specimens) // n]
        path = planted_copy(specimen, kind.plant, random.Random(f"{kind.kind} {number}"), scratch)
        findings = scan_object(path, specimen.identity, policy.gates, specimen.sop_instance_uid)
        if kind.rules:
            caught += any(f.rule.startswith(kind.rules) for f in findings)
        else:
            caught += hold_reason(findings, policy.gates) is not None
    return Proof(kind.gate, kind.kind, n, caught, kind.target)


def try_clean(specimens: Sequence[Specimen], policy: Policy, allowed_per_1000: float = ALLOWED_PER_1000) -> Proof:
    """Count the clean specimens that the scan reports at all: held, or shown to a person."""
    alarms = sum(bool(scan_object(s.written, s.identity, policy.gates, s.sop_instance_uid)) for s in specimens)
    return Proof("T1-T10", "clean objects", len(specimens), alarms, allowed_per_1000)


def try_strangers(specimens: Sequence[Specimen], n: int, policy: Policy, scratch: Path) -> Iterator[Proof]:
    """Plant another patient's values, known from the slice of the archive, and count where they are found; then the clean objects."""
    planted = []
    for number in range(n):
        specimen = specimens[number * len(specimens) // n]
        chance = random.Random(f"stranger {number}")
        other = chance.choice([s for s in specimens if s.patient_id != specimen.patient_id] or [specimen])
        path = planted_copy(specimen, partial(_of_stranger, other), chance, scratch)
        planted += _texts_noted(path, specimen, number)
    yield Proof("T1x", "somebody else's values", n, _objects_with_strangers(planted, specimens), USUAL)
    clean = [row for number, s in enumerate(specimens) for row in _texts_noted(s.written, s, number)]
    yield Proof("T1x", "clean objects", len(specimens), _objects_with_strangers(clean, specimens), ALLOWED_PER_1000)


def _texts_noted(path: Path, specimen: Specimen, number: int) -> list[dict[str, Any]]:
    about = {"PatientID": specimen.patient_id, "SOPInstanceUID": str(number)}
    return [{**about, "place": place, "text": raw} for place, _, raw in texts_of(read_walk(path))]


def _objects_with_strangers(texts: list[dict[str, Any]], specimens: Sequence[Specimen]) -> int:
    people = {s.patient_id: s.identity for s in specimens}
    found = find_strangers(pa.Table.from_pylist(texts), people.items(), people.__getitem__)
    return len({stranger.sop_instance_uid for stranger in found})


def _of_stranger(other: Specimen, _: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    return strangers_value(other, chance, dataset)


def try_candidates(defect: CandidateDefect, n: int, policy: GatePolicy) -> Iterator[Proof]:
    """Show the gate `n` candidates with the defect (fewer of a slow kind), then a third as many without."""
    n = min(n, defect.most)
    kinds = ((defect.kind, True, defect.target, n), (f"clean: {defect.kind}", False, ALLOWED_PER_1000, max(n // 3, 1)))
    for kind, planted, target, count in kinds:
        held = sum(defect.trial(random.Random(f"{defect.kind} {number}"), policy, planted) for number in range(count))
        yield Proof(defect.gate, kind, count, held, target)


def try_utility(specimens: Sequence[Specimen], n: int, policy: Policy, scratch: Path) -> Iterator[Proof]:
    """Change pixels, geometry, grey scale or references of written objects and compare with the source; then the clean ones."""
    from tasks.utility import StudyPairs, compare_object

    def is_held(written: Path, specimen: Specimen) -> bool:
        pairs = StudyPairs()
        list(compare_object(specimen.source, specimen.written, pairs))  # what the study taught before
        found = compare_object(specimen.source, written, pairs, sop_instance_uid=specimen.sop_instance_uid)
        return hold_reason(found, policy.gates) is not None

    chosen = [specimens[number * len(specimens) // n] for number in range(n)]
    caught = sum(
        is_held(planted_copy(specimen, lost_utility, random.Random(f"utility {number}"), scratch), specimen)
        for number, specimen in enumerate(chosen)
    )
    yield Proof("U", "pixels, geometry, grey scale or references changed", n, caught, USUAL)
    yield Proof("U", "clean objects", n, sum(is_held(s.written, s) for s in chosen), ALLOWED_PER_1000)


def try_burned_in(specimens: Sequence[Specimen], n: int, scratch: Path) -> Iterator[Proof]:
    """Draw text into the written pixels and read them again; then the clean pixels."""
    caught = alarms = 0
    for number in range(n):
        specimen = specimens[number * len(specimens) // n]
        path = planted_copy(specimen, burned_in_text, random.Random(f"burned in {number}"), scratch)
        caught += hold_by_text(path, specimen)
        alarms += hold_by_text(specimen.written, specimen)
    yield Proof("T7", "text burned into the pixels", n, caught, USUAL)
    yield Proof("T7", "clean pixels", n, alarms, ALLOWED_PER_1000)


def hold_by_text(path: Path, specimen: Specimen) -> bool:
    """Say whether reading the pixels of a written object holds it."""
    from tasks.scan.reading import text_in_pixels

    return any(f.score >= HOLD_SCORE for f in text_in_pixels(path, specimen.identity, specimen.sop_instance_uid))


def planted_copy(specimen: Specimen, plant: Plant, chance: random.Random, scratch: Path) -> Path:
    """Write a copy of a specimen with one defect into `scratch` and return its path."""
    from pydicom import dcmread

    dataset = dcmread(specimen.written)
    behind = plant(specimen, chance, dataset)
    path = scratch / "planted.dcm"
    dataset.save_as(path, enforce_file_format=True)
    if behind:
        with path.open("ab") as file:
            file.write(behind)
    return path
