"""A folder de-identified by a few processes, without Prefect or Dask: the engine room of `sallyport deidentify`."""

from __future__ import annotations

import multiprocessing
import os
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.archive import open_archive
from tasks.errors import ReleaseError, UsageError
from tasks.model import Finding, InstanceOutcome, Reason, Status, StudyRef
from tasks.policy import Policy, load_policy
from tasks.private import crosswalk_table
from tasks.process import Rules, clean_study, failure_of
from tasks.schemas import CROSSWALK, FINDINGS
from tasks.secret import Secret, read_secret
from tasks.spec import Cohort, FolderArchive
from tasks.study_job import start_worker

Counts = list[tuple[str, str, int]]


@dataclass(frozen=True, slots=True)
class Batch:
    """What to de-identify, to where, by which policy and secret."""

    src: Path
    dest: Path
    policy: str
    secret_file: Path | None
    workers: int
    deface: bool = True


@dataclass(frozen=True, slots=True)
class _Work:
    rules: Rules
    src: FolderArchive = field(repr=False)
    index: Path = field(repr=False)
    scratch: Path
    dest: Path = field(repr=False)


def run_batch(batch: Batch, crosswalk: Path | None, findings: Path | None, observe: Callable[[str, int, int], None]) -> Counts:
    """De-identify every object under `batch.src` and return (status, reason, count) triples.

    Raises UsageError for a missing source or a destination that holds something else already.
    """
    if not batch.src.exists():
        raise UsageError("SRC", "no such file or folder", "check the path")
    if batch.dest.exists() and (not batch.dest.is_dir() or any(batch.dest.iterdir())):
        raise UsageError("DEST", "exists and is not an empty folder", "name a new folder")
    secret = read_secret(batch.secret_file) if batch.secret_file else Secret(secrets.token_bytes(32))
    policy = _policy(batch)
    _refuse_nested(batch, crosswalk)
    batch.dest.mkdir(parents=True, exist_ok=True)
    counts: Counter[tuple[str, str]] = Counter()
    # PRIVACY: identified bytes; the folder is the caller's only (mode 700) and dies with the command.
    with (
        tempfile.TemporaryDirectory(prefix="sallyport-") as folder,
        _table(crosswalk, CROSSWALK) as rows,
        _table(findings, FINDINGS) as found,
    ):
        index = Path(folder, "index")
        index.mkdir()
        work = _Work(Rules("deidentify", policy, secret), FolderArchive(path=str(batch.src)), index, Path(folder), batch.dest)
        refs = []
        for ref in open_archive(work.src, secret, index).find_studies(Cohort()):
            refs.append(ref)
            observe("find", len(refs), len(refs))
        for done, (outcomes, hits) in enumerate(_outcomes(refs, work, batch.workers), 1):
            rows(crosswalk_table(outcomes))
            found(pa.Table.from_pylist([_finding_row(f) for f in hits], schema=FINDINGS))
            counts.update((o.status.value, o.reason.value if o.reason else "") for o in outcomes)
            observe("process", done, len(refs))
    return [(status, reason, n) for (status, reason), n in sorted(counts.items())]


def _refuse_nested(batch: Batch, crosswalk: Path | None) -> None:
    """Refuse places that would mix what is identified with what is released."""
    src, dest = batch.src.resolve(), batch.dest.resolve()
    if src.is_dir() and dest.is_relative_to(src):
        raise UsageError("DEST", "lies inside SRC: the next run would read it as a source", "name a folder elsewhere")
    # PRIVACY: whoever copies DEST onwards would copy every identity with it (test_a_crosswalk_is_not_written_beside_what_is_released).
    if crosswalk is not None and crosswalk.resolve().is_relative_to(dest):
        raise UsageError("--crosswalk", "lies inside DEST: it holds identities", "name a file on the private side")


def _outcomes(refs: Sequence[StudyRef], work: _Work, workers: int) -> Iterator[tuple[list[InstanceOutcome], list[Finding]]]:
    if workers == 1:
        start_worker()
        for ref in refs:
            yield _one_study(ref, work)
        return
    waiting = list(refs)
    while waiting:
        suspects: list[StudyRef] = []
        with _pool(workers) as pool:
            futures: dict[Future[tuple[list[InstanceOutcome], list[Finding]]], StudyRef] = {
                pool.submit(_one_study, ref, work): ref for ref in waiting
            }
            for future in as_completed(futures):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    suspects.append(futures[future])
        if len(suspects) == len(waiting) and workers == 1:
            yield _unaccounted(suspects.pop(0), work, (), Reason.SUSPECTED_WORKER_KILLER), []
        waiting, workers = suspects, 1


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=start_worker)


def _one_study(ref: StudyRef, work: _Work) -> tuple[list[InstanceOutcome], list[Finding]]:
    outcomes: list[InstanceOutcome] = []
    hits: list[Finding] = []
    scratch = Path(tempfile.mkdtemp(prefix="study-", dir=work.scratch))
    try:
        source = scratch / "source"
        source.mkdir()
        try:
            files = open_archive(work.src, work.rules.secret, work.index).pull_study(ref, source)
        except ReleaseError:  # the file cannot be read, or is another by now
            return _unaccounted(ref, work, (), Reason.PULL_FAILED), []
        for done in clean_study(files, work.rules, scratch, ref.patient_last_study_date):
            outcome = done.outcome
            if done.path is not None and outcome.status is Status.RELEASED:
                outcome = replace(outcome, object_path=_deliver(done.path, outcome, work.dest))
            outcomes.append(outcome)
            hits.extend(done.findings)
    except (OSError, MemoryError, ReleaseError) as error:
        outcomes.extend(_unaccounted(ref, work, outcomes, failure_of(error)))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return outcomes, hits


def _deliver(path: Path, outcome: InstanceOutcome, dest: Path) -> str:
    """Move a released object to its place and return the place relative to `dest`."""
    names = (outcome.patient_id, outcome.study_instance_uid, outcome.series_instance_uid, f"{outcome.sop_instance_uid}.dcm")
    target = dest.joinpath(*names)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, target)
    os.utime(target, (0, 0))  # PRIVACY: no clock of this machine in the released tree
    return "/".join(names)


def _unaccounted(ref: StudyRef, work: _Work, done: Sequence[InstanceOutcome], reason: Reason) -> list[InstanceOutcome]:
    """Return an outcome for each file of a study that has none yet, by the archive's own names of them."""
    from tasks.archive.folder import FolderArchive as FolderOfStudies

    archive = FolderOfStudies(Path(work.src.path), work.rules.secret, work.index)
    left = Counter(archive.source_paths(ref)) - Counter(outcome.source_path for outcome in done)
    names = list(left.elements())[: ref.instance_count - len(done)]
    names += [""] * (ref.instance_count - len(done) - len(names))
    return [InstanceOutcome(name, reason.status, reason) for name in names]


def _policy(batch: Batch) -> Policy:
    policy = load_policy(batch.policy)
    if batch.deface:
        return policy
    return policy.model_copy(update={"faces": policy.faces.model_copy(update={"action": "quarantine"})})


def _finding_row(finding: Finding) -> dict[str, object]:
    return {name: getattr(finding, name) for name in FINDINGS.names}


@contextmanager
def _table(path: Path | None, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Write tables to a Parquet file as they come; without a path, nowhere."""
    if path is None:
        yield lambda _table: None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        yield writer.write_table
    path.chmod(0o600)
