"""Publish an approved candidate: the commit protocol, step by step. Killed anywhere, it is simply run again.

Judging does not belong here; neither does building the files (`staging.py`) nor copying objects (`objects.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from tasks.errors import HeldError
from tasks.model import Verdict
from tasks.publish.audit_heads import sign_head
from tasks.publish.candidate import Candidate, fetch_table
from tasks.publish.canonical import sha256_stream
from tasks.publish.causes import Cause, refuse
from tasks.publish.digests import compute_digests
from tasks.publish.latest import point_to_head
from tasks.publish.log import Entry, Log, entry_bytes, entry_key, open_log, read_log
from tasks.publish.manifest_files import read_grain
from tasks.publish.objects import bounded_map, put_objects, random_transfers
from tasks.publish.scratch import scratch_folder
from tasks.publish.signing import Signer
from tasks.publish.staging import Basis, Staged, stage_release
from tasks.publish.store import AlreadyExistsError, Store
from tasks.publish.suppression import Suppression, count_withdrawn, read_suppression
from tasks.publish.terms import changed_terms, terms_of
from tasks.spec import Publication

_ATTEMPTS = 1000


@dataclass(frozen=True, slots=True)
class Release:
    """One published release. `changed` is False when the same content was already there."""

    release_id: str
    seq: int
    root: str
    counts: dict[str, int]
    changed: bool


class _TakenError(Exception):
    """The release id belongs to somebody else's files: the next one is tried."""


def publish_candidate(
    private: Store,
    public: Store,
    candidate: Candidate,
    verdict: Verdict,
    verdicts: pa.Table,
    signer: Signer,
    on: date,
    *,
    publication: Publication | None = None,
    approval: dict[str, str] | None = None,
    threads: int | None = None,
    scratch: Path | None = None,
    canaries: frozenset[str] = frozenset(),
) -> Release:
    """Publish exactly the bytes that the verdict is about, or raise; the put-if-absent of the log entry is the commit.

    Every object is read again and must have its frozen digest; suppression is checked before the first put and right before the
    commit. Publishing the same content under the same terms again returns the release that is there; under other terms
    (licence, tier, words, policy) it makes a new release of the same objects, whose entry names what changed. `threads`: how many
    puts are under way at once (what suits the public store, by default). `approval` is a
    reviewer's record (candidate_root, expires_on, …). `canaries`: released PatientIDs of made patients that the gates must hold; one
    in a staged manifest stops everything before the first byte is put. Raises HeldError when the verdict does not approve these bytes.
    """
    _check_verdict(candidate, verdict, verdicts, approval, on)
    public.probe()
    with scratch_folder("publish", scratch) as folder:
        instances = fetch_table(private, candidate, "instances", folder)
        digests = compute_digests(instances)
        if digests.root != candidate.root:
            raise refuse(Cause.CANDIDATE_CHANGED, f"candidate {candidate.candidate_id}", "its root cannot be recomputed")
        log = open_log(public, signer)
        current = log.current()
        publication = publication or Publication()
        if current is not None and current.body["root"] == candidate.root:
            terms = terms_of(publication, candidate.dataset)
            if not changed_terms(public, current, terms, candidate.policy_sha256):
                point_to_head(public, signer, on)
                sign_head(private, public, signer)
                return _release(current, changed=False)
        checked = _check_suppression(private, instances)
        basis = Basis(
            scratch=folder,
            public=public,
            candidate=candidate,
            instances=instances,
            digests=digests,
            verdict=verdict,
            verdicts=verdicts,
            signer=signer,
            on=on,
            publication=publication,
            approval=approval,
        )
        if canaries:  # staged once for this question alone: what is put on the public side, the publisher may not delete again
            _without_canaries(stage_release(basis, log, next_release_id(log, on)), canaries)
        with ThreadPoolExecutor(1, "put objects") as background:
            # The files of the release are built while its objects go up; none of them is put before every object is there.
            transfers = random_transfers(instances, digests)
            objects = background.submit(put_objects, private, public, transfers, threads=threads or public.parallel)

            def stage(log: Log, release_id: str) -> Staged:
                staged = _without_canaries(stage_release(basis, log, release_id), canaries)
                objects.result()
                return staged

            release = commit_release(
                public, signer, on, stage, check=lambda: _recheck_suppression(private, instances, checked), threads=threads
            )
        sign_head(private, public, signer)
        return release


def commit_release(
    public: Store,
    signer: Signer,
    on: date,
    stage: Callable[[Log, str], Staged],
    *,
    check: Callable[[], None],
    kind: str = "release",
    fixed_id: Callable[[int], str] | None = None,
    threads: int | None = None,
) -> Release:
    """Put a staged release, read it back, and commit it to the log; when another publisher was faster, stage again after theirs.

    `stage(log, release_id)` builds the files in a local folder; `check()` refuses before any of them is put, and right before the
    commit. `fixed_id(attempt)` names the release when it is not `YYYY.MM.N`.
    """
    attempt = 0
    for _ in range(_ATTEMPTS):
        log = read_log(public)
        release_id = fixed_id(attempt) if fixed_id else next_release_id(log, on, attempt)
        staged = stage(log, release_id)
        existing = log.current()
        same = existing is not None and existing.body["root"] == staged.body["root"] and not staged.body.get("changed_terms")
        if kind == "release" and existing is not None and same:
            point_to_head(public, signer, on)
            return _release(existing, changed=False)
        check()
        try:
            put_release_files(public, release_id, staged.files, threads or public.parallel)
        except _TakenError:
            attempt += 1
            continue
        check()
        entry = entry_bytes(signer, log, kind, staged.body)
        won = True
        try:
            public.put(entry_key(log.seq + 1), entry, if_absent=True)
        except AlreadyExistsError:
            won = False  # of two publishers with the same bytes, exactly one says that it made the release
        if won or public.get(entry_key(log.seq + 1)) == entry:
            return _release(point_to_head(public, signer, on).entries[log.seq], changed=won)
        attempt = 0
    raise refuse(Cause.OBJECT_CONFLICT, "releases", "no release id is free")


