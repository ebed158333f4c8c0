"""A night on which nothing changed: it ends where the last one ended, and is not judged again. In doubt, it is judged.

What an outcome rests on is `tasks/grounds.py`. Finding studies, second pulls, receipts and verification go on every night; they are in
`flows/studies.py` and `flows/release.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from prefect import get_run_logger

from flows.session import Session
from flows.studies import Accounted
from flows.summary import ReleaseSummary
from tasks.grounds import (
    OWN,
    Grounds,
    Outcome,
    collect_grounds,
    differing,
    follows,
    head_of,
    keep_outcome,
    read_outcome,
    stands_until,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a run found before it assembled anything; without `grounds` they could not be read."""

    grounds: Grounds | None = field(repr=False)
    head: tuple[int, str] = (0, "")
    stands: Outcome | None = None  # the last outcome, when nothing that it rests on has changed


def begin(session: Session, accounted: Accounted) -> Beginning:
    """Compare tonight's grounds with those of the last outcome. PRIVACY: fails closed (tests/flows/test_unchanged.py)."""
    last = read_outcome(session.private, session.rules.secret)
    grounds = _guarded(lambda: _collect(session, accounted, last.candidate_id if last else ""))
    head = _guarded(lambda: head_of(session.public))
    if grounds is None or head is None:
        return Beginning(None)
    if last is None:
        return Beginning(grounds, head)
    changed = _guarded(lambda: differing(grounds, last.grounds) + ([] if last.stands_at(now()) else ["the calendar"]))
    if changed != []:
        get_run_logger().info("judged anew, since this changed: %s", ", ".join(changed or ["the record of the last outcome"]))
        return Beginning(grounds, head)
    return Beginning(grounds, head, last)


def remember(session: Session, accounted: Accounted, beginning: Beginning, summary: ReleaseSummary) -> None:
    """Write down what this run came to, unless something that it rests on changed while it ran."""
    _guarded(lambda: _keep(session, accounted, beginning, summary))


def _keep(session: Session, accounted: Accounted, beginning: Beginning, summary: ReleaseSummary) -> None:
    outcome = _outcome(session, accounted, beginning, summary)
    if outcome is not None:
        keep_outcome(session.private, session.rules.secret, outcome)


def _outcome(session: Session, accounted: Accounted, beginning: Beginning, summary: ReleaseSummary) -> Outcome | None:
    grounds = _collect(session, accounted, summary.candidate_id)
    if beginning.grounds is None or set(differing(grounds, beginning.grounds)) - OWN:
        return None
    if not follows(session.public, beginning.head, changed=summary.changed):
        return None
    moment = now()
    until = stands_until(session.spec, session.private, session.public, summary.candidate_id, published=summary.approved, now=moment)
    return Outcome(
        grounds,
        moment.isoformat(),
        until.isoformat(),
        summary.candidate_id,
        summary.approved,
        summary.hold_reasons,
        summary.release_id,
        summary.suppressed_patients,
    )


def _collect(session: Session, accounted: Accounted, candidate_id: str) -> Grounds:
    return collect_grounds(session.spec, session.rules, session.private, session.public, accounted.members, accounted.ledger, candidate_id)


def _guarded(read: Callable[[], T]) -> T | None:
    """Return what was read, or None: whatever is wrong there, the stages that need it say so themselves."""
    try:
        return read()
    except Exception as error:
        get_run_logger().info("the grounds of an outcome cannot be read or kept (%s)", type(error).__name__)
        return None


def now() -> datetime:
    """Return the present moment (UTC)."""
    return datetime.now(UTC)
