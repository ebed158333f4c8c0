"""On a Prefect server that is shared: people are told of failures and of what is held, and `prefect deploy --all` offers the flows."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.archive.made import to_bytes
from tests.archive.small_studies import small_study
from tests.flows.prefect_server import Served, SharedServer, served, shared_server, with_group
from tests.flows.sallyport import ROOT, environment

pytestmark = pytest.mark.servers

POOL = "hospital"


@dataclass
class Listener:
    """An HTTP server of the hospital's that takes messages."""

    url: str = ""
    texts: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def heard(self, text: str, seconds: float = 120) -> bool:
        deadline = time.monotonic() + seconds
        while text not in self.texts and time.monotonic() < deadline:
            time.sleep(0.5)
        return text in self.texts


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    found = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.bodies.append(body)
            found.texts.append(json.loads(body)["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/told"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedServer]:
    home = tmp_path_factory.mktemp("shared") / "prefect"
    with shared_server(home, f"sqlite+aiosqlite:///{home / 'prefect.db'}") as server:
        yield server


def _spec(folder: Path, dataset: str, archive: Path, **more: str) -> Path:
    key = folder / "secret.key"
    key.write_text(bytes(range(32)).hex())
    key.chmod(0o600)
    lines = {
        "dataset": dataset,
        "archive": f"{{kind: folder, path: {archive}}}",
        "private": (folder / dataset / "private").as_uri(),
        "public": (folder / dataset / "public").as_uri(),
        "secret": "{file: secret.key}",
        "workers": "{n: 1}",
        **more,
    }
    spec = folder / f"{dataset}.yaml"
    spec.write_text("".join(f"{name}: {value}\n" for name, value in lines.items()))
    return spec


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    for number, ds in enumerate(small_study(1)):
        (folder / f"{number}.dcm").write_bytes(to_bytes(ds))
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, shared: SharedServer, listener: Listener, archive: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("told")
    _run(shared, "-c", f"from prefect.blocks.webhook import Webhook; Webhook(url={listener.url!r}).save('hospital')")
    held = _spec(folder, "held", archive)  # one patient is no crowd of eleven
    broken = _spec(folder, "broken", folder / "nowhere")
    with served(folder, held, broken, shared=shared, options=("--notify", "webhook/hospital")) as server:
        yield server


def _run(shared: SharedServer, *arguments: str, cwd: Path = ROOT) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment(**shared.settings), cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_people_are_told_what_is_held_and_what_failed_and_nothing_else(server: Served, listener: Listener) -> None:
    counted = server.start("release/held", action="Only count what is new or changed")
    assert server.wait(counted)["state_name"] == "Completed"
    assert server.wait(server.start("release/held"))["state_name"] == "Held"
    assert server.wait(server.start("release/broken"))["state_name"] == "Failed"
    assert listener.heard("release held: Held. See the Prefect UI.")
    assert listener.heard("release broken: Failed. See the Prefect UI.")
    # An event may come twice when a busy server had its client try again; nothing else may come at all.
    assert set(listener.texts) == {"release held: Held. See the Prefect UI.", "release broken: Failed. See the Prefect UI."}
    ds = small_study(1)[0]
    for value in (ds.PatientID, str(ds.PatientName), ds.AccessionNumber, str(ds.StudyInstanceUID)):
        assert not any(value.encode() in body for body in listener.bodies)


def test_the_next_night_tells_again_that_the_candidate_is_still_held(server: Served, listener: Listener) -> None:
    before = len(listener.texts)
    again = server.wait(server.start("release/held"))
    assert (again["state_name"], "not judged again" in again["state"]["message"]) == ("Held", True)
    deadline = time.monotonic() + 120
    while len(listener.texts) == before and time.monotonic() < deadline:
        time.sleep(0.5)
    assert set(listener.texts[before:]) == {"release held: Held. See the Prefect UI."}


@contextmanager
def _worker(shared: SharedServer, folder: Path, specs: dict[str, Path]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]
    variables = environment(**shared.settings, SALLYPORT_SPECS=json.dumps({name: str(path) for name, path in specs.items()}))
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(command, env=variables, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        with_group(process, 15)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            with_group(process, 9)


def test_prefect_deploy_all_offers_what_a_worker_of_the_pool_then_runs(shared: SharedServer, archive: Path, tmp_path: Path) -> None:
    _run(shared, "-m", "prefect", "work-pool", "create", POOL, "--type", "process")
    _run(shared, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(ROOT / "infra" / "prefect.yaml"), cwd=tmp_path)
    spec = _spec(tmp_path, "chest-ct", archive, gates="{k: 1}")
    with _worker(shared, tmp_path, {"chest-ct": spec}) as process:
        offered = Served(shared.url, process, tmp_path, shared.login)
        for name in ("release", "verify", "audit", "withdraw"):
            assert offered.deployment(f"{name}/chest-ct")["work_pool_name"] == POOL
        release = offered.deployment("release/chest-ct")
        assert [(s["schedule"]["cron"], s["schedule"]["timezone"]) for s in release["schedules"]] == [("0 2 * * *", "Europe/Berlin")]
        assert release["global_concurrency_limit"]["limit"] == 1
        done = offered.wait(offered.start("release/chest-ct"))
        assert done["state_name"] == "Completed", (done["state"]["message"], (tmp_path / "worker.log").read_text()[-2000:])
        assert (tmp_path / "chest-ct" / "public" / "latest.json").is_file()
        checked = offered.wait(offered.start("verify/chest-ct", depth="Every object"))
        assert checked["state_name"] == "Completed", checked["state"]["message"]
