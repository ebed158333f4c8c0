"""The one place that says how great-expectations may answer, and the allow-list through which its answers leave.

Only identifiers, columns, outcomes, counts and opaque row numbers are copied. Judging does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

ROW = "row_id"

# PRIVACY: great-expectations' own defaults (SUMMARY, BASIC) quote the offending values; this one form names rows by number
# and quotes nothing. Held by tests/leaks/test_gate_canary.py.
RESULT_FORMAT: Mapping[str, Any] = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": [ROW],
    "partial_unexpected_count": 0,
    "include_unexpected_rows": False,
    "exclude_unexpected_values": True,
}

Outcome = Literal["pass", "fail", "broken"]


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """What one expectation said, without a value: `rows` are row numbers of the table that was judged."""

    check: str  # position in its suite, stable within a version: "integrity.3"
    expectation: str  # great-expectations' own name: "expect_column_values_to_be_unique"
    gate: str
    action: str
    unit: str
    column: str
    description: str
    outcome: Outcome
    element_count: int
    unexpected_count: int
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SuiteRecord:
    """What one suite said. `ran` is True only when every one of its expectations was evaluated."""

    suite: str
    ran: bool
    checks: tuple[CheckRecord, ...]
    trouble: str = ""  # class name of what stopped it, never its message

    def as_dict(self) -> dict[str, Any]:
        """Return the record for JSON."""
        return asdict(self)


def copy_records(suite: str, expectations: Sequence[Any], results: Sequence[Any]) -> SuiteRecord:
    """Copy great-expectations' results through the allow-list; an expectation without a result counts as broken."""
    answers = {r.expectation_config.meta.get("check"): r for r in results if r.expectation_config is not None}
    checks = tuple(_copy(e, answers.get(e.meta["check"])) for e in expectations)
    ran = bool(checks) and all(c.outcome != "broken" for c in checks)
    return SuiteRecord(suite, ran, checks, "" if ran else "BrokenExpectation")


def _copy(expectation: Any, answer: Any) -> CheckRecord:
    meta = expectation.meta
    result = {} if answer is None else (answer.result or {})
    return CheckRecord(
        check=meta["check"],
        expectation=expectation.expectation_type,
        gate=meta["gate"],
        action=meta["action"],
        unit=meta["unit"],
        column=_column(expectation),
        description=str(expectation.description or ""),
        outcome=_outcome(answer),
        element_count=_count(result.get("element_count")),
        unexpected_count=_count(result.get("unexpected_count")),
        rows=_rows(result.get("unexpected_index_list")),
    )


def _outcome(answer: Any) -> Outcome:
    if answer is None or _raised(answer.exception_info):
        return "broken"
    return "pass" if answer.success is True else "fail"


def _raised(info: Any) -> bool:
    """An expectation that raised carries one flat record, or one record per metric."""
    if not isinstance(info, Mapping):
        return False
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(_raised(part) for part in info.values())


def _column(expectation: Any) -> str:
    names = [getattr(expectation, field, None) for field in ("column", "column_A", "column_B")]
    listed = getattr(expectation, "column_list", None) or ()
    return ", ".join(str(n) for n in [*names, *listed] if n)


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int) else 0


def _rows(listed: Any) -> tuple[int, ...]:
    rows: list[int] = []
    for entry in listed or ():
        number = entry.get(ROW) if isinstance(entry, Mapping) else None
        rows.extend(int(n) for n in (number if isinstance(number, list) else [number]) if n is not None)
    return tuple(sorted(rows))
