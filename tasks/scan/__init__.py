"""The independent search for leftovers in written bytes. Shares no rule and no parser shortcut with tasks/deidentify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tasks.model import Finding, PulledFile, Reason
from tasks.policy.gates import GatePolicy


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """What the source objects of one study say of their patient: the values to look for (identified)."""

    values: frozenset[tuple[str, str]] = field(repr=False, default=frozenset())  # (kind, value)


def collect_identity(files: Sequence[PulledFile]) -> SourceIdentity:
    """Read every identifying value out of the source objects of one study."""
    return SourceIdentity()


def scan_object(path: Path, identity: SourceIdentity, policy: GatePolicy, sop_instance_uid: str) -> list[Finding]:
    """Search one written object for leftovers; the findings never hold a value."""
    return []


def hold_reason(findings: Sequence[Finding], policy: GatePolicy) -> Reason | None:
    """Say whether these findings hold the object back."""
    return Reason.LEFTOVER_PHI if findings else None
