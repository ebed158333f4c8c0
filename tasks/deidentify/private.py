"""Private attributes: which are safe, by PS3.15 E.3.10, by TCIA's knowledge base, or by the object's own statement.

A safe attribute's value is still cleaned like any other of its VR (values.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from tasks.deidentify.rules import Action, Rule, read_table

Safe = tuple[str, str]  # VR, VM
_ACTIONS = {"UI": Action.MAP_UID, "DA": Action.SHIFT, "TM": Action.SHIFT, "DT": Action.SHIFT, "SQ": Action.RECURSE, "AS": Action.CAP_AGE}
_TEXT = frozenset(("LO", "SH", "ST", "LT", "UT", "UC"))
_NEVER = frozenset(("PN", "UN", "AE", "UR", ""))
# Vendor protocol blobs: whole protocols with names and dates inside, in formats of their own. PRIVACY: dropped, never
# parsed for what might be safe in them (tests/spec/test_private.py::test_protocol_blobs_are_dropped).
_BLOBS = frozenset(
    (
        ("SIEMENS CSA HEADER", 0x08), ("SIEMENS CSA HEADER", 0x10), ("SIEMENS CSA HEADER", 0x18), ("SIEMENS CSA HEADER", 0x20),
        ("SIEMENS CSA NON-IMAGE", 0x10), ("SIEMENS MR SDS 01", 0xFE), ("SIEMENS MR SDI 02", 0xFE), ("GEMS_SERS_01", 0x1B),
    )
)  # fmt: skip
_SPLIT = re.compile(r"[ \x00]+")


@dataclass(frozen=True, slots=True)
class Statement:
    """What (0008,0300) says of one private block: all of it safe, or some of its elements."""

    whole: bool
    elements: frozenset[int]


def private_rule(
    group: int,
    creator: str,
    low: int,
    vr: str,
    knowledge_base: Literal["ps3.15", "tcia"],
    statement: Statement | None,
    dates: str,
) -> Rule | None:
    """Return the rule of a private attribute, None when nobody calls it safe. `vr` is the file's own, "" or UN when it has none."""
    if (creator, low) in _BLOBS:
        return None
    safe = _safe_table("safe_private.csv").get((group, creator, low))
    clause = "PS3.15 E.3.10"
    if safe is None and knowledge_base == "tcia":
        safe, clause = _safe_table("private_tcia.csv").get((group, creator, low)), "TCIA knowledge base"
    if safe is None and statement is not None and (statement.whole or low in statement.elements):
        safe, clause = ("", "1-n"), "(0008,0303)"
    if safe is None:
        return None
    known = safe[0].split("/")
    released = vr if vr not in ("", "UN") and (not safe[0] or vr in known or not _conflict(vr, known[0])) else known[0]
    if released in _NEVER:
        return None
    action = _ACTIONS.get(released, Action.CLEAN if released in _TEXT or released[0] == "O" else Action.KEEP)
    if action is Action.SHIFT:
        action = {"remove": Action.REMOVE, "shift": Action.SHIFT, "keep": Action.KEEP}[dates]
    return Rule(f"{creator} {low:02X}", released, safe[1] or "1-n", action, clause)


def _conflict(vr: str, known: str) -> bool:
    """Say whether the file's VR is of another kind than the table's: then the table is believed."""
    kinds = (("SQ",), ("OB", "OW"), ("UI",), ("DA", "TM", "DT"), ("PN",))
    return any((vr in kind) != (known in kind) for kind in kinds)


@cache
def _safe_table(name: str) -> dict[tuple[int, str, int], Safe]:
    return {(int(row["group"], 16), row["creator"], int(row["element"], 16)): (row["vr"], row["vm"] or "1-n") for row in read_table(name)}


def known_creators() -> frozenset[str]:
    """Return the private creators that a released object may name."""
    return frozenset(creator for name in ("safe_private.csv", "private_tcia.csv") for _, creator, _ in _safe_table(name))
