"""Nights in a row on a real server with PostgreSQL, an archive that grows, and a database that is restarted: nothing lost or doubled."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tasks.sample import PATIENTS, make_archive
from tests.archive.servers import postgres_server
from tests.flows.prefect_server import Served, served

pytestmark = [
    pytest.mark.servers,
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("SALLYPORT_LONG_TESTS"), reason="several minutes: set SALLYPORT_LONG_TESTS=1"),
]


def _next_night(server: Served, after: set[str], seconds: float = 500) -> Any:
    """Wait for a scheduled run that is not one of `after` to come to its end, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        runs = server.call("POST", "/flow_runs/filter", flow_runs={"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}})
        new = [run for run in runs if run["id"] not in after]
        if new:
            return min(new, key=lambda run: run["end_time"])
        time.sleep(2)
    raise AssertionError("no run came to its end")


@pytest.mark.timeout(1500)
def test_three_nights_in_a_row_with_an_archive_that_grows(tmp_path: Path) -> None:
    key = tmp_path / "secret.key"
    key.write_text(bytes(range(32)).hex())
    key.chmod(0o600)
    archive = tmp_path / "archive"
    make_archive(archive / "night0", PATIENTS[:1])
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        f"dataset: nights\narchive: {{kind: folder, path: {archive}}}\nprivate: {(tmp_path / 'private').as_uri()}\n"
        f"public: {(tmp_path / 'public').as_uri()}\nsecret: {{file: {key}}}\ngates: {{k: 1}}\nworkers: {{n: 1}}\n"
        'schedule: {cron: "* * * * *", timezone: Europe/Berlin}\n'
    )
    with postgres_server(tmp_path) as database:
        url = database.url.replace("postgresql://", "postgresql+asyncpg://")
        with served(tmp_path / "home", spec, PREFECT_SERVER_DATABASE_CONNECTION_URL=url) as server:
            seen: set[str] = set()
            patients: list[int] = []
            for night in range(3):
                if night:
                    make_archive(archive / f"night{night}", PATIENTS[night : night + 1])
                    # A run may have begun before the new files were there; the one after it must see them.
                    seen |= {run["id"] for run in server.call("POST", "/flow_runs/filter") if run["state_type"] != "SCHEDULED"}
                if night == 1:
                    database.restart()
                run = _next_night(server, seen)
                assert run["auto_scheduled"] is True
                assert run["state_name"] == "Completed", run["state"]["message"]
                seen.add(run["id"])
                patients.append(_released_patients(tmp_path / "public"))
            assert patients == [1, 2, 3]
            running = [r for r in server.call("POST", "/flow_runs/filter") if r["state_type"] == "RUNNING"]
            assert len(running) <= 1
    verify(open_store((tmp_path / "public").as_uri()), full=True).raise_if_failed()


def _released_patients(public: Path) -> int:
    newest = max((public / "releases").iterdir(), key=lambda p: int(p.name.rsplit(".", 1)[1]))
    table = pq.read_table(newest / "manifests" / "patient.parquet")
    assert len(set(table["patient_id"].to_pylist())) == table.num_rows
    return int(table.num_rows)


def test_a_server_that_is_killed_in_the_middle_leaves_a_release_that_the_next_run_completes(tmp_path: Path, small_archive: Path) -> None:
    key = tmp_path / "secret.key"
    key.write_text(bytes(range(32)).hex())
    key.chmod(0o600)
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        f"dataset: killed\narchive: {{kind: folder, path: {small_archive}}}\nprivate: {(tmp_path / 'private').as_uri()}\n"
        f"public: {(tmp_path / 'public').as_uri()}\nsecret: {{file: {key}}}\ngates: {{k: 1}}\nworkers: {{n: 1}}\n"
    )
    with served(tmp_path / "home", spec) as server:
        run = server.start("release/killed")
        server.wait(run, "Running")
        time.sleep(5)
        os.killpg(server.process.pid, signal.SIGKILL)  # server, runner and the run, all at once
        server.process.wait(30)
    with served(tmp_path / "home", spec) as server:
        done = server.wait(server.start("release/killed"), "Completed", seconds=500)
        assert "release " in done["state"]["message"]
    verify(open_store((tmp_path / "public").as_uri()), full=True).raise_if_failed()