def next_release_id(log: Log, on: date, skip: int = 0) -> str:
    """Return `YYYY.MM.N`: N follows the month's committed releases; `skip` passes over ids that unfinished runs hold."""
    month = f"{on.year}.{on.month:02d}."
    taken = [int(e.release_id[len(month) :].split("+")[0]) for e in log.releases() if e.release_id.startswith(month)]
    return f"{month}{max(taken, default=-1) + 1 + skip}"


def put_release_files(public: Store, release_id: str, files: dict[str, Path], threads: int) -> None:
    """Put every file of a release if absent, and read all back; _TakenError when the id holds other files.

    The first, which claims the id, is there before any other is put, and all others before those from release.json on.
    """
    prefix = f"releases/{release_id}/"

    def put(name: str) -> None:
        try:
            public.put(prefix + name, files[name], if_absent=True)
        except AlreadyExistsError:
            if _digest_of(public, prefix + name) != _digest(files[name]):
                raise _TakenError from None

    def read_back(name: str) -> None:
        if _digest_of(public, prefix + name) != _digest(files[name]):
            raise refuse(Cause.UPLOAD_DAMAGED, prefix + name)

    names = list(files)
    last = names.index("release.json")
    for group, at_once in ((names[:1], 1), (names[1:last], threads), (names[last:], 1)):
        deque(bounded_map(put, group, at_once), maxlen=0)
    if {key.removeprefix(prefix) for key in public.keys(prefix)} != files.keys():
        raise _TakenError
    deque(bounded_map(read_back, names, threads), maxlen=0)


def _digest_of(public: Store, key: str) -> str:
    with public.open(key) as file:
        return sha256_stream(file)[0]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return sha256_stream(file)[0]


def _check_verdict(candidate: Candidate, verdict: Verdict, verdicts: pa.Table, approval: dict[str, str] | None, on: date) -> None:
    where = f"candidate {candidate.candidate_id}"
    if not verdict.approved:
        raise HeldError(where, "held: " + (", ".join(verdict.reasons) or "no reason given"), "read its report")
    if verdict.candidate_root != candidate.root or verdict.policy_sha256 != candidate.policy_sha256:
        raise HeldError(where, "the verdict is about other bytes or another policy", "judge this candidate")
    contradicting = [
        r for r in verdicts.select(["unit", "verdict"]).to_pylist() if r["unit"] == "release" and r["verdict"] in ("block", "broken")
    ]
    if contradicting:
        raise HeldError(where, "approved, though a gate blocks or is broken", "judge this candidate again")
    if approval is not None:
        if approval.get("candidate_root") != candidate.root:
            raise HeldError(where, "the approval is about other bytes", "ask the reviewer again")
        if approval.get("expires_on") and date.fromisoformat(approval["expires_on"]) < on:
            raise refuse(Cause.APPROVAL_EXPIRED, where)


def _without_canaries(staged: Staged, canaries: frozenset[str]) -> Staged:
    """Return what was staged, refused when its manifests name a canary."""
    if canaries:
        folder = next(path.parent for name, path in staged.files.items() if name.startswith("manifests/"))
        named = read_grain(folder, "patient", ["patient_id"])["patient_id"]
        if caught := len(canaries & set(named.to_pylist())):
            raise refuse(Cause.CANARY_REACHED, "publish", f"{caught} canaries")
    return staged


def _check_suppression(private: Store, instances: Path, already: str = "") -> Suppression:
    """Refuse a candidate of which something was withdrawn; return the list that was asked. `already`: what has happened meanwhile."""
    # PRIVACY: the archive still has a withdrawn patient, and a candidate may be older than the withdrawal: tests/publish/test_withdraw.py.
    suppression = read_suppression(private)
    held = count_withdrawn(suppression, instances, private)
    if held:
        raise refuse(Cause.SUPPRESSED_CONTENT, "candidate", f"{held} instances{already}")
    return suppression


def _recheck_suppression(private: Store, instances: Path, checked: Suppression) -> None:
    """Check again, unless the list is still the one that was asked before.

    The objects are on the public side by then, though in no release, and only a withdrawal may delete there.
    """
    if read_suppression(private) != checked:
        _check_suppression(private, instances, ", put before it was withdrawn: withdraw it again")


def _release(entry: Entry, *, changed: bool) -> Release:
    return Release(entry.release_id, entry.seq, str(entry.body["root"]), dict(entry.body["counts"]), changed)
