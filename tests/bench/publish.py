"""Publishing measured: put rate against the store's own, full verification against sha256sum, a million-instance manifest.

`python -m tests.bench.publish put|verify|million [--size N] [--store URL]`; each prints one line of JSON. Small forms run in CI
(`test_publish_speed.py`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.policy import load_policy
from tasks.publish.candidate import Candidate, freeze_candidate
from tasks.publish.release import publish_candidate
from tasks.publish.signing import signer_from_secret
from tasks.publish.store import Store, open_store
from tasks.publish.verify import verify
from tasks.schemas import FINDINGS, INSTANCES
from tasks.secret import Secret
from tests.bench.memory import peak_mib
from tests.publish.corpus import DAY, approve, dicom_bytes, instance_row

SIGNER = signer_from_secret(Secret(bytes(range(32))))
THREADS = 16
_FIRST = 1_000_001


def measured(work: Callable[[], Any]) -> tuple[float, float]:
    """Return (wall seconds, CPU seconds of this process and its children)."""

    def cpu() -> float:
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    wall, used = time.monotonic(), cpu()
    work()
    return time.monotonic() - wall, cpu() - used


def _least(once: Callable[[], tuple[float, float]]) -> tuple[float, float]:
    """Return the one of three measurements that took the least CPU: the others paid for something else."""
    return min((once() for _ in range(3)), key=lambda pair: pair[1])


def objects(series: int, pixels: int) -> Iterator[tuple[bytes, dict[str, object]]]:
    """Yield one small valid object and its INSTANCES row for each of many series, each of a patient of its own."""
    template = dicom_bytes(_FIRST, 1, 1, 1, pixels=pixels)
    row = instance_row(template, _FIRST, 1, 1, 1)
    for number in range(_FIRST, _FIRST + series):
        data = template.replace(b"%d" % _FIRST, b"%d" % number)
        digest = hashlib.sha256(data).hexdigest()
        uids = {n: str(row[n]).replace(str(_FIRST), str(number)) for n in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")}
        sop = {"SOPInstanceUID": str(row["SOPInstanceUID"]).replace(str(_FIRST), str(number)), "study_key": f"key{number}"}
        yield data, {**row, **uids, **sop, "sha256": digest, "quarantine_key": f"quarantine/objects/{digest[:2]}/{digest}.dcm"}


def fill(private_folder: Path, series: int, pixels: int) -> tuple[Candidate, list[bytes]]:
    """Write a private side without waiting for the disk, and freeze it."""
    kept, rows = [], []
    for data, row in objects(series, pixels):
        path = private_folder / str(row["quarantine_key"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        kept.append(data)
        rows.append(row)
    private = open_store(str(private_folder))
    return freeze_candidate(private, "bench", load_policy(), pa.Table.from_pylist(rows, INSTANCES), FINDINGS.empty_table()), kept


def put_rate(store: str, series: int, pixels: int = 4096) -> dict[str, float]:
    """Publish many small series, and before and after it put the same bytes bare: same store, same threads, same durability.

    Bare: one `put(if_absent=True)` an object from memory, without reading, hashing, manifests or signatures; durable when it returns.
    """
    with tempfile.TemporaryDirectory() as folder:
        candidate, data = fill(Path(folder, "private"), series, pixels)
        private, public = open_store(str(Path(folder, "private"))), _beside(store or folder, "public")

        def bare(name: str) -> tuple[float, float]:
            target = _beside(store or folder, name)
            keys = [f"series/{hashlib.sha256(d).hexdigest()[:2]}/{secrets.token_hex(16)}/object.dcm" for d in data]
            with ThreadPoolExecutor(THREADS) as pool:
                return measured(lambda: list(pool.map(lambda key, body: target.put(key, body, if_absent=True), keys, data)))

        before = bare("bare-before")
        wall, cpu = measured(lambda: publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY, threads=THREADS))
        after = bare("bare-after")
        raw, raw_cpu = (before[0] + after[0]) / 2, (before[1] + after[1]) / 2
        size = sum(map(len, data))
    return {"series": series, "mean_bytes": size / series, "raw_per_s": series / raw, "published_per_s": series / wall, "ratio": raw / wall,
            "raw_before_s": before[0], "raw_after_s": after[0], "publish_s": wall, "raw_cpu_s": raw_cpu, "publish_cpu_s": cpu}  # fmt: skip


def verify_rate(series: int, pixels: int = 512 * 1024) -> dict[str, float]:
    """Compare CPU per byte of `verify --full` with that of sha256sum over the same objects, read from the page cache."""
    with tempfile.TemporaryDirectory() as folder:
        candidate, data = fill(Path(folder, "private"), series, pixels)
        private, public = open_store(str(Path(folder, "private"))), open_store(str(Path(folder, "public")))
        publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY, threads=THREADS)
        size = sum(map(len, data)) / 1e6
        del data
        files = sorted(str(p) for p in Path(folder, "public", "series").rglob("*.dcm"))
        command = ["xargs", "-0", "sha256sum"]
        text = "\0".join(files).encode()
        summed = _least(lambda: measured(lambda: subprocess.run(command, input=text, stdout=subprocess.DEVNULL, check=True)))
        found: list[Any] = []
        verified = _least(lambda: measured(lambda: found.append(verify(public, full=True, today=DAY))))
        sizes_only = _least(lambda: measured(lambda: verify(public, today=DAY)))
        assert all(report.ok for report in found)
    return {"objects": series, "mb": size, "sha256sum_mb_per_cpu_s": size / summed[1], "verify_mb_per_cpu_s": size / verified[1],
            "ratio": summed[1] / verified[1], "objects_only_ratio": summed[1] / (verified[1] - sizes_only[1]),
            "sha256sum_s": summed[0], "verify_s": verified[0]}  # fmt: skip


def million(instances: int, per_series: int = 100) -> dict[str, float]:
    """Write the manifests of that many instances in a process of its own, and query them with DuckDB."""
    with tempfile.TemporaryDirectory() as folder:
        write_instances(Path(folder, "instances.parquet"), instances, per_series)
        done = subprocess.run([sys.executable, "-m", "tests.bench.publish", "write", folder], capture_output=True, text=True, check=True)
        result: dict[str, float] = json.loads(done.stdout)
        import duckdb

        where = f"'{folder}/manifests/instance*.parquet'"
        uid = duckdb.sql(f"SELECT SOPInstanceUID FROM {where} LIMIT 1 OFFSET {instances // 2}").fetchall()[0][0]
        queries = (
            f"SELECT * FROM {where} WHERE SOPInstanceUID = '{uid}'",
            f"SELECT SOPClassUID, count(*), sum(size_bytes) FROM {where} GROUP BY 1",
            f"SELECT Modality, count(*) FROM {where} JOIN '{folder}/manifests/series.parquet' USING (SeriesInstanceUID) GROUP BY 1",
        )
        duckdb.sql("SELECT 1").fetchall()

        def ask(query: str) -> tuple[float, float]:
            with duckdb.connect() as fresh:  # which remembers nothing of the files
                return measured(lambda: fresh.sql(query).fetchall())

        cold = [(evict(Path(folder, "manifests")), ask(query))[1] for query in queries]
        warm = [ask(query) for query in queries]
        return {**result, "slowest_query_s": max(wall for wall, _ in warm), "slowest_query_cpu_s": max(cpu for _, cpu in warm),
                "slowest_cold_query_s": max(wall for wall, _ in cold)}  # fmt: skip


def evict(folder: Path) -> None:
    """Take the folder's files out of the page cache, so that the next reader waits for the disk."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def write_instances(path: Path, instances: int, per_series: int) -> None:
    """Write INSTANCES rows of CT slices, `per_series` each, six series a patient."""
    import numpy as np

    base, chance = instance_row(b"x", 1, 1, 1, 1), np.random.default_rng(1)
    with pq.ParquetWriter(path, INSTANCES, compression="zstd") as writer:
        for start in range(0, instances, 20_000):
            index = np.arange(start, min(start + 20_000, instances))
            series, count = index // per_series, len(index)
            digests = [chance.bytes(32).hex() for _ in range(count)]
            columns: dict[str, Any] = {f.name: pa.array([base[f.name]] * count, f.type) for f in INSTANCES}
            places = pa.array([[0.0, 0.0, 2.5 * (i % per_series)] for i in index.tolist()], INSTANCES.field("ImagePositionPatient").type)
            columns |= {
                "study_key": [f"{s:032x}" for s in (series // 3).tolist()],
                "PatientID": [f"P{p:08d}" for p in (series // 6).tolist()],
                "StudyInstanceUID": [_uid("study", s) for s in (series // 3).tolist()],
                "SeriesInstanceUID": [_uid("series", s) for s in series.tolist()],
                "SOPInstanceUID": [_uid("instance", i) for i in index.tolist()],
                "sha256": digests,
                "quarantine_key": [f"quarantine/objects/{d[:2]}/{d}.dcm" for d in digests],
                "InstanceNumber": pa.array((index % per_series + 1).tolist(), INSTANCES.field("InstanceNumber").type),
                "ImagePositionPatient": places,
                "size_bytes": pa.array((526_000 + index % 97).tolist(), pa.int64()),
            }
            writer.write_table(pa.table([columns[n] for n in INSTANCES.names], schema=INSTANCES))


def write(folder: Path) -> dict[str, float]:
    """Digest and write the manifests; this process does nothing else, so that its peak memory is theirs."""
    from tasks.publish.digests import compute_digests
    from tasks.publish.manifests import ReleaseFacts, write_manifests

    rows: dict[str, int] = {}

    def work() -> None:
        digests = compute_digests(folder / "instances.parquet")
        facts = ReleaseFacts("bench", "2026.11.0", "open", "CC0-1.0", "policy")
        rows.update(write_manifests(folder / "instances.parquet", digests, facts, folder / "manifests"))

    wall, cpu = measured(work)
    peak = peak_mib() * 2**20 / 1e6
    size = sum(p.stat().st_size for p in (folder / "manifests").iterdir()) / 1e6
    return {"instances": rows["instance"], "wall_s": wall, "cpu_s": cpu, "peak_mb": peak, "manifests_mb": size}


def _uid(kind: str, number: int) -> str:
    return f"2.25.{int.from_bytes(hashlib.blake2b(f'{kind}{number}'.encode(), digest_size=15).digest(), 'big')}"


def _beside(url: str, name: str) -> Store:
    place, _, options = url.partition("?")
    return open_store(f"{place}/{name}-{os.getpid()}?{options}" if options else f"{place}/{name}")


def main() -> None:
    """Measure one thing and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("put", "verify", "million", "write"))
    parser.add_argument("folder", nargs="?", help="of `write`")
    parser.add_argument("--size", type=int, help="series, objects or instances")
    parser.add_argument("--store", default="", help="URL of the public store (a folder of this run by default)")
    given = parser.parse_args()
    if given.what == "write":
        result = write(Path(given.folder))
    elif given.what == "put":
        result = put_rate(given.store, given.size or 10_000)
    elif given.what == "verify":
        result = verify_rate(given.size or 1_000)
    else:
        result = million(given.size or 1_000_000)
    print(json.dumps({name: round(value, 3) for name, value in result.items()}))


if __name__ == "__main__":
    main()
