"""The release flow: spec in, verdict and release out. One Prefect task per stage; the stages' work is in tasks/.

Nightly and on-demand runs, the Prefect form and the command line all run this same flow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import artifacts, workers
from flows.gates import assemble, compare_with_archive, foresee, judge_candidate, keep_levels
from flows.review import settle_candidate
from flows.session import Session, broken_machine, open_session
from flows.stages import internal_error, stage
from flows.standing import keep_standing, still_released
from flows.summary import ReleaseSummary, summarise
from flows.withdrawn import settle_withdrawn
from tasks import private
from tasks.archive import open_archive
from tasks.cadence import closed_until
from tasks.canaries import canary_keys, canary_patients, canary_refs
from tasks.errors import HeldError, ReleaseError
from tasks.model import Receipt, Status, StudyRef, Verdict
from tasks.publish.candidate import Candidate, read_table
from tasks.publish.release import publish_candidate
from tasks.publish.signing import open_signer
from tasks.publish.verify import verify
from tasks.registry import check_consent
from tasks.spec import Spec
from tasks.study_job import work_id

Observer = Callable[[str, int, int], None]
"""Told (stage, done, total); the command line draws a progress bar from it."""

observer: ContextVar[Observer] = ContextVar("observer", default=lambda _stage, _done, _total: None)

_SHARD = 2_000


@flow(name="release", flow_run_name="release-{spec.dataset}", persist_result=False, validate_parameters=True)
def release(spec: Spec, study_keys: list[str] | None = None, dry_run: bool = False) -> State[ReleaseSummary]:
    """Release a dataset: find studies, process what is new, judge, publish what was approved, verify.

    `study_keys` (opaque, never UIDs: parameters are stored and shown) restricts the studies that are processed.
    """
    with open_session(spec) as session:
        try:
            summary = _run(session, study_keys, dry_run)
        except ReleaseError as error:
            return Failed(message=str(error), data=error)
        except OSError as error:
            broken = broken_machine(error)
            return Failed(message=str(broken), data=broken)
        except Exception as error:
            broken = internal_error("release", error)
            return Failed(message=str(broken), data=broken)
    if summary.failed_instances:
        return Completed(message=summary.sentence(), name="CompletedWithFailures", data=summary)
    return Completed(message=summary.sentence(), name="Completed" if summary.approved else "Held", data=summary)


def _run(session: Session, study_keys: list[str] | None, dry_run: bool) -> ReleaseSummary:
    log = get_run_logger()
    stages = _stages()
    asked: list[StudyRef] = stages["find"](session, study_keys)
    settled = settle_withdrawn(session, asked, private.get_receipts_index(session.private))
    known, withdrawn = settled.known, list(settled.receipts.values())
    done, todo = split_known(session, settled.refs, known)
    canaries = canary_refs(session.rules.policy.gates.canaries, session.rules.secret)
    canaries_done, canaries_todo = split_known(session, canaries, known)
    log.info("%d studies asked for, %d unchanged, %d withdrawn, %d to do", len(asked), len(done), len(withdrawn), len(todo))
    if settled.left_in_quarantine:
        log.warning("%d withdrawn studies came back into quarantine; withdraw them once more to purge them", settled.left_in_quarantine)
    if dry_run:
        foreseen = stages["foresee"](session, settled.refs)
        counted = summarise(session.run_id, asked, [*withdrawn, *done], pulled=0, dry_run=True)
        return replace(counted, to_pull=len(todo), foreseen=foreseen)
    check_pull(session, len(todo))
    fresh: list[Receipt] = []
    todo = [*todo, *canaries_todo]
    if todo:
        with workers.connect(session.spec.workers, session.scratch) as client:
            workers.check_engines(client)
            for start in range(0, len(todo), _SHARD):
                fresh += stages["process"](session, client, todo[start : start + _SHARD], start, len(todo))
    of_canaries = [r for r in (*canaries_done, *fresh) if r.study_key in canary_keys(session.rules.secret)]
    fresh = [r for r in fresh if r not in of_canaries]
    receipts = stages["compare"](session, asked, reconcile(asked, [*withdrawn, *done, *fresh]))
    kept = keep_standing(session, fresh, known)
    standing = [kept.get(r.study_key, r) for r in receipts]
    private.put_receipts_index(session.private, {**known, **{r.study_key: r for r in (*standing, *of_canaries)}}.values())
    artifacts.receipts_table(receipts)
    if kept:
        log.warning("%d studies failed that were released before; they stay as they were until they can be done again", len(kept))
    absent = still_released(session, asked, known, whole_cohort=study_keys is None)
    if absent and study_keys is None:
        log.warning("%d released studies are no longer in the archive; they stay in the release until they are withdrawn", len(absent))
    everything = [*standing, *absent, *of_canaries]
    candidate, suppressed = stages["assemble"](session, everything)
    summary = summarise(
        session.run_id, asked, receipts, pulled=len(todo) - len(canaries_todo), suppressed_patients=suppressed, absent=len(absent)
    )
    if candidate is None:
        return summary.held("nothing_to_release")
    verdict, verdicts = stages["judge"](session, candidate, everything)
    artifacts.verdict_table(verdict, verdicts)
    gates, secret = session.rules.policy.gates, session.rules.secret
    decided = settle_candidate(session.private, candidate.candidate_id, verdict, session.spec, gates, secret)
    if not decided.verdict.approved:
        return summary.held(*decided.verdict.reasons, candidate_id=candidate.candidate_id)
    window = session.spec.schedule.publish_window if session.spec.schedule else "always"
    if opens := closed_until(session.public, candidate.root, window, today()):
        return summary.held(f"C1: the next {window} window opens on {opens.isoformat()}", candidate_id=candidate.candidate_id)
    canary_patient_ids = canary_patients(session.private, canaries)
    published = stages["publish"](session, candidate, decided.verdict, verdicts, decided.approval, canary_patient_ids)
    keep_levels(session, candidate)
    stages["verify"](session)
    return summary.published(candidate.candidate_id, published.release_id, changed=published.changed)


def _stages() -> dict[str, Callable[..., Any]]:
    """Return each stage as a Prefect task."""
    return {
        "find": stage(find_studies, "find studies"),
        "foresee": stage(foresee, "measure before pulling"),
        "process": stage(process_shard, "process studies"),
        "compare": stage(compare_with_archive, "compare with the archive"),
        "assemble": stage(assemble, "assemble candidate"),
        "judge": stage(judge_candidate, "judge candidate"),
        "publish": stage(publish, "publish", retries=2),
        "verify": stage(verify_release, "verify", retries=2),
    }


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


def check_pull(session: Session, studies: int) -> None:
    """Stop before anything is pulled when this run would pull more than the policy allows (I7)."""
    most = session.rules.policy.gates.pulled_studies
    if most is not None and studies > most:
        raise HeldError(
            "archive",
            f"{studies} studies would be pulled, and the policy allows {most} (I7)",
            "narrow the cohort, or raise gates.pulled_studies",
        )


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


def reconcile(asked: Sequence[StudyRef], receipts: Sequence[Receipt]) -> list[Receipt]:
    """Check law 1: exactly one receipt per study asked for. A run that lost a study must not end green."""
    if sorted(r.study_key for r in receipts) != sorted(ref.study_key for ref in asked):
        raise ReleaseError("release", f"{len(asked)} studies asked for but {len(receipts)} receipts", "run it again; report it if it stays")
    return sorted(receipts, key=lambda r: r.study_key)


def publish(
    session: Session,
    candidate: Candidate,
    verdict: Verdict,
    verdicts: pa.Table,
    approval: Mapping[str, str] | None = None,
    canaries: frozenset[str] = frozenset(),
) -> Any:
    """Publish exactly the bytes that the verdict is about; safe to run again."""
    if not verdict.approved or verdict.candidate_root != candidate.root:
        raise HeldError("publish", "the verdict does not approve this candidate", "judge it again")
    check_consent(read_table(session.private, candidate, "instances"), session.private, session.spec.cohort)
    signer = open_signer(session.spec.signing.key, session.rules.secret)
    accepted = dict(approval) if approval else None
    return publish_candidate(
        session.private,
        session.public,
        candidate,
        verdict,
        verdicts,
        signer,
        today(),
        approval=accepted,
        publication=session.spec.publication,
        canaries=canaries,
    )


def verify_release(session: Session) -> None:
    """Read the public side back as a consumer would; raises VerificationError."""
    verify(session.public).raise_if_failed()


def today() -> date:
    """Return the day of the release (UTC); public artefacts know no finer clock."""
    return datetime.now(UTC).date()
