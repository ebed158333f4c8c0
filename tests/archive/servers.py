"""Start the real archives that Debian ships, for the time of a test."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

SCRIPTS = Path(__file__).resolve().parents[2] / "infra" / "test-servers"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(command: list[str], port: int, program: str, seconds: float = 60) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; skip the test when the program is not installed."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (infra/system-packages.txt)")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port, process, seconds)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server did not come up")


class Orthanc:
    """A running Orthanc."""

    user, password = "puller", "test-only"

    def __init__(self, http: int, dicom: int, move: int) -> None:
        self.http, self.dicom, self.move = http, dicom, move
        self.url = f"http://127.0.0.1:{http}/dicom-web"

    def _session(self):
        import requests

        session = requests.Session()
        session.trust_env = False
        session.auth = (self.user, self.password)
        return session

    def store(self, objects: Iterable[bytes]) -> None:
        with self._session() as session:
            for data in objects:
                session.post(f"http://127.0.0.1:{self.http}/instances", data=data).raise_for_status()

    def delete_study(self, study_uid: str) -> None:
        with self._session() as session:
            root = f"http://127.0.0.1:{self.http}"
            (found,) = session.post(f"{root}/tools/lookup", data=study_uid).json()
            session.delete(f"{root}{found['Path']}").raise_for_status()


@contextmanager
def orthanc(folder: Path) -> Iterator[Orthanc]:
    running = Orthanc(free_port(), free_port(), free_port())
    command = [str(SCRIPTS / "orthanc.sh"), str(folder), str(running.http), str(running.dicom), str(running.move)]
    with server(command, running.http, "Orthanc") as process:
        wait_for_port(running.dicom, process)
        yield running


@contextmanager
def dcmqrscp(folder: Path, objects: Iterable[Dataset]) -> Iterator[tuple[int, int]]:
    """Yield (port, port that it moves to)."""
    source = folder / "in"
    source.mkdir(parents=True)
    for number, ds in enumerate(objects):
        ds.save_as(source / f"{number}.dcm", enforce_file_format=True)
    port, move = free_port(), free_port()
    command = [str(SCRIPTS / "dcmqrscp.sh"), str(folder), str(port), str(move), *map(str, sorted(source.iterdir()))]
    with server(command, port, "dcmqrscp"):
        yield port, move


class Postgres:
    """A running PostgreSQL with an empty database."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/prefect"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(SCRIPTS / "postgres.sh"), str(self.folder), str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port, self._process)
        ready = [str(max(Path("/usr/lib/postgresql").glob("*/bin/pg_isready"))), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        for _ in range(300):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError("PostgreSQL does not accept connections")

    def stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)  # "fast": ends every session
        self._process.wait(30)

    def restart(self) -> None:
        self.stop()
        time.sleep(1)
        self.start()


@contextmanager
def postgres_server(folder: Path) -> Iterator[Postgres]:
    """Run PostgreSQL; skip the test where it is not installed."""
    if not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        pytest.skip("PostgreSQL is not installed (infra/system-packages.txt)")
    short = Path(tempfile.mkdtemp(prefix="pg-"))  # a socket's path must be short, and its folder the server's own
    short.chmod(0o755)
    running = Postgres(short)
    running.start()
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(short, ignore_errors=True)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Yield the URL of an empty database of a running PostgreSQL."""
    with postgres_server(folder) as running:
        yield running.url
