"""The flows that a Prefect server offers: what a person starts from a form, and what the schedule starts at night.

A form never asks for a patient's value: parameters are stored and shown. The work itself is in the flows that these call.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.concurrency.sync import concurrency
from prefect.states import Completed, Failed
from pydantic import Field, StringConstraints

from flows.stages import internal_error
from tasks.errors import ReleaseError, UsageError
from tasks.spec import Spec, read_spec

SPECS_VARIABLE = "SALLYPORT_SPECS"
"""JSON object: dataset -> its spec file on this machine. Set by `sallyport serve`, or where a worker is started."""

Dataset = Field(title="Dataset", description="Which dataset")

# PRIVACY: what a form accepts as an identifier cannot be a hospital's number; the server refuses it before it is stored.
ReleasedPatient = Annotated[str, StringConstraints(pattern=r"^SP[A-Z2-7]{24}$")]
ReleasedUid = Annotated[str, StringConstraints(pattern=r"^2\.25\.[0-9]{20,39}$")]

Patients: Any = Field(
    default_factory=list, title="Patients", description="Released ids, as in the manifests; never the hospital's own numbers"
)
Studies: Any = Field(default=[], title="Studies", description="Released StudyInstanceUIDs")
Series: Any = Field(default=[], title="Series", description="Released SeriesInstanceUIDs")

_REVIEW_SECONDS = 14 * 86_400


@flow(name="release", flow_run_name="release {dataset}", persist_result=False)
def release_dataset(
    dataset: str = Dataset,
    action: Literal["Release what is new or changed", "Only count what is new or changed"] = Field(
        default="Release what is new or changed",
        title="What to do",
        description="Counting asks the archive, and pulls and publishes nothing",
    ),
) -> State[Any]:
    """Find the dataset's studies, de-identify what is new, judge the result, and publish it when every gate agrees.

    Where people must agree too, the run is suspended until one of them has filled in the form, and then goes on.
    """
    with _guarded("release"):
        spec = spec_of(dataset)
        only_count = action.startswith("Only")
        state = _release(spec, only_count)
    if only_count and state.is_completed():
        return Completed(message=state.message)
    candidate_id = _awaits_people(spec, state)
    if candidate_id:
        # Suspending ends this process; when somebody answers, the flow begins anew, comes here again and finds the answer.
        form = _ask(spec, candidate_id)
        with _guarded("review"):
            _keep_answer(spec, candidate_id, form)
            state = _release(spec, only_count)
    if state.is_completed() and state.name != "Held":
        _link(spec)
    return state


def _release(spec: Spec, only_count: bool) -> State[Any]:
    from flows.release import release

    with one_at_a_time(spec.dataset):
        state: State[Any] = release.fn(spec, None, only_count)
    return state


def _awaits_people(spec: Spec, state: State[Any]) -> str:
    """Return the id of the candidate that a person may decide about in this form, or ""."""
    from flows.review import needs_people, rules_of
    from tasks.candidates import read_judged
    from tasks.publish.store import open_store

    candidate_id = getattr(state.data, "candidate_id", "") if state.name == "Held" else ""
    if not candidate_id or rules_of(spec).allowed_signers:
        return ""
    with _guarded("review"):
        judged = read_judged(open_store(spec.private), candidate_id)
    return candidate_id if needs_people(judged.verdict, spec) else ""


def _ask(spec: Spec, candidate_id: str) -> Any:
    """Suspend the run until the form is filled in. Not guarded: Prefect suspends by an exception of its own."""
    from prefect.flow_runs import suspend_flow_run

    from flows.review import ReviewForm

    about = (
        f"Candidate `{candidate_id}` of **{spec.dataset}** waits for a decision. Read its report on the private side first "
        f"(`sallyport candidates` says where), and copy its digest from there. Nothing is published until you approve."
    )
    form = ReviewForm.with_initial_data(description=about)
    return suspend_flow_run(wait_for_input=form, timeout=_REVIEW_SECONDS, key=f"review-{candidate_id}")


def _keep_answer(spec: Spec, candidate_id: str, form: Any) -> None:
    from flows.review import record_form
    from flows.session import open_secret
    from tasks.publish.store import open_store

    secret = open_secret(spec.secret)
    record_form(open_store(spec.private), candidate_id, form, spec, spec.loaded_policy().gates, secret)


@flow(name="audit", flow_run_name="audit {dataset}", persist_result=False)
def audit_dataset(
    dataset: str = Dataset,
    pixels: Literal["none", "sample", "all"] = Field(
        default="sample", title="Read the pixels", description="Look for text in no object, in one of each series, or in all"
    ),
) -> State[Any]:
    """Search what is published for anything that should not be there, as an outsider would, without knowing the patients."""
    from flows.commands.audit import _files
    from tasks.audit import survey

    with _guarded("audit"):
        spec = spec_of(dataset)
        place = spec.public.removeprefix("file://") if spec.public.startswith("file://") else spec.public
        quiet = lambda _stage, _done, _total: None  # noqa: E731 - the observer's shape
        with _files(f"{place.rstrip('/')}/series", False, quiet) as files:
            report = survey(files, spec.loaded_policy(), pixels, quiet)
    gates = report.gates
    rows = [f"| {g.gate} | {g.question} | {g.looked_at} | {g.findings} | {g.verdict} |" for g in gates]
    head = ["| gate | question | looked at | findings | verdict |", "|---|---|---:|---:|---|"]
    create_markdown_artifact("\n".join(["# Audit", "", *head, *rows]), key="audit")
    grave = [g.gate for g in gates if g.verdict == "block"]
    if grave:
        return Completed(name="Held", message=f"{len(grave)} gates found something: {', '.join(grave)}")
    return Completed(message=f"{len(gates)} gates: nothing grave")


@flow(name="withdraw", flow_run_name="withdraw from {dataset}", persist_result=False)
def withdraw_from_dataset(
    dataset: str = Dataset,
    patients: list[ReleasedPatient] = Patients,
    studies: list[ReleasedUid] = Studies,
    series: list[ReleasedUid] = Series,
    sure: bool = Field(default=False, title="Yes, remove them for ever", description="From every release; this cannot be undone"),
) -> State[Any]:
    """Remove patients, studies or series from every release, prove it, and publish the tombstone. They never come back.

    By the hospital's own patient number: `sallyport withdraw SPEC --patient-ids FILE`; such a number is never typed here.
    """
    from datetime import UTC, datetime

    from flows.withdrawn import suppress_now, withdraw_between_runs
    from tasks.publish.withdrawal_scope import Asked

    with _guarded("withdraw"):
        if not sure or not (patients or studies or series):
            raise UsageError("withdraw", "nothing was removed", "name what to remove, and say that you are sure")
        spec = spec_of(dataset)
        asked = Asked(tuple(patients), tuple(studies), tuple(series))
        suppress_now(spec, asked)
        with one_at_a_time(dataset):
            done = withdraw_between_runs(spec, asked, datetime.now(UTC).date(), lambda _: None)
    counts = f"{done.series} series, {done.instances} instances removed and proven gone"
    return Completed(message=f"{counts}; tombstone {done.tombstone or 'not needed'}; {len(done.recipients)} recipients to notify")


@flow(name="verify", flow_run_name="verify {dataset}", persist_result=False)
def verify_dataset(
    dataset: str = Dataset,
    release_id: str | None = Field(default=None, title="Release", description="Such as 2026.11.0; the newest one when left empty"),
    depth: Literal["Documents and manifests", "A sample of 100 objects", "Every object"] = Field(
        default="A sample of 100 objects", title="How thoroughly", description="Every object is read when all are chosen: this takes long"
    ),
) -> State[Any]:
    """Read a release as its users do, and check signatures, checksums, tables, references and tombstones."""
    from tasks.publish.store import open_store
    from tasks.publish.verify import verify

    with _guarded("verify"):
        public = open_store(spec_of(dataset).public)
        report = verify(public, release_id or None, depth == "Every object", 100 if depth.startswith("A sample") else None)
    rows = [f"- **{p.cause}** at `{p.where}`" for p in report.problems] or ["Nothing is wrong."]
    create_markdown_artifact("\n".join([f"# Release {report.release_id}: {report.status}", "", *rows]), key="verification")
    if report.ok:
        return Completed(message=f"release {report.release_id} is {report.status}")
    return Failed(message=f"release {report.release_id}: {len(report.problems)} problems, the first: {report.problems[0].cause}")


# --- what they share


def spec_of(dataset: str) -> Spec:
    """Return the spec of a dataset that is served on this machine."""
    try:
        path = json.loads(os.environ.get(SPECS_VARIABLE, "{}"))[dataset]
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            "dataset", "is not served on this machine", f"start `sallyport serve` with its spec, or set {SPECS_VARIABLE}"
        ) from None
    spec = read_spec(Path(path))
    if spec.dataset != dataset:
        raise UsageError("dataset", "the spec file now names another dataset", "start `sallyport serve` again")
    return spec


@contextmanager
def one_at_a_time(dataset: str) -> Iterator[None]:
    """Let the runs that write to a dataset wait for each other, on whatever machines they are."""
    with concurrency(limit_name(dataset), occupy=1, strict=False):
        yield


def limit_name(dataset: str) -> str:
    """Return the name of a dataset's concurrency limit."""
    return f"sallyport-{dataset}"


@contextmanager
def _guarded(what: str) -> Iterator[None]:
    """Let nothing of an exception reach Prefect's database but what we wrote ourselves.

    PRIVACY: Prefect stores the text of exceptions (tests/flows/test_serve.py).
    """
    try:
        yield
    except ReleaseError as error:
        get_run_logger().error("%s", error)
        raise
    except Exception as error:
        raise internal_error(what, error) from None


def _link(spec: Spec) -> None:
    """Show where the release is, for those who may read it there."""
    if spec.public.startswith("s3://"):
        create_link_artifact(spec.public, link_text=f"Releases of {spec.dataset}", key="release-link")
