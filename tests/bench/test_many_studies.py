"""Thousands of studies in a real archive: everything arrives, a second run pulls nothing, memory does not grow, orchestration is cheap."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from tests.archive.servers import Orthanc, orthanc
from tests.archive.small_studies import INSTANCES, small_files
from tests.flows.counted import FILE, work_seconds
from tests.flows.sallyport import environment

pytestmark = [pytest.mark.bench, pytest.mark.servers]


@dataclass
class Measured:
    """One command: what it printed, its CPU seconds with all its children, and the most memory that one process of a kind had."""

    out: str
    cpu_seconds: float
    wall_seconds: float
    peak_mib: dict[str, int] = field(default_factory=dict)

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def _measure(scratch: Path, *arguments: str, **env: str) -> Measured:
    began, cost = time.monotonic(), scratch / "cpu-seconds"
    command = [sys.executable, "-m", "tests.bench.family", str(cost), sys.executable, "-m", *arguments]
    process = subprocess.Popen(command, env=environment(**env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak: dict[str, int] = {}
    done = threading.Event()

    def watch() -> None:
        root = psutil.Process(process.pid)
        while not done.wait(0.5):
            try:
                family = root.children(recursive=True)
            except psutil.Error:
                return
            for member in family:
                try:
                    line, size = " ".join(member.cmdline()), member.memory_info().rss >> 20
                    kind = "run" if member.ppid() == process.pid else "worker" if "multiprocessing.forkserver" in line else "other"
                except psutil.Error:
                    continue
                peak[kind] = max(peak.get(kind, 0), size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    out, err = process.communicate()
    done.set()
    watcher.join()
    assert process.returncode == 0, (out[-2000:], err)
    return Measured(out, float(cost.read_text()), time.monotonic() - began, peak)


def _spec(folder: Path, server: Orthanc, name: str, workers: int = 2) -> Path:
    for file, content in (("secret.key", bytes(range(32)).hex()), ("password", server.password)):
        (folder / file).write_text(content)
        (folder / file).chmod(0o600)
    auth = f"{{kind: basic, username: {server.user}, password: {{file: password}}}}"
    spec = folder / f"{name}.yaml"
    spec.write_text(
        f"dataset: many\narchive: {{kind: dicomweb, url: '{server.url}', auth: {auth}}}\n"
        f"private: {(folder / name / 'private').as_uri()}\npublic: {(folder / name / 'public').as_uri()}\n"
        "secret: {file: secret.key}\ngates: {k: 1}\n"
        f"workers: {{n: {workers}}}\n"
    )
    return spec


def _first_and_second(folder: Path, server: Orthanc, count: int, name: str) -> tuple[Measured, Measured]:
    spec = _spec(folder, server, name)
    first = _measure(folder, "flows", "release", str(spec), "--json")
    assert (first.data["studies"], first.data["pulled"]) == (count, count)
    assert first.data["objects_by_status"] == {"released": count * INSTANCES}
    (release,) = (folder / name / "public" / "releases").iterdir()
    uids = pq.read_table(release / "manifests" / "instance.parquet")["SOPInstanceUID"].to_pylist()
    assert len(set(uids)) == len(uids) == count * INSTANCES
    assert pq.read_table(release / "manifests" / "study.parquet").num_rows == count
    second = _measure(folder, "flows", "release", str(spec), "--json")
    assert (second.data["studies"], second.data["pulled"], second.data["changed"]) == (count, 0, False)
    for what, run in (("first", first), ("second", second)):
        print(f"\n{count} studies, {what} run: {run.cpu_seconds:.1f} CPU s, {run.wall_seconds:.0f} s wall, peak MiB {run.peak_mib}")
    return first, second


def _beside_work(folder: Path, server: Orthanc, how: str) -> tuple[float, float]:
    """Run it with one worker, or `plain`ly in one process; return its CPU seconds, and those that neither studies nor stages took."""
    work = folder / f"{how}.work"
    run = _measure(folder, "tests.flows.counted", how, str(_spec(folder, server, how, workers=1)), "--json", **{FILE: str(work)})
    return run.cpu_seconds, run.cpu_seconds - work_seconds(work)


@pytest.mark.slow
def test_everything_arrives_and_a_second_run_pulls_nothing(tmp_path: Path) -> None:
    count = 30
    with orthanc(tmp_path / "orthanc") as server:
        server.store(small_files(range(count)))
        first, second = _first_and_second(tmp_path, server, count, "few")
    assert second.cpu_seconds < first.cpu_seconds


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_two_thousand_studies(tmp_path: Path) -> None:
    count = int(os.environ.get("SALLYPORT_BENCH_STUDIES", "2000"))
    with orthanc(tmp_path / "orthanc") as server:
        server.store(small_files(range(count // 10)))
        few, _ = _first_and_second(tmp_path, server, count // 10, "few")
        server.store(small_files(range(count // 10, count)))
        many, again = _first_and_second(tmp_path, server, count, "many")
        # With one worker, as the plain run has one process: two at once would also count what busy cores take from each other.
        whole, beside = _beside_work(tmp_path, server, "release")
        plain, plain_beside = _beside_work(tmp_path, server, "plain")
    overhead = (beside - plain_beside) / whole
    print(f"one worker: {whole:.1f} CPU s, {beside:.1f} of them beside its work; in one process {plain:.1f}, {plain_beside:.1f}")
    print(f"orchestration is {overhead:.1%}")
    assert again.cpu_seconds < 0.1 * many.cpu_seconds
    for kind in ("run", "worker"):
        assert many.peak_mib[kind] < 1.1 * few.peak_mib[kind] + 32
    assert overhead < 0.05
