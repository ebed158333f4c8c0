"""The studies of one run: which are new, what the workers made of them, and one receipt for each.

What becomes of their objects together, candidate and release, does not belong here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from prefect import get_run_logger

from flows import artifacts, workers
from flows.session import Session
from flows.standing import keep_standing, still_released
from flows.withdrawn import settle_withdrawn
from tasks import private
from tasks.archive import open_archive
from tasks.canaries import canary_keys, canary_refs
from tasks.errors import HeldError, ReleaseError
from tasks.model import Receipt, Status, StudyRef
from tasks.study_job import work_id

Observer = Callable[[str, int, int], None]
"""Told (stage, done, total); the command line draws a progress bar from it."""

observer: ContextVar[Observer] = ContextVar("observer", default=lambda _stage, _done, _total: None)

_SHARD = 2_000


@dataclass(frozen=True, slots=True)
class Studies:
    """What a run was asked for, sorted by what there is to do."""

    asked: list[StudyRef]
    offered: list[StudyRef]  # of these, what was not withdrawn as a whole
    known: dict[str, Receipt]  # receipts of earlier runs, by study key
    settled: list[Receipt]  # of studies that are unchanged or withdrawn: nothing of them is pulled
    todo: list[StudyRef]  # new, changed, failed, or under new rules
    canaries: list[StudyRef] = field(repr=False)
    canaries_settled: list[Receipt] = field(repr=False)
    canaries_todo: list[StudyRef] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Accounted:
    """What a run knows of every study once the workers are done."""

    receipts: list[Receipt]  # exactly one per study asked for
    absent: list[Receipt]  # released earlier, not in the archive any more
    members: list[Receipt]  # what a candidate is made from: with absent studies and canaries, and what stands of those that failed
    ledger: list[Receipt]  # everything on record


def find_studies(session: Session, study_keys: list[str] | None) -> list[StudyRef]:
    """Ask the archive for the cohort's studies, in a stable order."""
    archive = open_archive(session.spec.archive, session.rules.secret, session.index_folder)
    wanted = set(study_keys) if study_keys is not None else None
    refs = []
    for ref in archive.find_studies(session.spec.cohort):
        if wanted is None or ref.study_key in wanted:
            refs.append(ref)
            observer.get()("find", len(refs), len(refs))
    return sorted(refs, key=lambda ref: ref.study_key)


def sort_studies(session: Session, asked: list[StudyRef]) -> Studies:
    """Tell withdrawn and unchanged studies from those that must be processed."""
    log = get_run_logger()
    withdrawn = settle_withdrawn(session, asked, private.get_receipts_index(session.private))
    done, todo = split_known(session, withdrawn.refs, withdrawn.known)
    canaries = canary_refs(session.rules.policy.gates.canaries, session.rules.secret)
    log.info("%d studies asked for, %d unchanged, %d withdrawn, %d to do", len(asked), len(done), len(withdrawn.receipts), len(todo))
    if withdrawn.left_in_quarantine:
        log.warning("%d withdrawn studies came back into quarantine; withdraw them once more to purge them", withdrawn.left_in_quarantine)
    settled = [*withdrawn.receipts.values(), *done]
    return Studies(asked, withdrawn.refs, withdrawn.known, settled, todo, canaries, *split_known(session, canaries, withdrawn.known))


def split_known(session: Session, asked: Sequence[StudyRef], known: dict[str, Receipt]) -> tuple[list[Receipt], list[StudyRef]]:
    """Return the receipts that still hold and the studies that must be processed (new, changed, failed, new rules)."""
    done: list[Receipt] = []
    todo: list[StudyRef] = []
    for ref in asked:
        receipt = known.get(ref.study_key) or private.get_receipt(session.private, ref.study_key)
        if receipt and receipt.status is not Status.FAILED and receipt.work_id == work_id(ref, session.rules):
            done.append(receipt)
        else:
            todo.append(ref)
    return done, todo


def check_pull(session: Session, studies: int) -> None:
    """Stop before anything is pulled when this run would pull more than the policy allows (I7)."""
    most = session.rules.policy.gates.pulled_studies
    if most is not None and studies > most:
        raise HeldError(
            "archive",
            f"{studies} studies would be pulled, and the policy allows {most} (I7)",
            "narrow the cohort, or raise gates.pulled_studies",
        )


def process_todo(session: Session, studies: Studies, process: Callable[..., list[Receipt]]) -> list[Receipt]:
    """Have everything that is to do done by `process`, shard by shard; no worker is started where there is nothing."""
    check_pull(session, len(studies.todo))
    todo = [*studies.todo, *studies.canaries_todo]
    fresh: list[Receipt] = []
    if todo:
        with workers.connect(session.spec.workers, session.scratch) as client:
            workers.check_engines(client)
            for start in range(0, len(todo), _SHARD):
                fresh += process(session, client, todo[start : start + _SHARD], start, len(todo))
    return fresh


def process_shard(session: Session, client: Any, refs: Sequence[StudyRef], offset: int, total: int) -> list[Receipt]:
    """Process some studies on the workers; one receipt each."""
    progress = artifacts.Progress(f"process-{session.spec.dataset}", total)
    count = offset

    def on_receipt(_receipt: Receipt) -> None:
        nonlocal count
        count += 1
        observer.get()("process", count, total)
        progress.update(count)

    return workers.process_studies(client, refs, session.job, on_receipt, workers.memory_limit_bytes(session.spec.workers))


def account_for(
    session: Session, studies: Studies, fresh: Sequence[Receipt], compare: Callable[..., list[Receipt]], *, whole_cohort: bool
) -> Accounted:
    """Give every study its receipt, compare some with the archive, and write the index of all receipts."""
    log = get_run_logger()
    of_canaries = [r for r in (*studies.canaries_settled, *fresh) if r.study_key in canary_keys(session.rules.secret)]
    fresh = [r for r in fresh if r not in of_canaries]
    receipts = compare(session, studies.asked, reconcile(studies.asked, [*studies.settled, *fresh]))
    kept = keep_standing(session, fresh, studies.known)
    standing = [kept.get(r.study_key, r) for r in receipts]
    ledger = list({**studies.known, **{r.study_key: r for r in (*standing, *of_canaries)}}.values())
    private.put_receipts_index(session.private, ledger)
    artifacts.receipts_table(receipts)
    if kept:
        log.warning("%d studies failed that were released before; they stay as they were until they can be done again", len(kept))
    absent = still_released(session, studies.asked, studies.known, whole_cohort=whole_cohort)
    if absent and whole_cohort:
        log.warning("%d released studies are no longer in the archive; they stay in the release until they are withdrawn", len(absent))
    return Accounted(receipts, absent, [*standing, *absent, *of_canaries], ledger)


def reconcile(asked: Sequence[StudyRef], receipts: Sequence[Receipt]) -> list[Receipt]:
    """Check law 1: exactly one receipt per study asked for. A run that lost a study must not end green."""
    if sorted(r.study_key for r in receipts) != sorted(ref.study_key for ref in asked):
        raise ReleaseError("release", f"{len(asked)} studies asked for but {len(receipts)} receipts", "run it again; report it if it stays")
    return sorted(receipts, key=lambda r: r.study_key)
