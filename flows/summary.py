"""What one run of the release flow did, in counts: what the command line prints and the Prefect UI shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from tasks.model import Receipt, Status, StudyRef

if TYPE_CHECKING:
    from tasks.grounds import Outcome


@dataclass(frozen=True, slots=True)
class ReleaseSummary:
    """Counts of studies and objects, the verdict, and the release. No identified value."""

    run_id: str
    studies: int
    pulled: int  # studies that were processed in this run; the others were unchanged
    studies_by_status: dict[str, int]
    objects: int
    objects_by_status: dict[str, int]
    objects_by_reason: dict[str, int]
    suppressed_patients: int = 0
    absent_studies: int = 0  # released earlier, no longer in the archive; still in the release
    dry_run: bool = False
    to_pull: int = 0  # of a dry run: studies that are new or changed
    foreseen: tuple[dict[str, Any], ...] = ()  # of a dry run: RISK rows, each with whether it is within its bounds
    candidate_id: str = ""
    approved: bool = False
    hold_reasons: tuple[str, ...] = ()
    release_id: str = ""
    changed: bool = False  # False: the public side already held exactly this
    stands_since: str = ""  # set when nothing differs from what the last outcome rests on: its time (UTC); nothing was judged again

    @property
    def failed_instances(self) -> int:
        return self.objects_by_status.get(Status.FAILED.value, 0)

    @property
    def exit_code(self) -> int:
        """0 all accounted for, 1 machine trouble, 3 held by a gate."""
        if self.failed_instances:
            return 1
        return 0 if self.approved or self.dry_run else 3

    def held(self, *reasons: str, candidate_id: str = "") -> ReleaseSummary:
        return replace(self, hold_reasons=reasons, candidate_id=candidate_id)

    def published(self, candidate_id: str, release_id: str, *, changed: bool) -> ReleaseSummary:
        return replace(self, approved=True, candidate_id=candidate_id, release_id=release_id, changed=changed)

    def standing(self, outcome: Outcome) -> ReleaseSummary:
        """Return this run's counts with the outcome that stands."""
        return replace(
            self,
            suppressed_patients=outcome.suppressed_patients,
            candidate_id=outcome.candidate_id,
            approved=outcome.approved,
            hold_reasons=outcome.hold_reasons,
            release_id=outcome.release_id,
            stands_since=outcome.decided_at,
        )

    def sentence(self) -> str:
        """Return the summary in one line."""
        counts = ", ".join(f"{n} {status}" for status, n in sorted(self.objects_by_status.items())) or "nothing"
        if self.dry_run:
            end = f"dry run: {self.to_pull} would be pulled"
        elif self.approved:
            end = f"release {self.release_id}" + ("" if self.changed else " (unchanged)")
        else:
            end = "held: " + ", ".join(self.hold_reasons)
        if self.stands_since:
            end = end.removesuffix(" (unchanged)") + f"; nothing changed since {self.stands_since[:10]}, so it was not judged again"
        return f"{self.studies} studies ({self.pulled} pulled), {self.objects} objects: {counts}; {end}"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "exit_code": self.exit_code}


def summarise(
    run_id: str,
    asked: Sequence[StudyRef],
    receipts: Sequence[Receipt],
    *,
    pulled: int,
    suppressed_patients: int = 0,
    absent: int = 0,
    dry_run: bool = False,
) -> ReleaseSummary:
    """Count the receipts of a run; objects are counted by status and, where one is given, by reason."""
    by_status: Counter[str] = Counter()
    by_reason: Counter[str] = Counter()
    for receipt in receipts:
        for status, reason, n in receipt.outcomes:
            by_status[status] += n
            if reason:
                by_reason[reason] += n
    return ReleaseSummary(
        run_id,
        len(asked),
        pulled,
        dict(sorted(Counter(r.status.value for r in receipts).items())),
        sum(by_status.values()),
        dict(sorted(by_status.items())),
        dict(sorted(by_reason.items())),
        suppressed_patients,
        absent,
        dry_run,
    )
