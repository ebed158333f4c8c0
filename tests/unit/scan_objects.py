"""Small written objects for the scanner's tests: clean ones, and copies with one thing changed."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from tasks.model import Finding
from tasks.policy import load_policy
from tasks.prove.specimens import Specimen
from tasks.prove.trials import planted_copy
from tasks.scan import hold_reason, scan_object

POLICY = load_policy("shifted-dates")


def findings_of(specimen: Specimen, path: Path | None = None) -> list[Finding]:
    return scan_object(path or specimen.written, specimen.identity, POLICY.gates, specimen.sop_instance_uid)


def is_held(findings: list[Finding]) -> bool:
    return hold_reason(findings, POLICY.gates) is not None


def changed(specimen: Specimen, change: Callable[[Dataset], None], scratch: Path) -> Path:
    """Return a copy of the specimen's written object with one change."""
    dataset = dcmread(specimen.written)
    change(dataset)
    path = scratch / "changed.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


def planted(specimen: Specimen, plant: Callable[..., bytes | None], number: int, scratch: Path) -> Path:
    return planted_copy(specimen, plant, random.Random(number), scratch)
