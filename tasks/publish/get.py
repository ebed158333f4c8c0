"""Download part of a release as a consumer: filtered by SQL over the manifests, resumable, every byte checked; prune what was withdrawn.

Verifying a whole release is in `verify.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tasks.errors import UsageError
from tasks.publish.canonical import sha256_stream
from tasks.publish.causes import Cause, refuse
from tasks.publish.log import Log, read_log
from tasks.publish.manifest_files import from_sql
from tasks.publish.objects import bounded_map
from tasks.publish.scratch import FULL, scratch_folder
from tasks.publish.store import Store
from tasks.publish.tombstones import Withdrawn, read_withdrawn
from tasks.publish.verify_files import check_files

_CHUNK = 1 << 20
_CHOSEN = """
CREATE TABLE wanted AS WITH described AS (SELECT * FROM series JOIN (SELECT * EXCLUDE ($shared) FROM study) USING (StudyInstanceUID)),
chosen AS (SELECT SeriesInstanceUID, StudyInstanceUID, patient_id FROM described WHERE ($where
))
SELECT object_key, patient_id, StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID, size_bytes, sha256
FROM instance JOIN chosen USING (SeriesInstanceUID)
WHERE SeriesInstanceUID NOT IN (SELECT uid FROM gone) AND StudyInstanceUID NOT IN (SELECT uid FROM gone) ORDER BY object_key
"""


@dataclass(frozen=True, slots=True)
class Download:
    """What was downloaded. Counts and bytes."""

    release_id: str
    objects: int
    downloaded: int
    kept: int  # already there with the right sha256
    size_bytes: int
    pruned: int = 0


@dataclass(frozen=True, slots=True)
class _Wanted:
    object_key: str
    path: Path
    size_bytes: int
    sha256: str


def get(
    public: Store,
    dest: Path,
    *,
    release_id: str | None = None,
    where: str = "",
    prune: bool = False,
    threads: int = 8,
    progress: Callable[[str, int, int], None] | None = None,
) -> Download:
    """Download the objects whose series match `where` to `<dest>/<patient_id>/<StudyInstanceUID>/<SeriesInstanceUID>/<SOPInstanceUID>.dcm`.

    `where` is a condition over the columns of the series manifest (`Modality = 'CT'`), those of the study manifest that it lacks included.
    What is there with the right bytes is kept; a wrong or partial file is fetched again. Manifests are checked against the signed
    checksums and written to `<dest>/manifests/<release_id>/`. `prune` first removes local objects that tombstones name.
    """
    log = read_log(public)
    entry = log.current() if release_id is None else log.find(release_id)
    if entry is None:
        raise refuse(Cause.NO_RELEASE, "log")
    if entry.release_id in log.superseded():
        raise refuse(Cause.TOMBSTONED_CONTENT, entry.release_id, f"get {log.superseded()[entry.release_id]} instead")
    withdrawn = read_withdrawn(public, log, _raise)
    with _writing(dest):
        pruned = prune_copies(dest, log, withdrawn) if prune else 0
    manifests = dest / "manifests" / entry.release_id
    count = fetched = kept = size = 0
    with _writing(dest):
        manifests.mkdir(parents=True, exist_ok=True)
        check_files(public, log, entry, redacted=False, add=_raise).copy_manifests(manifests)
        with _selection(manifests, where, withdrawn) as (total, rows):
            wanted = (_wanted(dest, *row) for row in rows)
            for count, (new, item) in enumerate(bounded_map(partial(_fetch, public), wanted, threads), 1):
                fetched, kept, size = fetched + new, kept + (not new), size + (item.size_bytes if new else 0)
                if progress:
                    progress("get", count, total)
    return Download(entry.release_id, count, fetched, kept, size, pruned)


@contextmanager
def _writing(dest: Path) -> Iterator[None]:
    """Say what is wrong with the folder that is downloaded to; stores explain their own errors."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise refuse(Cause.STORE_FULL, "DEST") from None
        remedy = "name a folder in which you may write"
        raise UsageError("DEST", f"cannot be written ({type(error).__name__})", remedy) from None


