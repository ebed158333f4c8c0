"""A Prefect server of our own on this machine, for when nobody runs one: on loopback, with a password, its data private.

Deployments do not belong here.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.errors import ReleaseError

PASSWORD_FILE = "ui-login"  # noqa: S105 - a file's name
LEASES_ON_DISK = "prefect.server.concurrency.lease_storage.filesystem"
"""Who holds a dataset outlives a restart of the server; in memory, Prefect's default, such a place would stay taken for ever."""


@contextmanager
def local_server(home: Path, port: int, seconds: float = 180) -> Iterator[str]:
    """Run `prefect server start` while the block runs, and yield the UI's address.

    The login (user:password) is made once, in `home`, readable by its owner only; this process and its children use it.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    login = _login(home / PASSWORD_FILE)
    address = f"http://127.0.0.1:{port}"
    os.environ.update(
        {
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": f"{address}/api",
            "PREFECT_API_AUTH_STRING": login,
            "PREFECT_SERVER_API_AUTH_STRING": login,
            "PREFECT_UI_API_URL": f"{address}/api",
            "PREFECT_SERVER_DATABASE_TIMEOUT": "60",  # SQLite: a writer waits for another instead of failing
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES_ON_DISK,
        }
    )
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        if not answers(f"{address}/api", process, seconds):
            log_file = home / "server.log"
            if process.poll() is not None:
                raise ReleaseError("serve", "the Prefect server ended", f"see {log_file}; is the port taken? choose one with --port")
            raise ReleaseError("serve", f"the Prefect server did not answer within {seconds:.0f} s", f"see {log_file}")
        yield address
    finally:
        end(process, 30)


def _login(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        login = f"sallyport:{secrets.token_urlsafe(18)}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(login + "\n")
        return login


def answers(api: str, process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Return True once the server behind an API address answers; False when its process ended, or the seconds have passed."""
    import httpx

    deadline = time.monotonic() + seconds
    while process.poll() is None and (left := deadline - time.monotonic()) > 0:
        try:
            if httpx.get(f"{api}/health", timeout=left, trust_env=False).status_code in (200, 401):
                return True
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    return False


def end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """End a server; kill it when it takes longer than some seconds."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
