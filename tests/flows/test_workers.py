"""Every study gets exactly one receipt, whatever happens to the workers."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import distributed  # noqa: F401  its settings
import pytest
from dask.utils import parse_timedelta
from distributed import scheduler

from flows import workers
from flows.alone import process_alone
from flows.bundles import bundles
from tasks.errors import ReleaseError
from tasks.model import Reason, Receipt, Status, StudyRef
from tasks.policy import load_policy
from tasks.process import Rules
from tasks.secret import Secret
from tasks.spec import FolderArchive, Workers
from tasks.study_job import Job
from tests.flows import killers

REFS = [StudyRef(f"{n:032x}", f"f{n}", 1 + n % 5, f"1.2.840.99999.{n}") for n in range(1, 201)]  # enough for bundles of three


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with workers.connect(Workers(n=2, memory_limit="1GiB"), tmp_path_factory.mktemp("dask")) as connected:
        yield connected


@pytest.fixture
def job(tmp_path: Path, secret: Secret) -> Job:
    rules = Rules("test", load_policy(), secret)
    return Job(tmp_path.name, rules, FolderArchive(path="/none"), tmp_path.as_uri(), str(tmp_path), str(tmp_path))


def process(client: Any, job: Job, monkeypatch: pytest.MonkeyPatch, stand_in: Any) -> list[Receipt]:
    monkeypatch.setattr(workers, "process_study", stand_in)
    seen: list[Receipt] = []
    receipts = workers.process_studies(client, REFS, job, seen.append)
    assert [r.study_key for r in receipts] == [r.study_key for r in REFS]
    assert Counter(r.study_key for r in seen) == Counter(r.study_key for r in REFS)
    return receipts


def test_workers_of_a_scheduler_of_ours_report_seldom() -> None:
    usual = scheduler.heartbeat_interval
    with workers._slow_heartbeats():
        assert scheduler.heartbeat_interval(1) == workers._HEARTBEAT_SECONDS
    assert scheduler.heartbeat_interval is usual
    # one that the scheduler has not heard of for so long is given up
    assert parse_timedelta(dask.config.get("distributed.scheduler.worker-ttl")) > workers._HEARTBEAT_SECONDS * 10


def test_small_studies_share_a_future_and_large_ones_do_not() -> None:
    few = [replace(ref, instance_count=n) for ref, n in zip(REFS, (1, 300, 1, 1, 47, 47, 1), strict=False)]
    assert [len(bundle) for bundle in bundles(few)] == [1] * 7  # a future for each worker comes first
    many = [*few, *REFS[7:]]
    assert [ref for bundle in bundles(many) for ref in bundle] == many
    assert [len(bundle) for bundle in bundles(many)][:5] == [1, 1, 2, 1, 2]
    assert list(bundles([])) == []


@pytest.mark.slow
def test_a_study_that_kills_its_worker_is_quarantined_and_blames_nobody_else(
    client: Any, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipts = process(client, job, monkeypatch, killers.dies_of_the_seventh)
    guilty = {r.study_key for r in receipts if r.reason is Reason.SUSPECTED_WORKER_KILLER}
    assert guilty == {f"{7:032x}"}
    assert {r.status for r in receipts if r.study_key not in guilty} == {Status.RELEASED}


@pytest.mark.slow
def test_a_worker_that_died_by_chance_costs_nothing(client: Any, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {r.status for r in process(client, job, monkeypatch, killers.dies_once)} == {Status.RELEASED}


def test_an_exception_becomes_a_failed_receipt_without_its_message(client: Any, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    receipts = process(client, job, monkeypatch, killers.raises_with_a_value)
    assert {(r.status, r.reason, r.detail) for r in receipts} == {(Status.FAILED, Reason.INTERNAL_ERROR, "RuntimeError")}
    assert not any("1.2.840.99999" in repr(r) for r in receipts)


def test_no_answer_is_a_failure(client: Any, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    receipts = process(client, job, monkeypatch, killers.answers_nothing)
    assert {r.status for r in receipts} == {Status.FAILED}


def test_a_suspect_that_needs_more_memory_than_a_worker_has_is_told_apart(job: Job) -> None:
    assert process_alone(killers.needs_too_much_memory, REFS[0], job, 2 << 30) is None
    assert process_alone(killers.dies_of_the_seventh, REFS[0], job, 2 << 30) is not None


def test_a_slow_disk_is_no_news_to_whoever_reads_the_log(client: Any, tmp_path: Path) -> None:
    assert set(map(tuple, client.run(killers.warnings_of_a_slow_disk).values())) == {("something else",)}
    with warnings.catch_warnings():  # Dask's nannies live in our own process
        warnings.simplefilter("always")
        with pytest.raises(ReleaseError), workers.connect(Workers(scheduler="tls://127.0.0.1:9"), tmp_path):
            pass
        assert killers.warnings_of_a_slow_disk() == ["something else"]