def prune_copies(dest: Path, log: Log, withdrawn: Withdrawn) -> int:
    """Remove local copies that tombstones name, and manifests of releases that were replaced; return the number of objects removed."""
    removed = 0
    for folder in list(dest.glob("*/*/*")):
        if folder.parent.parent.name != "manifests" and (folder.name in withdrawn.series or folder.parent.name in withdrawn.studies):
            for file in folder.iterdir():
                file.unlink()
                removed += 1
            for empty in (folder, folder.parent, folder.parent.parent):
                if not any(empty.iterdir()):
                    empty.rmdir()
    for old in log.superseded():
        for file in (dest / "manifests" / old).glob("*.parquet"):
            file.unlink()
    return removed


@contextmanager
def _selection(manifests: Path, where: str, withdrawn: Withdrawn) -> Iterator[tuple[int, Iterator[tuple[Any, ...]]]]:
    """Yield how many objects match and their rows, a batch of them in memory at a time."""
    import duckdb
    import pyarrow as pa

    with duckdb.connect() as sql, scratch_folder("get") as spill:
        sql.execute("SET memory_limit='512MB'; SET threads=2; SET enable_progress_bar=false")
        sql.execute("SET temp_directory=$folder", {"folder": str(spill)})
        for grain in ("study", "series", "instance"):
            sql.execute(f"CREATE TABLE {grain} AS SELECT * FROM {from_sql(manifests, grain)}")
        sql.register("gone_arrow", pa.table({"uid": pa.array(sorted(withdrawn.series | withdrawn.studies), pa.string())}))
        sql.execute("CREATE TABLE gone AS SELECT * FROM gone_arrow")
        # A consumer may paste a condition from elsewhere: it sees the tables and nothing else.
        sql.execute("SET enable_external_access=false; SET lock_configuration=true")
        try:
            sql.execute(_CHOSEN.replace("$shared", _shared_columns(sql)).replace("$where", where or "true"))
        except duckdb.Error as error:
            problem = f"not a condition over the series manifest ({type(error).__name__})"
            raise UsageError("--where", problem, "try \"Modality = 'CT'\"") from None
        total = int(sql.execute("SELECT count(*) FROM wanted").fetchall()[0][0])
        reader = sql.sql("SELECT * FROM wanted").to_arrow_reader(4_096)
        yield total, (row for batch in reader for row in zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _wanted(dest: Path, key: str, patient: str, study: str, series: str, sop: str, size: int, sha256: str) -> _Wanted:
    return _Wanted(key, dest / _safe(patient) / _safe(study) / _safe(series) / f"{_safe(sop)}.dcm", size, sha256)


def _shared_columns(sql: Any) -> str:
    """Return the columns that study repeats of series, without the key that joins them."""
    names = [{row[0] for row in sql.execute(query).fetchall()} for query in ("DESCRIBE series", "DESCRIBE study")]
    return ", ".join(sorted((names[0] & names[1]) - {"StudyInstanceUID"}))


def _fetch(public: Store, wanted: _Wanted) -> tuple[bool, _Wanted]:
    if wanted.path.exists() and wanted.path.stat().st_size == wanted.size_bytes:
        with wanted.path.open("rb") as file:
            if sha256_stream(file)[0] == wanted.sha256:
                return False, wanted
    wanted.path.parent.mkdir(parents=True, exist_ok=True)
    partial_path = wanted.path.with_name(f".{wanted.path.name}.{os.getpid()}.part")
    try:
        with public.open(wanted.object_key) as source, partial_path.open("wb") as target:
            while data := source.read(_CHUNK):
                target.write(data)
        with partial_path.open("rb") as file:
            if sha256_stream(file)[0] != wanted.sha256:
                raise refuse(Cause.OBJECT_CHANGED, wanted.object_key)
        partial_path.replace(wanted.path)
    except KeyError:
        raise refuse(Cause.OBJECT_MISSING, wanted.object_key) from None
    finally:
        partial_path.unlink(missing_ok=True)
    return True, wanted


def _safe(name: str) -> str:
    """Return a name that is one path component, refused otherwise: manifests come from outside."""
    if not name or name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise refuse(Cause.SCHEMA_CHANGED, "manifests", "an identifier is not a file name")
    return name


def _raise(cause: Cause, where: str, detail: str = "") -> Any:
    raise refuse(cause, where, detail)
