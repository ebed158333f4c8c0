"""Build the manifests of a release without its withdrawn series, from the manifests that were published.

Which series are withdrawn, and the commit, do not belong here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.publish.digests import ReleaseDigests, digest_rows
from tasks.publish.manifest_files import from_sql, quoted, write_grain
from tasks.publish.manifest_schemas import MANIFESTS

_QUERIES = {
    "instance": "SELECT i.* FROM old_instance i JOIN kept USING (SeriesInstanceUID) ORDER BY SeriesInstanceUID, instance_order",
    "series": """
SELECT s.* REPLACE ($release_id AS release_id, list_filter(references_series, lambda x: NOT list_contains(w.uids, x)) AS references_series)
FROM old_series s JOIN kept USING (SeriesInstanceUID) CROSS JOIN (SELECT coalesce(list(uid), []) AS uids FROM withdrawn) w
ORDER BY patient_id, StudyInstanceUID, SeriesInstanceUID
""",
    "study": """
WITH now AS (
    SELECT StudyInstanceUID, count(*) AS series_count, sum(instance_count)::BIGINT AS instance_count, sum(size_bytes)::BIGINT AS size_bytes,
        coalesce(list_sort(list(DISTINCT Modality) FILTER (Modality IS NOT NULL)), []) AS ModalitiesInStudy,
        coalesce(list_sort(list(DISTINCT BodyPartExamined) FILTER (BodyPartExamined IS NOT NULL)), []) AS body_parts
    FROM old_series JOIN kept USING (SeriesInstanceUID) GROUP BY 1
)
SELECT t.* REPLACE ($release_id AS release_id, d.study_digest AS study_digest, left(d.study_digest, 32) AS study_version_id,
    now.series_count AS series_count, now.instance_count AS instance_count, now.size_bytes AS size_bytes,
    now.ModalitiesInStudy AS ModalitiesInStudy, now.body_parts AS body_parts,
    (t.StudyDate - min(t.StudyDate) OVER (PARTITION BY patient_id)) AS days_since_first_study,
    row_number() OVER (PARTITION BY patient_id ORDER BY study_index_in_patient)::INTEGER AS study_index_in_patient,
    CASE WHEN d.study_digest = t.study_digest THEN t.revised_release_id ELSE $release_id END AS revised_release_id)
FROM old_study t JOIN now USING (StudyInstanceUID) JOIN study_digests d USING (StudyInstanceUID)
ORDER BY patient_id, study_index_in_patient
""",
    "patient": """
SELECT p.* REPLACE (now.n AS study_count)
FROM old_patient p JOIN (SELECT patient_id, count(DISTINCT StudyInstanceUID) AS n FROM old_series JOIN kept USING (SeriesInstanceUID)
    GROUP BY 1) now USING (patient_id)
ORDER BY patient_id
""",
}
_CHANGE_HEAD = """
SELECT 'withdrawn' AS change, $release_id AS release_id, StudyInstanceUID, SeriesInstanceUID, NULL::VARCHAR AS series_version_id,
    series_version_id AS previous_series_version_id
FROM old_series WHERE SeriesInstanceUID IN (SELECT uid FROM withdrawn) ORDER BY SeriesInstanceUID
"""
_CHANGE_REISSUE = """
SELECT * REPLACE ($release_id AS release_id) FROM old_change WHERE SeriesInstanceUID NOT IN (SELECT uid FROM withdrawn)
ORDER BY SeriesInstanceUID
"""


def redact_manifests(
    old: Path, withdrawn_series: frozenset[str], release_id: str, into: Path, *, is_head: bool
) -> tuple[ReleaseDigests, dict[str, int]]:
    """Write the manifests without the withdrawn series into a folder; return the new digests and counts.

    `is_head`: the change manifest says what was withdrawn; else it is the old one without the withdrawn rows.
    """
    import duckdb

    into.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as sql:
        sql.execute(
            f"SET memory_limit='512MB'; SET threads=2; SET enable_progress_bar=false; SET temp_directory='{quoted(into / '.spill')}'"
        )
        for grain in MANIFESTS:
            sql.execute(f"CREATE VIEW old_{grain} AS SELECT * FROM {from_sql(old, grain)}")
        sql.register("withdrawn_arrow", pa.table({"uid": pa.array(sorted(withdrawn_series), pa.string())}))
        sql.execute("CREATE TEMP TABLE withdrawn AS SELECT * FROM withdrawn_arrow")
        sql.execute(
            "CREATE TEMP TABLE kept AS SELECT SeriesInstanceUID FROM old_series WHERE SeriesInstanceUID NOT IN (SELECT uid FROM withdrawn)"
        )
        rows = (
            "SELECT StudyInstanceUID, i.SeriesInstanceUID, SOPInstanceUID, sha256 FROM old_instance i JOIN kept USING (SeriesInstanceUID) "
            "JOIN old_series USING (SeriesInstanceUID) ORDER BY ALL"
        )
        digests = digest_rows(sql.sql(rows))
        sql.register("study_digests_arrow", digests.studies)
        sql.execute("CREATE TEMP TABLE study_digests AS SELECT * FROM study_digests_arrow")
        queries = {**_QUERIES, "change": _CHANGE_HEAD if is_head else _CHANGE_REISSUE}
        written = {grain: _write(sql, grain, query, release_id, into) for grain, query in queries.items()}
        size = int(sql.execute("SELECT coalesce(sum(size_bytes), 0) FROM old_series JOIN kept USING (SeriesInstanceUID)").fetchall()[0][0])
    _remove_spill(into / ".spill")
    counts = {"patients": written["patient"], "studies": written["study"], "series": written["series"], "instances": written["instance"]}
    return digests, {**counts, "size_bytes": size}


def _write(sql: Any, grain: str, query: str, release_id: str, into: Path) -> int:
    values = {"release_id": release_id} if "$release_id" in query else None
    names = [c.name for c in MANIFESTS[grain]]
    reader = sql.sql(query, params=values).to_arrow_reader(16_384)
    return write_grain((batch.select(names) for batch in reader), grain, into)


def _remove_spill(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
