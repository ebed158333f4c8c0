"""A release over an existing Dask scheduler: its workers in processes of their own, mutual TLS, and nobody in without a certificate."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tasks.errors import ReleaseError
from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tests.archive.servers import SCRIPTS, free_port, wait_for_port
from tests.archive.small_studies import INSTANCES, small_files
from tests.flows.sallyport import environment, sallyport

STUDIES = 6


def settings(folder: Path, role: str) -> dict[str, str]:
    """The variables that give a process its certificate, as infra/compose does."""
    tls = "DASK_DISTRIBUTED__COMM__TLS"
    pair = {f"{tls}__{role.upper()}__{part.upper()}": str(folder / f"{role}.{end}") for part, end in (("cert", "pem"), ("key", "key"))}
    return {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true", f"{tls}__CA_FILE": str(folder / "ca.pem"), **pair}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run([SCRIPTS.parent / "certificates.sh", folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def scheduler(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler and two workers over TLS, started as infra/compose starts them."""
    port, spill = free_port(), tmp_path_factory.mktemp("spill")
    address = f"tls://127.0.0.1:{port}"
    listen = ["scheduler", "--protocol", "tls", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    join = ["worker", address, "--protocol=tls", "--nworkers=2", "--nthreads=1", "--memory-limit=2GiB", "--no-dashboard"]
    commands = {"scheduler": listen, "worker": [*join, f"--local-directory={spill}"]}
    with ExitStack() as stack:
        for role, command in commands.items():
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *command],
                env=environment(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0", **settings(certificates, role)),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
            if role == "scheduler":
                wait_for_port(port, process)
        yield address


@pytest.mark.slow
def test_a_release_over_tls_is_whole(scheduler: str, certificates: Path, tmp_path: Path, write_spec) -> None:
    (tmp_path / "archive").mkdir()
    for number, data in enumerate(small_files(range(STUDIES))):
        (tmp_path / "archive" / str(number)).write_bytes(data)
    spec = write_spec(tmp_path / "archive", workers=2)
    spec.write_text(spec.read_text().replace("{cluster: local, n: 2}", f"{{n: 2, scheduler: '{scheduler}'}}"))
    done = sallyport("release", spec, "--json", **settings(certificates, "client"))
    assert done.code == 0, done.err
    assert done.data["objects_by_status"] == {"released": STUDIES * INSTANCES}
    verify(open_store((tmp_path / "work" / "public").as_uri()), full=True).raise_if_failed()


def _connect(address: str, **variables: str) -> None:
    """Connect as a run does, in a process of its own (Dask reads its variables once)."""
    code = (
        "import sys; from pathlib import Path; from flows import workers; from tasks.spec import Workers\n"
        "from tasks.errors import ReleaseError\n"
        "try:\n"
        f"    with workers.connect(Workers(scheduler={address!r}), Path('.')) as client: print(len(client.scheduler_info()['workers']))\n"
        "except ReleaseError as error: sys.exit(str(error))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(**variables), capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        raise ReleaseError("connect", done.stderr.strip())


@pytest.mark.slow
def test_nobody_without_a_certificate_of_ours_gets_in(scheduler: str, certificates: Path, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"^connect: workers\.scheduler: [^\n]*certificate[^\n]*$"):
        _connect(scheduler)
    subprocess.run([SCRIPTS.parent / "certificates.sh", tmp_path], check=True, capture_output=True)
    with pytest.raises(ReleaseError, match=r"^connect: workers\.scheduler: [^\n]*certificate[^\n]*$"):
        _connect(scheduler, **settings(tmp_path, "client"))  # of another CA
    with pytest.raises(ReleaseError, match=r"^connect: workers\.scheduler: "):
        _connect(scheduler.replace("tls://", "tcp://"))
