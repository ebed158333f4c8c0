"""Download part of a release as a consumer: filtered by SQL over the manifests, resumable, every byte checked; prune what was withdrawn.

Verifying a whole release is in `verify.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tasks.errors import UsageError
from tasks.publish.canonical import sha256_stream
from tasks.publish.causes import Cause, refuse
from tasks.publish.log import Log, read_log
from tasks.publish.objects import bounded_map
from tasks.publish.store import Store
from tasks.publish.tombstones import Withdrawn, read_withdrawn
from tasks.publish.verify_files import check_files

_CHUNK = 1 << 20
_CHOSEN = """
WITH described AS (SELECT * FROM series JOIN (SELECT * EXCLUDE ($shared) FROM study) USING (StudyInstanceUID)),
chosen AS (SELECT SeriesInstanceUID, StudyInstanceUID, patient_id FROM described WHERE ($where
))
SELECT object_key, patient_id, StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID, size_bytes, sha256
FROM instance JOIN chosen USING (SeriesInstanceUID) ORDER BY object_key
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
    pruned = prune_copies(dest, log, withdrawn) if prune else 0
    manifests = dest / "manifests" / entry.release_id
    manifests.mkdir(parents=True, exist_ok=True)
    check_files(public, log, entry, redacted=False, add=_raise).copy_manifests(manifests)
    wanted = _select(manifests, where, dest, withdrawn)
    fetched = kept = size = 0
    for count, (new, item) in enumerate(bounded_map(partial(_fetch, public), wanted, threads), 1):
        fetched, kept, size = fetched + new, kept + (not new), size + (item.size_bytes if new else 0)
        if progress:
            progress("get", count, len(wanted))
    return Download(entry.release_id, len(wanted), fetched, kept, size, pruned)


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


def _select(manifests: Path, where: str, dest: Path, withdrawn: Withdrawn) -> list[_Wanted]:
    import duckdb
    import pyarrow.parquet as pq

    with duckdb.connect() as sql:
        for grain in ("study", "series", "instance"):
            sql.register(grain, pq.read_table(manifests / f"{grain}.parquet"))
        # A consumer may paste a condition from elsewhere: it sees the tables and nothing else.
        sql.execute("SET enable_external_access=false; SET lock_configuration=true")
        try:
            found = sql.execute(_CHOSEN.replace("$shared", _shared_columns(sql)).replace("$where", where or "true")).fetchall()
        except duckdb.Error as error:
            problem = f"not a condition over the series manifest ({type(error).__name__})"
            raise UsageError("--where", problem, "try \"Modality = 'CT'\"") from None
    gone = withdrawn.series | withdrawn.studies
    return [
        _Wanted(key, dest / _safe(patient) / _safe(study) / _safe(series) / f"{_safe(sop)}.dcm", size, sha256)
        for key, patient, study, series, sop, size, sha256 in found
        if series not in gone and study not in gone
    ]


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
