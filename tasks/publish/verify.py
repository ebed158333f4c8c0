"""Verify a published dataset as a consumer: from the key over the log, files, attestations and manifests to every object's bytes.

Needs only read access, works offline on a copy. The checks of manifests and objects are in `verify_manifests.py` and
`verify_objects.py`; causes and exit codes in `causes.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from tasks.errors import ReleaseError
from tasks.publish.causes import CAUSES, Cause, refuse
from tasks.publish.latest import read_latest
from tasks.publish.log import Entry, Log, read_log
from tasks.publish.scratch import scratch_folder
from tasks.publish.store import Store
from tasks.publish.tombstones import read_withdrawn
from tasks.publish.verify_files import ReleaseFiles, check_files
from tasks.publish.verify_manifests import check_manifests
from tasks.publish.verify_objects import check_objects
from tasks.publish.verify_state import SeenState

_MOVED_HEAD_RETRIES = 5
_POINTER_GRACE_DAYS = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: the cause's code, where, and a detail that holds no value of a patient."""

    cause: Cause
    where: str
    message: str

    @property
    def exit_code(self) -> int:
        return CAUSES[self.cause].exit_code


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What verification found. `status` is valid, superseded (replaced after a withdrawal), retired, or invalid."""

    status: str
    release_id: str
    seq: int
    head_seq: int
    problems: tuple[Problem, ...] = ()
    checks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    replaced_by: str = ""

    @property
    def ok(self) -> bool:
        """Say whether nothing is wrong (a superseded release can be intact)."""
        return not self.problems

    @property
    def exit_code(self) -> int:
        """Return 0, or the exit code of the first problem found."""
        return self.problems[0].exit_code if self.problems else 0

    def raise_if_failed(self) -> None:
        """Raise the first problem as a VerificationError with its own exit code."""
        if self.problems:
            raise refuse(self.problems[0].cause, self.problems[0].where)


def verify(
    public: Store,
    release_id: str | None = None,
    full: bool = False,
    sample: int | None = None,
    *,
    trusted_fingerprint: str = "",
    state: Path | None = None,
    today: date | None = None,
    threads: int = 4,
    progress: Callable[[str], None] | None = None,
) -> VerifyReport:
    """Verify one release (the current one by default) and say everything that is wrong with it; never raises for bad data.

    `full` reads every object, `sample` that many random ones. `state` remembers what was seen, so that a rolled-back or truncated
    copy is noticed. A release that is committed or withdrawn meanwhile is no problem: verification starts again at the new head.
    """
    report = _failed(Cause.NO_RELEASE, "log", "")
    for _ in range(_MOVED_HEAD_RETRIES):
        run = _Run(public, release_id, full, sample, trusted_fingerprint, state, today, threads, progress or (lambda _: None))
        try:
            report = run.report()
        except ReleaseError as error:
            cause = getattr(error, "cause", None)
            if cause is None or CAUSES[cause].exit_code < 40:
                raise
            report = _failed(cause, error.where, error.problem, run)
        if report.ok or _head_seq(public) == run.head_seq:
            return report
    return report


class _Run:
    """One pass over one state of the dataset."""

    def __init__(
        self,
        public: Store,
        release_id: str | None,
        full: bool,
        sample: int | None,
        trusted_fingerprint: str,
        state: Path | None,
        today: date | None,
        threads: int,
        progress: Callable[[str], None],
    ) -> None:
        self.public, self.release_id, self.full, self.sample = public, release_id, full, sample
        self.trusted_fingerprint, self.state = trusted_fingerprint, SeenState(state, public.url)
        self.today, self.threads, self.progress = today, threads, progress
        self.head_seq = -1
        self.problems: list[Problem] = []
        self.checks: list[str] = []
        self.notes: list[str] = []

    def add(self, cause: Cause, where: str, detail: str = "") -> None:
        self.problems.append(Problem(cause, where, CAUSES[cause].meaning + (f" ({detail})" if detail else "")))

    def done(self, check: str) -> None:
        self.checks.append(check)
        self.progress(check)

    def report(self) -> VerifyReport:
        log = read_log(self.public)
        self.head_seq = log.seq
        self._check_trust(log)
        self._check_latest(log)
        self.done("keys and log")
        entry = log.current() if self.release_id is None else log.find(self.release_id)
        if entry is None:
            raise refuse(Cause.NO_RELEASE, "log")
        replaced_by = log.superseded().get(entry.release_id, "")
        files = check_files(self.public, log, entry, redacted=bool(replaced_by), add=self.add)
        self.done("files, checksums, signatures, attestations")
        withdrawn = read_withdrawn(self.public, log, self.add)
        self.done("tombstones")
        if not replaced_by and not self.problems:
            self._check_content(entry, files, withdrawn.series | withdrawn.studies)
        if not self.problems:
            self.state.remember(log)
        status = "superseded" if replaced_by else "retired" if entry.release_id in log.retired() else "valid"
        return VerifyReport(
            status=status if not self.problems else "invalid",
            release_id=entry.release_id,
            seq=entry.seq,
            head_seq=log.seq,
            problems=tuple(self.problems),
            checks=tuple(self.checks),
            notes=tuple(self.notes),
            counts=dict(entry.body.get("counts", {})),
            replaced_by=replaced_by,
        )

    def _check_content(self, entry: Entry, files: ReleaseFiles, withdrawn: frozenset[str]) -> None:
        with scratch_folder("verify") as folder:
            manifests = files.copy_manifests(folder)
            check_manifests(manifests, entry, withdrawn, self.add)
            self.done("manifests, references, digests, counts")
            if not self.problems:
                check_objects(
                    self.public, manifests, full=self.full, sample=self.sample, threads=self.threads, add=self.add, note=self.notes.append
                )
                self.done(
                    "objects: every byte" if self.full else f"objects: sizes, {self.sample} read" if self.sample else "objects: sizes"
                )

    def _check_trust(self, log: Log) -> None:
        if self.trusted_fingerprint and log.genesis.fingerprint != self.trusted_fingerprint:
            raise refuse(Cause.KEY_MISMATCH, "keys.json")
        self.state.compare(log)

    def _check_latest(self, log: Log) -> None:
        current = log.current()
        if current is None:
            return
        today = self.today or date.today()
        try:
            latest = read_latest(self.public, log)
        except ReleaseError:
            if self.public.size("latest.json") is not None or not self._within_grace(log, 0, today):
                raise
            self.notes.append("latest.json is not there yet: the publisher has not finished")
            return
        self.state.compare_latest(int(latest["seq"]))
        if date.fromisoformat(latest["expires_on"]) < today:
            self.add(Cause.LATEST_EXPIRED, "latest.json")
        if int(latest["seq"]) < log.seq:
            # A publisher killed between the commit and the pointer leaves this behind, for one step; anything older is a rollback.
            if not self._within_grace(log, int(latest["seq"]), today):
                raise refuse(Cause.LATEST_ROLLED_BACK, "latest.json", f"names entry {latest['seq']} of {log.seq}")
            self.notes.append("latest.json is one step behind the log: the publisher has not finished")

    @staticmethod
    def _within_grace(log: Log, seq: int, today: date) -> bool:
        behind = [e for e in log.entries[seq:] if e.release_id]
        committed = date.fromisoformat(str(log.entries[-1].body.get("released_on") or log.entries[-1].body.get("on") or today))
        return len(behind) <= 1 and today - committed <= timedelta(days=_POINTER_GRACE_DAYS)


def _failed(cause: Cause, where: str, message: str, run: _Run | None = None) -> VerifyReport:
    earlier = tuple(run.problems) if run else ()
    problem = Problem(cause, where, message or CAUSES[cause].meaning)
    return VerifyReport("invalid", (run.release_id or "") if run else "", 0, max(run.head_seq, 0) if run else 0, (problem, *earlier))


def _head_seq(public: Store) -> int:
    try:
        return read_log(public).seq
    except ReleaseError:
        return -1
