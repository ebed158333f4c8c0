"""Digests of series, studies and whole releases: how bytes are named, recomputable with `sort` and `sha256sum`.

Reading stores does not belong here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.publish.manifest_files import quoted
from tasks.publish.scratch import scratch_folder

VERSION_ID_LENGTH = 32
"""A series version is named by this many hex digits of its digest."""
_COLUMNS = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "sha256"]
_SORTED = "SELECT StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID, sha256 FROM read_parquet('{}') ORDER BY ALL"


@dataclass(frozen=True, slots=True)
class ReleaseDigests:
    """All digests of one set of instances: `series` and `studies` have one row each, `root` covers everything."""

    series: pa.Table  # StudyInstanceUID, SeriesInstanceUID, series_digest
    studies: pa.Table  # StudyInstanceUID, study_digest
    root: str


def digest_lines(lines: Iterable[str]) -> str:
    """Return the sha256 of the lines, sorted, each ended by a line feed."""
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(lines)).encode()).hexdigest()


def series_digest(instances: Iterable[tuple[str, str]]) -> str:
    """Return the digest of one series from (SOPInstanceUID, sha256) pairs."""
    return digest_lines(f"{uid} {sha256}" for uid, sha256 in instances)


def compute_digests(instances: pa.Table | Path) -> ReleaseDigests:
    """Digest every series (`SOPInstanceUID sha256` lines), study (`SeriesInstanceUID digest`) and the root (`StudyInstanceUID digest`).

    `instances` (a table or a Parquet file) needs StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID and sha256; its order does not
    matter, and no more than one series of it is in memory at a time beside what DuckDB sorts (on disk when it is much).
    """
    import duckdb

    with duckdb.connect() as sql, scratch_folder("digests") as spill:
        sql.execute("SET memory_limit='256MB'; SET threads=2; SET enable_progress_bar=false; SET preserve_insertion_order=false")
        sql.execute("SET temp_directory=$folder", {"folder": str(spill)})
        if isinstance(instances, pa.Table):
            sql.register("instances", instances.select(_COLUMNS))
            return digest_rows(sql.sql("SELECT * FROM instances ORDER BY ALL"))
        return digest_rows(sql.sql(_SORTED.format(quoted(instances))))


def digest_rows(rows: Any) -> ReleaseDigests:
    """Digest a DuckDB relation of StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID, sha256, sorted by the first two."""
    series: list[tuple[str, str, str]] = []
    key: tuple[str, str] | None = None
    lines: list[str] = []
    for batch in rows.to_arrow_reader(65_536):
        for study, uid, sop, sha256 in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if key != (study, uid):
                if key is not None:
                    series.append((*key, digest_lines(lines)))
                key, lines = (study, uid), []
            lines.append(f"{sop} {sha256}")
    if key is not None:
        series.append((*key, digest_lines(lines)))
    by_study: dict[str, list[str]] = {}
    for study, uid, digest in series:
        by_study.setdefault(study, []).append(f"{uid} {digest}")
    studies = [(study, digest_lines(rows)) for study, rows in sorted(by_study.items())]
    return ReleaseDigests(
        pa.table(
            {
                name: pa.array([row[i] for row in series], pa.string())
                for i, name in enumerate(("StudyInstanceUID", "SeriesInstanceUID", "series_digest"))
            }
        ),
        pa.table({name: pa.array([row[i] for row in studies], pa.string()) for i, name in enumerate(("StudyInstanceUID", "study_digest"))}),
        digest_lines(f"{study} {digest}" for study, digest in studies),
    )


def series_prefix(digest: str) -> str:
    """Return the public key prefix of the series version with this digest: `series/<aa>/<version id>/`."""
    return f"series/{digest[:2]}/{digest[:VERSION_ID_LENGTH]}/"
