"""Check the manifests of one release: exact schemas, unique keys, references, counts, digests, nothing withdrawn.

Works on local copies whose bytes are already checked. Objects do not belong here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.publish.causes import Cause
from tasks.publish.digests import VERSION_ID_LENGTH, digest_rows
from tasks.publish.log import Entry
from tasks.publish.manifest_files import from_sql, parts, quoted
from tasks.publish.manifest_schemas import KEYS, MANIFESTS, schema_differs

Add = Callable[[Cause, str, str], None]

_REFERENCES = (
    ("study", "patient_id", "patient", "patient_id"),
    ("series", "patient_id", "patient", "patient_id"),
    ("series", "StudyInstanceUID", "study", "StudyInstanceUID"),
    ("instance", "SeriesInstanceUID", "series", "SeriesInstanceUID"),
    ("instance", "series_version_id", "series", "series_version_id"),
)
_SUMS = (
    # each pair must agree in every row of its left side
    ("patient", "study_count", "SELECT patient_id AS k, count(*) AS n FROM study GROUP BY 1", "patient_id"),
    ("study", "series_count", "SELECT StudyInstanceUID AS k, count(*) AS n FROM series GROUP BY 1", "StudyInstanceUID"),
    ("study", "instance_count", "SELECT StudyInstanceUID AS k, sum(instance_count) AS n FROM series GROUP BY 1", "StudyInstanceUID"),
    ("study", "size_bytes", "SELECT StudyInstanceUID AS k, sum(size_bytes) AS n FROM series GROUP BY 1", "StudyInstanceUID"),
    ("series", "instance_count", "SELECT SeriesInstanceUID AS k, count(*) AS n FROM instance GROUP BY 1", "SeriesInstanceUID"),
    ("series", "size_bytes", "SELECT SeriesInstanceUID AS k, sum(size_bytes) AS n FROM instance GROUP BY 1", "SeriesInstanceUID"),
)


def check_manifests(folder: Path, entry: Entry, withdrawn: frozenset[str], add: Add) -> None:
    """Check all manifests in the folder against each other, the log entry and the withdrawn series and studies."""
    import duckdb
    import pyarrow.parquet as pq

    usable = True
    for grain in MANIFESTS:
        for path in parts(folder, grain):
            try:
                difference = schema_differs(pq.read_schema(path), grain)
            except Exception:  # not Parquet at all; the reader's text could quote the file
                difference = "not Parquet"
            if difference:
                add(Cause.SCHEMA_CHANGED, f"manifests/{path.name}", difference)
                usable = False
    if not usable:
        return
    with duckdb.connect() as sql:
        sql.execute(
            f"SET memory_limit='1GB'; SET threads=2; SET enable_progress_bar=false; SET temp_directory='{quoted(folder / '.spill')}'"
        )
        for grain in MANIFESTS:
            sql.execute(f"CREATE VIEW {grain} AS SELECT * FROM {from_sql(folder, grain)}")
        _check_keys(sql, add)
        _check_references(sql, add)
        _check_counts(sql, entry, add)
        _check_release(sql, entry, add)
        _check_withdrawn(sql, withdrawn, add)
        _check_digests(sql, entry, add)


def _check_keys(sql: Any, add: Add) -> None:
    for grain, keys in KEYS.items():
        columns = ", ".join(keys)
        repeated = _one(sql, f"SELECT count(*) FROM (SELECT {columns} FROM {grain} GROUP BY ALL HAVING count(*) > 1)")
        if repeated:
            add(Cause.DUPLICATE_KEY, f"manifests/{grain}.parquet", f"{repeated} repeated")


def _check_references(sql: Any, add: Add) -> None:
    for grain, column, target, target_column in _REFERENCES:
        dangling = _one(sql, f"SELECT count(*) FROM {grain} ANTI JOIN {target} ON {grain}.{column} = {target}.{target_column}")
        if dangling:
            add(Cause.DANGLING_REFERENCE, f"manifests/{grain}.parquet", f"{dangling} rows: {column}")
    for parent, child, column in (("series", "instance", "SeriesInstanceUID"), ("study", "series", "StudyInstanceUID")):
        empty = _one(sql, f"SELECT count(*) FROM {parent} ANTI JOIN {child} ON {parent}.{column} = {child}.{column}")
        if empty:
            add(Cause.DANGLING_REFERENCE, f"manifests/{parent}.parquet", f"{empty} without {child}")
    outside = _one(
        sql,
        "SELECT count(*) FROM (SELECT unnest(references_series) AS r FROM series) WHERE r NOT IN (SELECT SeriesInstanceUID FROM series)",
    )
    if outside:
        add(Cause.DANGLING_REFERENCE, "manifests/series.parquet", f"{outside}: references_series")
    misplaced = _one(
        sql,
        "SELECT count(*) FROM instance JOIN series USING (SeriesInstanceUID) "
        "WHERE object_key != s3_prefix || SOPInstanceUID || '.dcm' OR instance.series_version_id != series.series_version_id",
    )
    if misplaced:
        add(Cause.DANGLING_REFERENCE, "manifests/instance.parquet", f"{misplaced} rows: object_key")


def _check_counts(sql: Any, entry: Entry, add: Add) -> None:
    for grain, column, query, key in _SUMS:
        wrong = _one(
            sql, f"SELECT count(*) FROM {grain} LEFT JOIN ({query}) q ON {grain}.{key} = q.k WHERE {grain}.{column} IS DISTINCT FROM q.n"
        )
        if wrong:
            add(Cause.COUNTS_DISAGREE, f"manifests/{grain}.parquet", f"{wrong} rows: {column}")
    counts = entry.body.get("counts", {})
    found = {
        "patients": _one(sql, "SELECT count(*) FROM patient"),
        "studies": _one(sql, "SELECT count(*) FROM study"),
        "series": _one(sql, "SELECT count(*) FROM series"),
        "instances": _one(sql, "SELECT count(*) FROM instance"),
        "size_bytes": _one(sql, "SELECT coalesce(sum(size_bytes), 0) FROM instance"),
    }
    for name, value in found.items():
        if counts.get(name) != value:
            add(Cause.COUNTS_DISAGREE, "log", name)


def _check_release(sql: Any, entry: Entry, add: Add) -> None:
    for grain in ("study", "series", "change"):
        other = _one(sql, f"SELECT count(*) FROM {grain} WHERE release_id != $id", {"id": entry.release_id})
        if other:
            add(Cause.DANGLING_REFERENCE, f"manifests/{grain}.parquet", f"{other} rows of another release")


def _check_withdrawn(sql: Any, withdrawn: frozenset[str], add: Add) -> None:
    import pyarrow as pa

    if not withdrawn:
        return
    sql.register("withdrawn", pa.table({"uid": pa.array(sorted(withdrawn), pa.string())}))
    for column in ("StudyInstanceUID", "SeriesInstanceUID"):
        back = _one(sql, f"SELECT count(*) FROM series WHERE {column} IN (SELECT uid FROM withdrawn)")
        if back:
            add(Cause.TOMBSTONED_CONTENT, "manifests/series.parquet", f"{back} series")


def _check_digests(sql: Any, entry: Entry, add: Add) -> None:
    rows = (
        "SELECT StudyInstanceUID, i.SeriesInstanceUID, SOPInstanceUID, sha256 FROM instance i JOIN series USING (SeriesInstanceUID) "
        "ORDER BY ALL"
    )
    digests = digest_rows(sql.sql(rows))
    sql.register("computed_series", digests.series)
    sql.register("computed_study", digests.studies)
    for grain, key in (("series", "SeriesInstanceUID"), ("study", "StudyInstanceUID")):
        wrong = _one(
            sql,
            f"SELECT count(*) FROM {grain} m LEFT JOIN computed_{grain} c USING ({key}) "
            f"WHERE m.{grain}_digest IS DISTINCT FROM c.{grain}_digest "
            f"OR m.{grain}_version_id != left(m.{grain}_digest, {VERSION_ID_LENGTH})",
        )
        if wrong:
            add(Cause.DIGEST_MISMATCH, f"manifests/{grain}.parquet", f"{wrong} rows")
    if digests.root != entry.body["root"]:
        add(Cause.DIGEST_MISMATCH, "log", "root")


def _one(sql: Any, query: str, values: dict[str, str] | None = None) -> int:
    return int(sql.execute(query, values).fetchall()[0][0])
