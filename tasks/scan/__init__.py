"""The independent search for leftovers in written bytes. Shares no rule and no parser shortcut with tasks/deidentify."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.model import Finding, Reason
from tasks.policy.gates import GatePolicy
from tasks.scan.identity import SourceIdentity, collect_identity

__all__ = ["HOLD_SCORE", "SourceIdentity", "collect_identity", "hold_reason", "scan_object"]

HOLD_SCORE = 0.5
"""Findings from this score on hold the object back; lower ones are for the reviewer."""


def scan_object(path: Path, identity: SourceIdentity, policy: GatePolicy, sop_instance_uid: str) -> list[Finding]:
    """Search one written object for leftovers (T1, T2, T3, T5, T6, T10); the findings never hold a value. Raises OSError."""
    from tasks.scan.objects import scan_walk
    from tasks.scan.second_reader import reader_findings
    from tasks.scan.walk import read_walk

    walk = read_walk(path)
    return [*scan_walk(walk, identity, sop_instance_uid), *reader_findings(path, walk, sop_instance_uid)]


def hold_reason(findings: Sequence[Finding], policy: GatePolicy) -> Reason | None:
    """Say whether these findings hold the object back: leftovers before anything else, then lost utility."""
    holding = [f for f in findings if f.score >= HOLD_SCORE]
    if not holding:
        return None
    return Reason.HELD_BY_GATE if all(f.rule.startswith("U") for f in holding) else Reason.LEFTOVER_PHI
