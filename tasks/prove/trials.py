"""One kind of defect, planted many times in copies of clean specimens and shown to the unchanged gate.

What is planted is in `leaks`, `tables` and `images`; which kinds there are is in `kinds`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.policy import Policy
from tasks.prove.bounds import lower_bound, upper_bound
from tasks.prove.kinds import ObjectDefect
from tasks.prove.leaks import Plant
from tasks.prove.specimens import Specimen
from tasks.scan import hold_reason, scan_object


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
        """Return "met", "missed", or "too few" when nothing was missed but the number proves less than the target."""
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


def try_clean(specimens: Sequence[Specimen], policy: Policy, allowed_per_1000: float = 1.0) -> Proof:
    """Count the clean specimens that the scan reports at all: held, or shown to a person."""
    alarms = sum(bool(scan_object(s.written, s.identity, policy.gates, s.sop_instance_uid)) for s in specimens)
    return Proof("T1-T10", "clean objects", len(specimens), alarms, allowed_per_1000)


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
