"""Offer the flows of some datasets on a Prefect server: a nightly schedule, forms, one run at a time, and notifications.

What the flows do is in flows/deployed; starting a server of our own is in flows/local_server.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from inspect import signature
from pathlib import Path
from typing import Any

from flows.deployed import SPECS_VARIABLE, audit_dataset, limit_name, release_dataset, verify_dataset, withdraw_from_dataset
from tasks.errors import ReleaseError, UsageError
from tasks.spec import Spec, read_spec

_ENDED = ("Completed", "CompletedWithFailures", "Held", "Failed", "Crashed", "Cancelled", "TimedOut")
_TROUBLE = ("CompletedWithFailures", "Failed", "Crashed", "TimedOut")
_HEARTBEAT_SECONDS = 30


_FLOWS: tuple[tuple[Any, str], ...] = (
    (release_dataset, "Runs by night on its schedule, and when somebody starts it here. Runs of one dataset wait for each other."),
    (verify_dataset, "Reads what is published and says whether it is intact. Changes nothing."),
    (audit_dataset, "Searches what is published for anything that should not be there. Changes nothing."),
    (withdraw_from_dataset, "Removes patients, studies or series from every release for ever. Cannot be undone."),
)


def read_specs(paths: Sequence[Path]) -> dict[str, tuple[Path, Spec]]:
    """Read the specs to serve, by dataset. Two specs of one dataset are a UsageError."""
    specs: dict[str, tuple[Path, Spec]] = {}
    for path in paths:
        spec = read_spec(path)
        if spec.dataset in specs:
            raise UsageError("spec: dataset", "two of the specs name the same dataset", "serve one of them")
        specs[spec.dataset] = (path.resolve(), spec)
    return specs


def deployments(specs: dict[str, tuple[Path, Spec]], *, work_pool: str | None = None) -> list[Any]:
    """Return every dataset's deployments. Their parameters name the dataset and nothing else."""
    from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
    from prefect.schedules import Cron
    from prefect.types.entrypoint import EntrypointType

    queue = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)
    variables = {"env": {SPECS_VARIABLE: specs_variable(specs)}} if work_pool else None
    built: list[Any] = []
    for dataset, (_, spec) in specs.items():
        shared: dict[str, Any] = {
            "parameters": {"dataset": dataset},
            "tags": ["sallyport", dataset],
            "entrypoint_type": EntrypointType.MODULE_PATH,
            "work_pool_name": work_pool,
            "job_variables": variables,
        }
        schedule = [Cron(spec.schedule.cron, timezone=spec.schedule.timezone)] if spec.schedule else []
        for flow, about in _FLOWS:
            timing = {"schedules": schedule, "concurrency_limit": queue} if flow is release_dataset else {}
            deployment: Any = flow.to_deployment(dataset, description=about, **timing, **shared)
            fields = deployment._parameter_openapi_schema.properties
            fields["dataset"]["enum"] = [dataset]  # a choice of one: the form shows it and lets nobody mistype it
            for name, parameter in signature(flow.fn).parameters.items():
                fields[name]["title"] = parameter.default.title  # Prefect puts the parameter's name there
            built.append(deployment)
    return built


def specs_variable(specs: dict[str, tuple[Path, Spec]]) -> str:
    """Return what the flows read to find a dataset's spec."""
    return json.dumps({dataset: str(path) for dataset, (path, _) in specs.items()})


def prepare_server(specs: dict[str, tuple[Path, Spec]], notify: str | None) -> None:
    """Create what the server keeps beside deployments: concurrency limits and automations. May be repeated."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for dataset in specs:
            client.upsert_global_concurrency_limit_by_name(limit_name(dataset), 1)
        block = _block_id(client, notify) if notify else None
    for name, automation in automations(sorted(specs), notify, block).items():
        _replace_automation(name, automation)


def automations(datasets: Sequence[str], notify: str | None, block: Any) -> dict[str, Any]:
    """Return the automations by name: runs whose process died are marked, and people are told of trouble and of what is held."""
    from prefect.automations import Automation
    from prefect.events.actions import CallWebhook, ChangeFlowRunState, SendNotification
    from prefect.events.schemas.automations import EventTrigger, Posture

    ended = {f"prefect.flow-run.{name}" for name in _ENDED}
    built = {}
    lost = EventTrigger(
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.heartbeat", *ended},
        match={"prefect.resource.id": ["prefect.flow-run.*"]},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=3 * _HEARTBEAT_SECONDS),
    )
    crash = ChangeFlowRunState(state="CRASHED", message="Its process ended without a word; the next run goes on from there.")
    built["Sallyport: mark runs whose process died"] = Automation(
        name="Sallyport: mark runs whose process died", trigger=lost, actions=[crash]
    )
    if notify is None:
        return built
    for dataset in datasets:
        for what, names in (("failed", _TROUBLE), ("is held", ("Held",))):
            trigger = EventTrigger(
                expect={f"prefect.flow-run.{name}" for name in names},
                match_related={"prefect.resource.role": "deployment", "prefect.resource.name": dataset},
                for_each={"prefect.resource.id"},
                posture=Posture.Reactive,
                threshold=1,
                within=timedelta(0),
            )
            # PRIVACY: names and states only; the state's message is ours and value-free, and stays in the UI all the same.
            text = "{{ flow_run.name }}: {{ flow_run.state.name }}. See the Prefect UI."
            action: Any = (
                CallWebhook(block_document_id=block, payload=json.dumps({"text": text}))
                if notify.startswith("webhook/")
                else SendNotification(block_document_id=block, subject=f"Sallyport: {dataset} {what}", body=text)
            )
            name = f"Sallyport: tell when {dataset} {what}"
            built[name] = Automation(name=name, trigger=trigger, actions=[action])
    return built


def run_forever(specs: dict[str, tuple[Path, Spec]], *, limit: int) -> None:
    """Register the deployments and run what the server hands out, until the process is ended."""
    from prefect import serve

    os.environ[SPECS_VARIABLE] = specs_variable(specs)
    os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", str(_HEARTBEAT_SECONDS))
    serve(*deployments(specs), limit=limit, print_starting_message=False, pause_on_shutdown=False)


def register(specs: dict[str, tuple[Path, Spec]], work_pool: str) -> None:
    """Register the deployments for the workers of a work pool, and return."""
    for deployment in deployments(specs, work_pool=work_pool):
        deployment.apply(work_pool_name=work_pool)


def _block_id(client: Any, notify: str) -> Any:
    """Return the id of the notification block that `type/name` names."""
    from prefect.exceptions import ObjectNotFound

    kind, _, name = notify.partition("/")
    try:
        return client.read_block_document_by_name(name, kind).id
    except ObjectNotFound:
        raise ReleaseError(
            "--notify", "there is no such block", "make it in the Prefect UI under Blocks: webhook/…, slack-webhook/…"
        ) from None


def _replace_automation(name: str, automation: Any) -> None:
    from prefect.automations import Automation

    with suppress(ValueError):  # there is none of this name yet
        existing: Any = Automation.read(name=name)
        existing.delete()
    automation.create()
