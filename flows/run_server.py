"""A Prefect server for the runs of one process: on loopback, with a login of its own, starting while we import, ending with us.

Prefect would start one too, but only after importing the whole server into the run's own process, and without a login.
`python -m flows.run_server FD PARENT` is the server's process; with `--tables`, it makes the tables that new databases start from.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from flows.importing import collector_at_rest
from flows.local_server import answers, end
from flows.machine import broken_machine
from flows.settings import startup_seconds
from tasks.errors import ReleaseError
from tasks.publish.store import open_store
from tasks.spec import Spec

_DATABASE = "prefect.db"
_FOR_ONE_RUN = {  # nobody watches it or writes blocks there
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "0",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "0",
}
_CHORES_SECONDS = 20


class RunServer:
    """A server that is starting, or has started."""

    def __init__(self, home: Path) -> None:
        """Start it, its database in `home` (private), and point this process's Prefect and its children at it."""
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        _lay_tables(home / _DATABASE)
        login = f"sallyport:{secrets.token_urlsafe(18)}"
        environment = {**os.environ, "PREFECT_HOME": str(home), "PREFECT_SERVER_API_AUTH_STRING": login, **_FOR_ONE_RUN}
        with socket.create_server(("127.0.0.1", 0)) as listening, (home / "server.log").open("wb") as log:
            # The port is ours from here on: nobody can take it, and who connects waits until the server answers.
            number = listening.fileno()
            command = [sys.executable, "-m", "flows.run_server", str(number), str(os.getpid())]
            self._process = subprocess.Popen(command, env=environment, pass_fds=[number], stdout=log, stderr=log)
            self._url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
        # At exit, not at the end of a run: Prefect sends its last words at exit, and exits run last come first.
        atexit.register(self.stop)
        os.environ.update({"PREFECT_HOME": str(home), "PREFECT_API_URL": self._url, "PREFECT_API_AUTH_STRING": login})

    def wait(self) -> None:
        """Return once it answers; ReleaseError when it ended or is not there in time."""
        if answers(self._url, self._process, startup_seconds()):
            return
        if self._process.poll() is None:
            what, remedy = "its server did not start in time", "run it again when the machine is less busy; nothing is lost"
        else:
            what, remedy = "its server ended", "see vault/prefect/server.log on the private side"
        raise ReleaseError("prefect", what, remedy)

    def stop(self) -> None:
        """End it."""
        end(self._process, 5)


def start_server(spec: Spec) -> RunServer | None:
    """Start a server for this process's runs; None where the user chose one, or a home of Prefect's with settings of their own."""
    vault = open_store(spec.private).local_path("vault")
    if vault is None or os.environ.get("PREFECT_API_URL") or os.environ.get("PREFECT_HOME"):
        return None
    try:
        return RunServer(vault / "prefect")
    except OSError as error:
        raise broken_machine(error) from None


def _tables() -> Path:
    """Return where the installation keeps a database with empty tables, made for the installed version of Prefect."""
    return Path(sys.prefix, "share", "sallyport", f"prefect-{version('prefect')}.db")


def _lay_tables(database: Path) -> None:
    """Begin a new database with tables made at installation: Prefect's migrations, one after another, take five CPU seconds."""
    if not database.exists() and _tables().exists():
        part = database.with_suffix(".part")
        shutil.copyfile(_tables(), part)
        part.chmod(0o600)
        part.rename(database)


def _make_tables() -> None:
    """Have Prefect make its tables in an empty database, and keep it for `_lay_tables`."""
    import asyncio

    made = _tables().with_suffix(".part")
    made.parent.mkdir(parents=True, exist_ok=True)
    made.unlink(missing_ok=True)
    os.environ["PREFECT_API_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{made}"
    os.environ["PREFECT_HOME"] = str(made.parent)

    from prefect.server.database import provide_database_interface

    async def make() -> None:
        database = provide_database_interface()
        await database.create_db()
        await (await database.engine()).dispose()

    asyncio.run(make())
    made.rename(_tables())


def _end_with_parent(parent: int) -> None:
    """Have Linux end this process when the run is gone, killed or not: nobody else would."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            sys.exit()


@asynccontextmanager
async def _chores_at_start(usual: Callable[..., AbstractAsyncContextManager[None]], docket: Any, **options: Any) -> AsyncIterator[None]:
    """Let Prefect do its usual chores (old events go) for the first seconds of a run, instead of asking itself ten times a second."""

    async def work() -> None:
        async with usual(docket, **options):
            await asyncio.sleep(_CHORES_SECONDS)

    chores = asyncio.create_task(work())
    try:
        yield
    finally:
        chores.cancel()
        await asyncio.gather(chores, return_exceptions=True)


def _serve(listening: int, parent: int) -> None:
    _end_with_parent(parent)
    with collector_at_rest():
        import uvicorn
        from prefect.server.api import server

        # No setting reaches it; where Prefect has moved it, this fails.
        server.background_worker = partial(_chores_at_start, server.background_worker)  # type: ignore[attr-defined]
        app = server.create_app(ephemeral=True)  # Prefect's word for a server without scheduler and user interface
    uvicorn.run(app, fd=listening, log_level="error", lifespan="on")


if __name__ == "__main__":
    _make_tables() if sys.argv[1] == "--tables" else _serve(*map(int, sys.argv[1:3]))
