"""What the Prefect UI shows of a run: progress, receipts by reason, the verdict. Counts and codes only."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pyarrow as pa
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact

from tasks.model import Receipt, Verdict

_SECONDS_BETWEEN_UPDATES = 10.0


class Progress:
    """A progress artifact that is written at most every few seconds (each write is a request and a row)."""

    def __init__(self, key: str, total: int) -> None:
        self._total = max(total, 1)
        self._written_at = time.monotonic()
        self._id: UUID = create_progress_artifact(0.0, key=key)  # type: ignore[assignment]  # sync here

    def update(self, done: int) -> None:
        """Show `done` of the total, unless the last update is too fresh."""
        now = time.monotonic()
        if done >= self._total or now - self._written_at >= _SECONDS_BETWEEN_UPDATES:
            self._written_at = now
            update_progress_artifact(self._id, 100.0 * done / self._total)


def receipts_table(receipts: Sequence[Receipt]) -> None:
    """Show how many objects ended where, and why."""
    counts: Counter[tuple[str, str]] = Counter()
    for receipt in receipts:
        for status, reason, n in receipt.outcomes:
            counts[status, reason] += n
    rows: list[dict[str, Any]] = [{"status": s, "reason": r, "objects": n} for (s, r), n in sorted(counts.items())]
    create_table_artifact(
        rows or [{"status": "none", "reason": "", "objects": 0}], key="receipts", description="Objects by status and reason"
    )


def verdict_table(verdict: Verdict, verdicts: pa.Table) -> None:
    """Show the gates that did not pass, and the verdict."""
    rows = [
        {name: row[name] for name in ("gate", "unit", "measure", "threshold", "verdict", "n")}
        for row in verdicts.to_pylist()
        if row["verdict"] != "pass"
    ][:200]
    title = "approved" if verdict.approved else "held: " + ", ".join(verdict.reasons)
    create_table_artifact(rows or [{"gate": "all", "verdict": "pass"}], key="verdict", description=title)


def verdict_that_stands(decided_at: str) -> None:
    """Show that nothing was judged in this run, since when the last verdict stands, and why."""
    rows = [{"gate": "all", "verdict": f"not judged again: nothing changed since {decided_at[:16]} UTC"}]
    create_table_artifact(rows, key="verdict", description="the last verdict stands")
