"""The flows that a Prefect server offers: what a person starts from a form, and what the schedule starts at night.

A form never asks for a patient's value: parameters are stored and shown. The work itself is in the flows that these call.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.concurrency.sync import concurrency
from prefect.states import Completed, Failed
from pydantic import Field

from tasks.errors import ReleaseError, UsageError
from tasks.spec import Spec, read_spec

SPECS_VARIABLE = "SALLYPORT_SPECS"
"""JSON object: dataset -> its spec file on this machine. Set by `sallyport serve`, or where a worker is started."""

Dataset = Field(title="Dataset", description="Which dataset")


@flow(name="release", flow_run_name="release {dataset}", persist_result=False)
def release_dataset(
    dataset: str = Dataset,
    action: Literal["Release what is new or changed", "Only count what is new or changed"] = Field(
        default="Release what is new or changed",
        title="What to do",
        description="Counting asks the archive, and pulls and publishes nothing",
    ),
) -> State[Any]:
    """Find the dataset's studies, de-identify what is new, judge the result, and publish it when every gate agrees."""
    from flows.release import release

    with _guarded("release"):
        spec = spec_of(dataset)
        only_count = action.startswith("Only")
        with one_at_a_time(dataset):
            state: State[Any] = release.fn(spec, None, only_count)
    if only_count and state.is_completed():
        return Completed(message=state.message)
    if state.is_completed() and state.name != "Held":
        _link(spec)
    return state


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
        problem = f"stopped by {type(error).__name__}"
        raise ReleaseError(what, problem, "run it again; report it if it stays") from None


def _link(spec: Spec) -> None:
    """Show where the release is, for those who may read it there."""
    if spec.public.startswith("s3://"):
        create_link_artifact(spec.public, link_text=f"Releases of {spec.dataset}", key="release-link")
