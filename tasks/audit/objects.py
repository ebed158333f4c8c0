"""One object under audit: findings, the facts that crowds need, and its words.

Several objects together are the survey's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tasks.model import Finding, InstanceOutcome, Status
from tasks.scan.direct import direct_identifiers
from tasks.scan.identity import SourceIdentity
from tasks.scan.objects import scan_walk
from tasks.scan.rarity import tokens_of
from tasks.scan.second_reader import readers_disagree
from tasks.scan.walk import Walk, read_walk

_NOBODY = SourceIdentity()


@dataclass(frozen=True, slots=True)
class AuditedObject:
    """What was found in one object. `row` is its INSTANCES row, None when it is no readable DICOM object."""

    name: str
    findings: tuple[Finding, ...]
    row: dict[str, Any] | None = field(repr=False, default=None)
    tokens: frozenset[tuple[str, str]] = field(repr=False, default=frozenset())
    has_pixels: bool = False


def audit_object(path: Path, number: int) -> AuditedObject | None:
    """Audit one file; None when it is not DICOM. Findings name the object by `number`."""
    walk = read_walk(path)
    if not _is_dicom(walk):
        return None
    # PRIVACY: a foreign object's UIDs may be its source's: findings name it by its number among the sorted files (test_audit_canary)
    name = f"object {number}"
    findings = {replace(f, sop_instance_uid=name) for f in scan_walk(walk, _NOBODY, _value(walk, 0x00080018))}
    for index, stray in direct_identifiers(walk):
        findings.add(Finding(name, walk.place(index), stray.kind, stray.rule, stray.score))
    disagreement = readers_disagree(path, walk) if not walk.problem else ""  # GDCM believes any length, and allocates it
    if disagreement:
        findings.add(Finding(name, disagreement, "reader", "T6.reader", 0.4))
    row = _row(path)
    if row is None:
        findings.add(Finding(name, "(whole object)", "unreadable", "T2.unreadable", 0.6))
    ordered = sorted(findings, key=lambda f: (f.place, f.rule, f.kind))
    return AuditedObject(name, tuple(ordered), row, frozenset(tokens_of(walk)), walk.pixels is not None)


def _is_dicom(walk: Walk) -> bool:
    tags = {e.tag for e in walk.elements if e.parent < 0}
    return 0x00080016 in tags or 0x00080018 in tags or (walk.has_prefix and bool(tags))


def _value(walk: Walk, tag: int) -> str:
    for element in walk.elements:
        if element.tag == tag and element.parent < 0:
            return walk.value(element).strip(b" \0").decode("ascii", "replace")
    return ""


def _row(path: Path) -> dict[str, Any] | None:
    """Return the INSTANCES row, or None when the object lacks what a row needs (then it cannot be in a release either)."""
    from tasks.describe import describe_object

    try:
        return describe_object(path, "", "", InstanceOutcome("", Status.RELEASED), None, None)
    except Exception:  # PRIVACY: a message may quote a value (tests/leaks/test_audit_canary.py); the file itself was read before
        return None
