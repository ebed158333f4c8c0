"""How long archives take, and that memory does not grow with them. CPU seconds; sizes by SALLYPORT_BENCH_STUDIES."""

from __future__ import annotations

import os
import shutil
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tasks.archive import open_archive
from tasks.archive.pace import Pace
from tasks.archive.remote import ListedInstance, RemoteArchive
from tasks.archive.remote_index import StudyAnswer
from tasks.archive_spec import DicomwebArchive, DimseArchive, FolderArchive, Limits
from tasks.secret import Secret
from tasks.spec import Cohort
from tests.archive.made import SECRET_BYTES, make_object, to_bytes
from tests.archive.servers import orthanc
from tests.bench.memory import peak_mib

STUDIES = int(os.environ.get("SALLYPORT_BENCH_STUDIES", "40"))
INSTANCES = 3


def made(count: int) -> Iterator[bytes]:
    for study in range(count):
        for n in range(1, INSTANCES + 1):
            uid = f"1.2.826.{study}"
            date = f"2024{study % 12 + 1:02d}{study % 28 + 1:02d}"
            yield to_bytes(make_object(uid, number=n, patient=f"P{study // 2}", date=date, accession=f"A{study}", size=16))


@pytest.mark.bench
@pytest.mark.servers
@pytest.mark.parametrize("kind", ["dicomweb", "c-get"])
def test_a_first_run_is_complete_and_a_second_one_pulls_nothing(kind: str, tmp_path: Path, record_property) -> None:
    with orthanc(tmp_path / "orthanc") as server:
        server.store(made(STUDIES))
        if kind == "dicomweb":
            (tmp_path / "password").write_text(server.password)
            (tmp_path / "password").chmod(0o600)
            auth = {"kind": "basic", "username": server.user, "password": {"file": str(tmp_path / "password")}}
            spec = DicomwebArchive(url=server.url, auth=auth)
        else:
            spec = DimseArchive(host="127.0.0.1", port=server.dicom, ae_title="ARCHIVE")
        archive = open_archive(spec, Secret(SECRET_BYTES), tmp_path / "index")
        known: dict[str, str] = {}

        def run() -> tuple[int, int, float, float]:
            wall, cpu = time.monotonic(), time.process_time()
            pulled = instances = 0
            for ref in archive.find_studies(Cohort()):
                if known.get(ref.study_key) == ref.fingerprint:
                    continue
                into = tmp_path / "scratch"
                into.mkdir()
                files = archive.pull_study(ref, into)
                assert len(files) == ref.instance_count
                shutil.rmtree(into)
                known[ref.study_key] = ref.fingerprint
                pulled, instances = pulled + 1, instances + len(files)
            return pulled, instances, time.monotonic() - wall, time.process_time() - cpu

        run_some = run()
        assert run_some[:2] == (STUDIES, STUDIES * INSTANCES)
        peak = peak_mib()
        again = run()
        assert again[:2] == (0, 0)
        spent = f"first {run_some[2]:.1f} s wall {run_some[3]:.1f} s CPU; second {again[2]:.2f} / {again[3]:.2f}"
        print(f"\n{kind}: {STUDIES} studies; {spent}; {peak:.0f} MiB")
        assert again[3] < 0.1 * run_some[3]


class _ManyStudies:
    """A protocol that answers at once, with as many studies as wanted."""

    def __init__(self, count: int) -> None:
        self.count = count

    def find(self, query: dict[str, str]) -> Iterable[StudyAnswer]:
        for n in range(self.count):
            yield StudyAnswer(f"1.2.826.{n}", f"P{n // 2}", "", "20240101", "101500", f"A{n}", "CHEST", ("CT",), 300, 4)

    def modalities(self, study_uid: str) -> tuple[str, ...]:
        return ("CT",)

    def instances(self, study_uid: str) -> list[ListedInstance]:
        return []

    def retrieve(self, *_: object, **__: object) -> None:
        raise AssertionError

    def close(self) -> None:
        pass


@pytest.mark.bench
def test_what_is_new_among_known_studies_is_decided_in_seconds(tmp_path: Path) -> None:
    count = max(STUDIES * 50, 2_000)
    archive = RemoteArchive(
        _ManyStudies(count), Pace(Limits(), tmp_path, "x"), Secret(SECRET_BYTES), tmp_path / "i", compare_instances=False
    )
    cpu = time.process_time()
    seen = sum(1 for _ in archive.find_studies(Cohort()))
    cpu = time.process_time() - cpu
    assert seen == count
    print(f"\nremote: {count} known studies decided in {cpu:.1f} s CPU")
    assert cpu < 2 + count * 150e-6


@pytest.mark.bench
def test_a_folder_is_indexed_in_little_memory_and_looked_at_again_quickly(tmp_path: Path) -> None:
    count = STUDIES * 25
    data = to_bytes(make_object())
    at = data.index(b"1.2.3.1.1")
    for n in range(count):
        folder = tmp_path / "archive" / f"{n // 100}"
        folder.mkdir(parents=True, exist_ok=True)
        own = f"9.{n:07d}".encode()
        (folder / str(n)).write_bytes(data[:at] + own + data[at + len(own) :])
    archive = open_archive(FolderArchive(path=str(tmp_path / "archive")), Secret(SECRET_BYTES), tmp_path / "index")
    cpu = time.process_time()
    tracemalloc.start()
    assert sum(ref.instance_count for ref in archive.find_studies(Cohort())) == count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    first, cpu = time.process_time() - cpu, time.process_time()
    assert sum(ref.instance_count for ref in archive.find_studies(Cohort())) == count
    print(f"\nfolder: {count} files; first {first:.1f} s CPU (traced), second {time.process_time() - cpu:.2f}; peak {peak >> 10} KiB")
    assert peak < 24 << 20
