"""One study as one job of one worker: pull, clean, put in quarantine, write the receipt.

What happens to the objects is `tasks.process`; which studies are asked for is the flow's business.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tasks import pixels, private
from tasks.archive import open_archive
from tasks.canaries import is_canary, make_canary, spoil_canary
from tasks.consistency.evidence import StudyEvidence
from tasks.errors import ReleaseError
from tasks.model import Finding, InstanceOutcome, Reason, Receipt, Status, StudyRef
from tasks.process import CleanObject, Rules, clean_study, count_outcomes, failed_receipt, failure_of, gravest
from tasks.publish.store import Store, open_store
from tasks.scan import SourceIdentity
from tasks.scan.strangers import identity_rows
from tasks.spec import Archive as ArchiveSpec

_WATCHDOG_EXIT = 75  # EX_TEMPFAIL: the nanny restarts the worker
_EVIDENCE = "evidence/2"  # what is noted beside the objects: with another form, studies are processed again


@dataclass(frozen=True, slots=True)
class Job:
    """Everything a worker needs beside the study itself. Its repr tells nothing identified."""

    run_id: str
    rules: Rules
    archive: ArchiveSpec = field(repr=False)
    private_url: str
    index_folder: str
    scratch_root: str
    timeout_seconds: int = 3600


def software_version() -> str:
    """Return the installed version of Sallyport, as recorded in receipts and releases."""
    try:
        return version("sallyport")
    except PackageNotFoundError:  # run from a checkout without installing
        return "0+checkout"


def rules_id(rules: Rules) -> str:
    """Return the digest of what decides released bytes beside the study itself."""
    return private.work_id("", rules.policy.sha256, software_version(), rules.secret.key_id, rules.dataset)


def work_id(ref: StudyRef, rules: Rules) -> str:
    """Return the digest of the work that this study needs under these rules."""
    cap = ref.patient_last_study_date  # decides whether earlier ages are capped
    aliases = rules.secret.digest("aliases", *(part for pair in sorted(rules.aliases.items()) for side in pair for part in side)).hex()
    more = (_EVIDENCE, rules.dataset, rules.secret.digest("timeline", cap).hex(), aliases)
    return private.work_id(ref.fingerprint, rules.policy.sha256, software_version(), rules.secret.key_id, *more)


def start_worker() -> None:
    """Check the engines of this process once, before any study is touched. Raises ReleaseError."""
    pixels.start_engine()


def process_study(ref: StudyRef, job: Job) -> Receipt:
    """Take one study from the archive to quarantine and return its receipt; never raises for the study's sake."""
    work = work_id(ref, job.rules)
    store = open_store(job.private_url)
    earlier = private.get_receipt(store, ref.study_key)
    if earlier and earlier.work_id == work and earlier.status is not Status.FAILED:
        return earlier
    if earlier and earlier.detail == _timeout_mark(job):
        return earlier  # the watchdog ended this very study in this run: once is enough
    started = time.monotonic()
    try:
        with _scratch(job.scratch_root) as folder, _watchdog(ref, work, job, store):
            receipt = _process(ref, work, job, store, folder)
    except (OSError, MemoryError, ReleaseError) as error:
        receipt = failed_receipt(ref, work, failure_of(error), type(error).__name__)
    except Exception as error:
        receipt = failed_receipt(ref, work, Reason.INTERNAL_ERROR, type(error).__name__)
    receipt = replace(receipt, seconds=round(time.monotonic() - started, 3), rules_id=rules_id(job.rules))
    try:
        private.put_receipt(store, receipt)
    except OSError as error:
        receipt = failed_receipt(ref, work, failure_of(error), type(error).__name__)
    return receipt


