"""The gates by name: one table of what each asks, what it can hold and which field of the policy holds its threshold.

Reports, documentation, the regulators' map and the tests read this table; measuring and judging do not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import yaml


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate. `always`: it must have spoken about every candidate."""

    gate: str
    question: str
    unit: str  # the smallest unit that it can hold back
    action: str  # block | quarantine | ask | hold | info
    threshold: str  # field of GatePolicy, "" where nothing is tolerated
    always: bool


@lru_cache(maxsize=1)
def gates() -> dict[str, Gate]:
    """Return every gate in the order of the table."""
    text = (resources.files("tasks.policy") / "tables" / "gates.yaml").read_text("utf-8")
    return {name: Gate(name, **entry) for name, entry in yaml.safe_load(text).items()}


def mandatory() -> frozenset[str]:
    """Return the gates without whose word nothing is released."""
    return frozenset(name for name, gate in gates().items() if gate.always)
