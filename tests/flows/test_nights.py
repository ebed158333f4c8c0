"""Nights in a row on a real Prefect server with PostgreSQL, while everything around the run dies in turn: nothing lost or doubled."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psutil
import pyarrow.parquet as pq
import pytest

from tasks import private
from tasks.model import Status
from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tests.archive.made import to_bytes
from tests.archive.servers import Orthanc, Postgres, orthanc, postgres_server
from tests.archive.small_studies import INSTANCES, small_files, small_study, study_uid
from tests.flows.prefect_server import Served, SharedServer, served, shared_server

pytestmark = pytest.mark.servers


@dataclass
class Hospital:
    """An archive that grows, a Prefect server on PostgreSQL, and `sallyport serve` with a schedule of one run a minute."""

    folder: Path
    archive: Orthanc
    database: Postgres
    prefect: SharedServer
    server: Served
    expected: dict[str, int] = field(default_factory=dict)
    """Study -> the instances that the archive has."""

    def receive(self, numbers: range) -> None:
        """Put new studies into the archive."""
        self.archive.store(small_files(numbers))
        self.expected |= dict.fromkeys(map(study_uid, numbers), INSTANCES)

    def receive_late(self, number: int) -> None:
        """Put one more instance into a study that is there already."""
        self.archive.store([to_bytes(small_study(number, INSTANCES + 1)[-1])])
        self.expected[study_uid(number)] = INSTANCES + 1

    def runs(self) -> list[Any]:
        return list(self.server.call("POST", "/flow_runs/filter", limit=200))

    def in_the_middle(self, seconds: float = 900) -> str:
        """Wait until a scheduled run has processed some of its studies and not all, and return its id."""
        receipts = self.folder / "private" / "vault" / "receipts"
        before = _count(receipts)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            running = [run["id"] for run in self.runs() if run["state_type"] == "RUNNING"]
            if running and _count(receipts) >= before + 2:
                return str(running[0])
            time.sleep(0.3)
        raise AssertionError("no run came to its middle")

    def morning(self, seconds: float = 1200) -> Any:
        """Wait for a scheduled run that begins from now on to complete, and return it."""
        since = time.time()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.server.process.poll() is None, "sallyport serve ended"
            try:
                done = [r for r in self.runs() if r["state_name"] == "Completed" and r["auto_scheduled"] and _began(r) >= since]
            except httpx.HTTPError:  # the server or its database is just away
                done = []
            if done:
                return min(done, key=_began)
            time.sleep(1)
        raise AssertionError(
            "\n".join(f"{r['state_name']}: {r['state'].get('message')}" for r in self.runs() if r["state_name"] != "Scheduled")
        )

    def reconcile(self) -> None:
        """Compare archive, receipts and release, to the instance."""
        store = open_store((self.folder / "private").as_uri())
        receipts = private.get_receipts_index(store).values()
        assert {r.status for r in receipts} == {Status.RELEASED}
        assert sorted(r.instance_count for r in receipts) == sorted(self.expected.values())
        public = self.folder / "public"
        newest = max((public / "releases").iterdir(), key=lambda p: int(p.name.rsplit(".", 1)[1]))
        released = pq.read_table(newest / "manifests" / "instance.parquet")["SOPInstanceUID"].to_pylist()
        assert len(released) == len(set(released)) == sum(self.expected.values())
        assert pq.read_table(newest / "manifests" / "study.parquet").num_rows == len(self.expected)
        verify(open_store(public.as_uri()), full=True).raise_if_failed()


def _count(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*.json"))


def _began(run: Any) -> float:
    return datetime.fromisoformat(run["start_time"]).timestamp() if run["start_time"] else 0.0


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    for name, content in (("secret.key", bytes(range(32)).hex()), ("password", Orthanc.password)):
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o600)
    with orthanc(tmp_path / "orthanc") as archive, postgres_server(tmp_path) as database:
        spec = tmp_path / "spec.yaml"
        auth = f"{{kind: basic, username: {archive.user}, password: {{file: password}}}}"
        limits = "{requests_per_minute: 150, backoff_seconds: 0.1}"  # slow enough to be in the middle of
        spec.write_text(
            f"dataset: nights\narchive: {{kind: dicomweb, url: '{archive.url}', auth: {auth}, limits: {limits}}}\n"
            f"private: {(tmp_path / 'private').as_uri()}\npublic: {(tmp_path / 'public').as_uri()}\n"
            "secret: {file: secret.key}\ngates: {k: 1}\nworkers: {n: 2}\n"
            'schedule: {cron: "* * * * *", timezone: Europe/Berlin}\n'
        )
        url = database.url.replace("postgresql://", "postgresql+asyncpg://")
        with shared_server(tmp_path / "prefect", url) as prefect, served(tmp_path / "home", spec, shared=prefect) as server:
            yield Hospital(tmp_path, archive, database, prefect, server)


def kill_a_worker(hospital: Hospital) -> None:
    family = psutil.Process(hospital.server.process.pid).children(recursive=True)
    forked = [p for p in family if "multiprocessing.forkserver" in " ".join(p.cmdline())]
    workers = [p for p in forked if p.ppid() in {parent.pid for parent in forked}]  # the one whom they were forked from stays
    assert workers
    workers[-1].send_signal(signal.SIGKILL)


def kill_the_run(hospital: Hospital) -> None:
    """End the process of the run itself: its workers must not go on alone."""
    runs = psutil.Process(hospital.server.process.pid).children()
    assert runs
    for process in runs:
        process.send_signal(signal.SIGKILL)


def restart_prefect(hospital: Hospital) -> None:
    hospital.prefect.kill()
    time.sleep(3)
    hospital.prefect.start()


def restart_postgres(hospital: Hospital) -> None:
    hospital.database.restart()


@pytest.mark.exhaustive
@pytest.mark.timeout(5400)  # waits for minutes to pass; on a busy machine for many
def test_three_nights_in_a_row_with_an_archive_that_grows(hospital: Hospital) -> None:
    _spend_nights(hospital, kill_a_worker, restart_prefect, restart_postgres)


@pytest.mark.exhaustive
@pytest.mark.timeout(5400)  # waits for minutes to pass; on a busy machine for many
def test_the_next_run_takes_up_what_a_killed_one_left(hospital: Hospital) -> None:
    _spend_nights(hospital, kill_the_run)  # the dataset is free again when the dead run's lease ends, after five minutes


def _spend_nights(hospital: Hospital, *accidents: Callable[[Hospital], None]) -> None:
    for night, accident in enumerate(accidents):
        hospital.receive(range(12 * night, 12 * night + 12))
        if night:
            hospital.receive_late(night)
        hospital.in_the_middle()
        accident(hospital)
        hospital.morning()
        hospital.reconcile()
    runs = [r for r in hospital.runs() if r["start_time"]]
    assert all(r["auto_scheduled"] for r in runs)
    _never_two_at_once(runs)


def _never_two_at_once(runs: list[Any]) -> None:
    spans = sorted((r["start_time"], r["end_time"]) for r in runs if r["end_time"])
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
