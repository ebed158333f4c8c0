"""Structured content: what becomes of a content item by its concept name (PS3.15 E.3.4), and other statements about content.

Cleaning text and mapping values do not belong here (values.py).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from tasks.deidentify.private import Statement
from tasks.deidentify.rules import Action, Rule, read_table
from tasks.elements import Element, Encoding, Unreadable, items, walk
from tasks.policy.headers import HeaderPolicy

# The attributes that hold the value of a content item (PS3.3 C.17.3.2).
_VALUES = frozenset((0x0040A160, 0x0040A123, 0x0040A120, 0x0040A121, 0x0040A122, 0x0040A124, 0x0040A300, 0x0040A168))
CONTENT = 0x0040A730
_RETAINING = (
    ("device", "retain_device", "full"),
    ("institution", "retain_institution", True),
    ("patient", "retain_patient_characteristics", True),
)


def concept_action(buffer: bytes, found: list[Element], encoding: Encoding, policy: HeaderPolicy) -> str:
    """Return what a content item's concept does to its value: X remove the item, D dummy, "" the rules of the attribute."""
    value_type = ""
    code: tuple[str, str] = ("", "")
    for tag, _, start, stop, _ in found:
        if tag == 0x0040A040:
            value_type = _text(buffer[start:stop])
        elif tag == 0x0040A043:
            code = _code(buffer[start:stop], encoding)
    row = _concepts().get((*code, value_type))
    if row is None:
        return ""
    retained = any(row[column] and getattr(policy, setting) == wanted for column, setting, wanted in _RETAINING)
    if retained or row["uids"] or (row["descriptors"] and policy.clean_descriptors):
        return ""  # text is cleaned, references are mapped, as everywhere
    if row["modified_dates"] and policy.dates != "remove":
        return ""
    return "D" if "D" in row["basic"] else "X"


def item_rule(rule: Rule, tag: int, concept: str) -> Rule:
    """Return the rule of a content item's value under its concept."""
    if concept and tag in _VALUES and rule.vr != "SQ":
        return replace(rule, action=Action.DUMMY, clause="PS3.15 E.3.4")
    return rule


def private_statements(value: bytes, encoding: Encoding) -> dict[tuple[int, str], Statement]:
    """Read (0008,0300): which private blocks, or elements of them, the object itself calls free of identity."""
    found: dict[tuple[int, str], Statement] = {}
    order = "little" if encoding.little else "big"
    try:
        for start, stop in items(value, 0, len(value), encoding, 2):
            facts = {e.tag: value[e.start : e.stop] for e in walk(value, start, stop, encoding, 1)}
            group = int.from_bytes(facts.get(0x00080301, b"")[:2], order)  # type: ignore[arg-type]  # one of two literals
            creator, status = _text(facts.get(0x00080302, b"")), _text(facts.get(0x00080303, b""))
            lows = facts.get(0x00080304, b"")
            numbers = frozenset(int.from_bytes(lows[i : i + 2], order) & 0xFF for i in range(0, len(lows) - 1, 2))  # type: ignore[arg-type]  # as above
            if status in ("SAFE", "MIXED"):
                found[group, creator] = Statement(status == "SAFE", numbers)
    except Unreadable:
        return {}
    return found


def _code(value: bytes, encoding: Encoding) -> tuple[str, str]:
    try:
        for start, stop in items(value, 0, len(value), encoding, 3):
            facts = {e.tag: value[e.start : e.stop] for e in walk(value, start, stop, encoding, 2)}
            return _text(facts.get(0x00080100, b"")), _text(facts.get(0x00080102, b""))
    except Unreadable:
        pass
    return "", ""


def _text(value: bytes) -> str:
    return value.strip(b" \x00").decode("latin-1")


@cache
def _concepts() -> dict[tuple[str, str, str], dict[str, str]]:
    return {(row["code"], row["scheme"], row["value_type"]): row for row in read_table("sr_concepts.csv")}
