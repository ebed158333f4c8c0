"""A real Prefect server and `sallyport serve`, in processes of their own, for the time of a test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from flows.local_server import LEASES_ON_DISK
from tests.archive.servers import free_port
from tests.flows.sallyport import environment


class Served:
    """A running `sallyport serve` and the server behind it."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], home: Path, login: str) -> None:
        self.url, self.process, self.home, self.login = url, process, home, login
        user, _, password = login.partition(":")
        self._client = httpx.Client(base_url=f"{url}/api", auth=(user, password), timeout=60, trust_env=False)

    def call(self, method: str, path: str, **json: Any) -> Any:
        for wait in (1, 2, 4, 8, 0):  # as Prefect's own client does: 503 is a busy SQLite
            answer = self._client.request(method, path, json=json or None)
            if answer.status_code != 503:
                break
            time.sleep(wait)
        if answer.is_client_error:
            raise httpx.HTTPStatusError(answer.text[:500], request=answer.request, response=answer)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def deployment(self, name: str) -> Any:
        return self.call("GET", f"/deployments/name/{name}")

    def start(self, name: str, **parameters: Any) -> str:
        run = self.call("POST", f"/deployments/{self.deployment(name)['id']}/create_flow_run", parameters=parameters)
        return str(run["id"])

    def run(self, run_id: str) -> Any:
        return self.call("GET", f"/flow_runs/{run_id}")

    def wait(self, run_id: str, *names: str, seconds: float = 240) -> Any:
        """Return the run once its state has one of the names (or is final)."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            run = self.run(run_id)
            final = run["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
            if run["state_name"] in names or (final and not names):
                return run
            assert not final, f"ended as {run['state_name']}: {run['state'].get('message')}"
            assert self.process.poll() is None, "sallyport serve ended"
            time.sleep(1)
        raise AssertionError(f"still {self.run(run_id)['state_name']}")


@contextmanager
def served(home: Path, *specs: Path, options: tuple[str, ...] = (), shared: SharedServer | None = None, **env: str) -> Iterator[Served]:
    """Run `sallyport serve SPECS` with a server of its own, or on one that is shared."""
    port = shared.port if shared else free_port()
    env = {**env, **(shared.settings if shared else {})}
    command = [sys.executable, "-m", "flows", "serve", *map(str, specs), "--port", str(port), *options]
    home.mkdir(parents=True, exist_ok=True)
    with (home / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            command, env=environment(PREFECT_HOME=str(home / "prefect"), **env), stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield _ready(f"http://127.0.0.1:{port}", process, home, len(specs), shared.login if shared else None)
    finally:
        with_group(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with_group(process, signal.SIGKILL)


class SharedServer:
    """A Prefect server of its own, as a hospital shares one: it can die and come back while `sallyport serve` goes on."""

    login = "sallyport:test-only"

    def __init__(self, home: Path, database: str) -> None:
        self.home, self.port = home, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = {"PREFECT_API_URL": f"{self.url}/api", "PREFECT_API_AUTH_STRING": self.login}
        self._database = database
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on its port, and wait until it answers."""
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        settings = environment(
            PREFECT_HOME=str(self.home),
            PREFECT_SERVER_API_AUTH_STRING=self.login,
            PREFECT_SERVER_ANALYTICS_ENABLED="false",
            PREFECT_SERVER_DATABASE_CONNECTION_URL=self._database,
            PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE=LEASES_ON_DISK,
        )
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, env=settings, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            assert self._process.poll() is None, (self.home / "server.log").read_text()
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/api/health", timeout=5, trust_env=False).status_code in (200, 401):
                    return
            time.sleep(0.3)
        raise AssertionError((self.home / "server.log").read_text())

    def kill(self) -> None:
        """End it without a warning."""
        assert self._process is not None
        with_group(self._process, signal.SIGKILL)
        self._process.wait(30)


@contextmanager
def shared_server(home: Path, database: str) -> Iterator[SharedServer]:
    """Run a Prefect server of its own until the block ends."""
    server = SharedServer(home, database)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def with_group(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _ready(url: str, process: subprocess.Popen[bytes], home: Path, count: int, login: str | None) -> Served:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert process.poll() is None, (home / "serve.log").read_text()
        kept = home / "prefect" / "ui-login"
        if login or kept.exists():
            ready = Served(url, process, home, login or kept.read_text().strip())
            try:
                if len(ready.call("POST", "/deployments/filter")) >= 4 * count:
                    return ready
            except httpx.HTTPError:
                pass
        time.sleep(0.5)
    raise AssertionError((home / "serve.log").read_text())
