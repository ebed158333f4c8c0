"""The release flow: spec in, verdict and release out. One Prefect task per stage; the stages' work is in tasks/.

Nightly and on-demand runs, the Prefect form and the command line all run this same flow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import artifacts, unchanged
from flows.gates import assemble, compare_with_archive, foresee, judge_candidate, keep_levels
from flows.machine import broken_machine
from flows.review import settle_candidate
from flows.session import Session, open_session
from flows.stages import internal_error, stage
from flows.studies import Accounted, Studies, account_for, find_studies, process_shard, process_todo, sort_studies
from flows.summary import ReleaseSummary, summarise
from tasks.cadence import closed_until
from tasks.canaries import canary_patients
from tasks.errors import HeldError, ReleaseError
from tasks.model import Verdict
from tasks.publish.candidate import Candidate, read_table
from tasks.publish.release import publish_candidate
from tasks.publish.signing import open_signer
from tasks.publish.verify import verify
from tasks.registry import check_consent
from tasks.spec import Spec


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
    stages = _stages()
    whole = study_keys is None
    studies = sort_studies(session, stages["find"](session, study_keys))
    if dry_run:
        foreseen = stages["foresee"](session, studies.offered)
        counted = summarise(session.run_id, studies.asked, studies.settled, pulled=0, dry_run=True)
        return replace(counted, to_pull=len(studies.todo), foreseen=foreseen)
    fresh = process_todo(session, studies, stages["process"])
    accounted = account_for(session, studies, fresh, stages["compare"], whole_cohort=whole)
    summary = summarise(session.run_id, studies.asked, accounted.receipts, pulled=len(studies.todo), absent=len(accounted.absent))
    if not whole:
        return _decide(session, stages, studies, accounted, summary)
    beginning = unchanged.begin(session, accounted)
    if beginning.stands is not None:
        artifacts.verdict_that_stands(beginning.stands.decided_at)
        if beginning.stands.approved:
            stages["verify"](session)
        return summary.standing(beginning.stands)
    summary = _decide(session, stages, studies, accounted, summary)
    unchanged.remember(session, accounted, beginning, summary)
    return summary


def _decide(
    session: Session, stages: Mapping[str, Callable[..., Any]], studies: Studies, accounted: Accounted, summary: ReleaseSummary
) -> ReleaseSummary:
    """Assemble, judge, and publish what was approved."""
    candidate, suppressed = stages["assemble"](session, accounted.members)
    summary = replace(summary, suppressed_patients=suppressed)
    if candidate is None:
        return summary.held("nothing_to_release")
    verdict, verdicts = stages["judge"](session, candidate, accounted.members)
    artifacts.verdict_table(verdict, verdicts)
    gates, secret = session.rules.policy.gates, session.rules.secret
    decided = settle_candidate(session.private, candidate.candidate_id, verdict, session.spec, gates, secret)
    if not decided.verdict.approved:
        return summary.held(*decided.verdict.reasons, candidate_id=candidate.candidate_id)
    window = session.spec.schedule.publish_window if session.spec.schedule else "always"
    if opens := closed_until(session.public, candidate.root, window, today()):
        return summary.held(f"C1: the next {window} window opens on {opens.isoformat()}", candidate_id=candidate.candidate_id)
    canaries = canary_patients(session.private, studies.canaries)
    published = stages["publish"](session, candidate, decided.verdict, verdicts, decided.approval, canaries)
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
