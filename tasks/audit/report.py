"""What an audit says: per gate how much was looked at, what was found and what it means. Counts and places only, never a value.

Showing it (table, JSON, HTML) is in `flows/commands/audit.py` and `page`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tasks.model import Finding

QUESTIONS = {
    "T2": "Is every element decided, every value inside its domain, nothing named?",
    "T3": "Does any text look like PHI?",
    "T4": "Do words belong to too few patients?",
    "T5": "Do the UIDs carry the source?",
    "T6": "Are the containers clean?",
    "T7": "Is text burned into the pixels?",
    "T10": "Are the dates right?",
    "I4": "Are the same pixels under several patients?",
    "P1": "Do series look like one person under two names?",
    "I5": "Is a series physically what its header says? Advisory",
    "K": "How small is the smallest crowd?",
}


@dataclass(frozen=True, slots=True)
class GateSummary:
    """One gate over the whole audit."""

    gate: str
    question: str
    looked_at: int
    objects: int  # with at least one finding
    findings: int
    verdict: str  # pass | ask | block | not run | info
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """An audit of some objects."""

    files: int
    objects: int
    patients: int
    gates: tuple[GateSummary, ...]
    findings: tuple[Finding, ...] = field(repr=False)
    measures: tuple[dict[str, Any], ...] = ()

    @property
    def verdict(self) -> str:
        """Return the gravest verdict of all gates; an audit that saw nothing passes nothing."""
        verdicts = {g.verdict for g in self.gates}
        if not self.objects:
            return "nothing audited"
        return next((v for v in ("block", "ask") if v in verdicts), "pass")

    def commonest(self, most: int = 25) -> list[tuple[str, str, str, int, float]]:
        """Return (rule, kind, place, objects, highest score) of the commonest findings, places without item numbers."""
        counts: Counter[tuple[str, str, str]] = Counter()
        scores: dict[tuple[str, str, str], float] = {}
        for key in {(f.rule, f.kind, general_place(f.place), f.sop_instance_uid, f.score) for f in self.findings}:
            group = key[:3]
            counts[group] += 1
            scores[group] = max(scores.get(group, 0.0), key[4])
        return [
            (*group, n, scores[group]) for group, n in sorted(counts.items(), key=lambda item: (-scores[item[0]], -item[1], item[0]))[:most]
        ]


def general_place(place: str) -> str:
    """Return a place without the numbers of items and frames, so that equal places are counted together."""
    import re

    return re.sub(r"\[\d+\]", "[]", re.sub(r"frame \d+", "frames", place))
