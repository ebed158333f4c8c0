"""The server that a run starts for itself: private to the run, and gone with it."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest

from flows import run_server
from flows.run_server import start_server
from tasks.spec import read_spec
from tests.flows.sallyport import environment

pytestmark = pytest.mark.slow

_RUN = """
import os, sys, time
from pathlib import Path
from flows.run_server import RunServer
server = RunServer(Path(sys.argv[1]))
server.wait()
print(os.environ["PREFECT_API_URL"], os.environ["PREFECT_API_AUTH_STRING"], flush=True)
sys.stdin.read()
"""


@contextmanager
def run(home: Path, **env: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """A process with a server of its own; yields it, the address and the login."""
    command = [sys.executable, "-c", _RUN, str(home)]
    with subprocess.Popen(command, env=environment(**env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url, login = process.stdout.readline().split()
        yield process, url, login


def _answers(url: str, login: str = "") -> int:
    user, _, password = login.partition(":")
    return httpx.post(f"{url}/flows/count", json={}, auth=(user, password), trust_env=False, timeout=30).status_code


@pytest.mark.parametrize("seconds", [0.05, 60])
def test_it_does_its_chores_at_the_start_and_leaves_none_running(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def worker(docket: str, *, ephemeral: bool) -> AsyncIterator[None]:
        seen.append(f"{docket} {ephemeral}")
        try:
            yield
        finally:
            seen.append("ended")

    async def serve() -> list[str]:
        async with run_server._chores_at_start(worker, "chores", ephemeral=True):
            await asyncio.sleep(0.3)
            return list(seen)

    monkeypatch.setattr(run_server, "_CHORES_SECONDS", seconds)
    assert asyncio.run(serve()) == (["chores True", "ended"] if seconds < 1 else ["chores True"])
    assert seen == ["chores True", "ended"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, None], ids=["terminated", "killed", "ended"])
def test_it_lets_in_only_its_run_and_ends_with_it(tmp_path: Path, how: signal.Signals | None) -> None:
    with run(tmp_path / "home") as (process, url, login):
        assert (_answers(url), _answers(url, login)) == (401, 200)
        if how is None:
            process.communicate("")
        else:
            process.send_signal(how)
        process.wait(30)
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"{url}/health", trust_env=False)
            except httpx.HTTPError:
                break
            assert time.monotonic() < deadline, "the server lives on"
            time.sleep(0.1)


@pytest.mark.parametrize("prepared", [True, False])
def test_a_new_database_starts_from_the_tables_of_the_installation_or_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared: bool
) -> None:
    tables = run_server._tables()
    assert tables.exists(), "the installation makes it: make .venv/.installed"
    monkeypatch.setattr(run_server, "_tables", lambda: tables if prepared else tmp_path / "none.db")
    database = tmp_path / "prefect.db"
    run_server._lay_tables(database)
    assert database.exists() is prepared
    if prepared:
        assert sqlite3.connect(database).execute("select count(*) from flow_run").fetchone() == (0,)
        assert database.stat().st_mode & 0o777 == 0o600
        database.write_bytes(b"in use")
        run_server._lay_tables(database)
        assert database.read_bytes() == b"in use"


def test_nobody_starts_one_where_the_user_has_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(f"dataset: x\narchive: {{kind: folder, path: .}}\nprivate: {tmp_path.as_uri()}/a\npublic: {tmp_path.as_uri()}/b\n")
    spec.write_text(spec.read_text() + "secret: {env: NONE}\n")
    for name in ("PREFECT_API_URL", "PREFECT_HOME"):
        with monkeypatch.context() as patched:
            patched.setenv(name, "http://chosen")
            assert start_server(read_spec(spec)) is None