def _process(ref: StudyRef, work: str, job: Job, store: Store, folder: Path) -> Receipt:
    source = folder / "source"
    source.mkdir()
    canary = is_canary(ref)
    try:
        archive = open_archive(job.archive, job.rules.secret, Path(job.index_folder))
        files = make_canary(ref, job.rules.secret, source) if canary else archive.pull_study(ref, source)
    except ReleaseError as error:
        return failed_receipt(ref, work, Reason.PULL_FAILED, type(error).__name__)
    evidence = StudyEvidence(ref.study_key, files, job.rules.secret)
    identities: list[SourceIdentity] = []
    outcomes: list[InstanceOutcome] = []
    rows: list[Mapping[str, Any]] = []
    findings: list[Finding] = []
    released_bytes = 0
    details: set[str] = set()
    spoil = spoil_canary(ref, job.rules.secret) if canary else None
    for done in clean_study(files, job.rules, folder, ref.patient_last_study_date, learn=identities.append, spoil=spoil):
        outcome = done.outcome
        if _is_uncalled_for(outcome, ref):
            outcomes.append(replace(outcome, status=Reason.OUTSIDE_COHORT.status, reason=Reason.OUTSIDE_COHORT))
            if done.path is not None:
                done.path.unlink()
            continue
        if outcome.source_series_instance_uid in ref.withdrawn_series:
            # PRIVACY: the rest of the study is taken again, a withdrawn series is not kept again: tests/flows/test_withdrawn.py.
            outcomes.append(replace(outcome, status=Reason.WITHDRAWN.status, reason=Reason.WITHDRAWN))
            if done.path is not None:
                done.path.unlink()
            continue
        details.update({done.detail} - {""})
        findings.extend(done.findings)
        row = done.described(ref.study_key)
        if done.path is not None and row is None:  # what cannot be read back is not proven
            outcome = replace(outcome, status=Reason.INVALID_OBJECT.status, reason=Reason.INVALID_OBJECT)
        elif done.path is not None and row is not None:
            row["quarantine_key"] = private.object_key(row["sha256"])
            if store.size(row["quarantine_key"]) != row["size_bytes"]:
                store.put(row["quarantine_key"], done.path)
            rows.append(row)
            evidence.add(done.path, row, _rewritten_from(done))
            if outcome.status is Status.RELEASED:
                released_bytes += row["size_bytes"]
        if done.path is not None:
            done.path.unlink()
        outcomes.append(outcome)
    if len(outcomes) < max(ref.instance_count, len(files)):
        missing = max(ref.instance_count, len(files)) - len(outcomes)
        outcomes.extend(InstanceOutcome("", Reason.PULL_FAILED.status, Reason.PULL_FAILED) for _ in range(missing))
    people = [identity_rows(identity, (o.patient_id for o in outcomes if o.patient_id)) for identity in identities]
    if people:
        private.put_table(store, private.identities_key(ref.study_key), people[0])
    private.put_table(store, private.evidence_key(ref.study_key), evidence.table())
    private.put_study(store, ref.study_key, rows, findings, outcomes)
    status, reason = gravest(outcomes)
    return Receipt(
        ref.study_key,
        ref.fingerprint,
        work,
        status,
        reason,
        len(outcomes),
        count_outcomes(outcomes),
        released_bytes,
        len(findings),
        detail=",".join(sorted(details)),
        tables_sha256=private.tables_sha256(store, ref.study_key),
    )


def _is_uncalled_for(outcome: InstanceOutcome, ref: StudyRef) -> bool:
    """Say whether an object belongs to another study than was asked for (I7): an archive sent more, or the wrong thing."""
    asked, came = (uid.strip(" \0") for uid in (ref.source_study_uid, outcome.source_study_instance_uid))
    return bool(asked and came) and asked != came


def _rewritten_from(done: CleanObject) -> Path | None:
    """Return the source of an object whose pixels were rewritten: a copy of it may have been rewritten otherwise."""
    rewritten = (done.pixels is not None and done.pixels.blanked_regions > 0) or (done.face is not None and bool(done.face.method))
    return done.face.instance.source.path if rewritten and done.face is not None else None


@contextmanager
def _scratch(root: str) -> Iterator[Path]:
    """A directory for identified bytes that dies with the task."""
    Path(root).mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix="study-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _watchdog(ref: StudyRef, work: str, job: Job, store: Store) -> Iterator[None]:
    """End this process when the study takes too long: nothing else stops a decoder that never returns."""

    def end() -> None:
        private.put_receipt(store, failed_receipt(ref, work, Reason.TIMED_OUT, _timeout_mark(job)))
        os._exit(_WATCHDOG_EXIT)

    timer = threading.Timer(job.timeout_seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _timeout_mark(job: Job) -> str:
    return f"timed out in run {job.run_id}"
