"""Fill the manifests of a release from the candidate's instances, in SQL over Parquet, in bounded memory.

The columns are in `manifest_schemas.py`; reading and writing stores does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.publish.digests import ReleaseDigests
from tasks.publish.manifest_files import from_sql, quoted, write_grain
from tasks.publish.manifest_schemas import MANIFESTS

MEMORY_LIMIT = "384MB"

_SAME_IN_SERIES = {
    # column of the series manifest: column of INSTANCES, null and listed in inconsistent_attributes where instances disagree
    "Modality": "Modality",
    "ImageType": "ImageType",
    "SeriesNumber": "SeriesNumber",
    "SeriesDescription": "SeriesDescription",
    "BodyPartExamined": "BodyPartExamined",
    "Laterality": "Laterality",
    "Manufacturer": "Manufacturer",
    "ManufacturerModelName": "ManufacturerModelName",
    "MagneticFieldStrength": "MagneticFieldStrength",
    "KVP": "KVP",
    "SliceThickness": "SliceThickness",
    "SpacingBetweenSlices": "SpacingBetweenSlices",
    "pixel_spacing_row_mm": "pixel_spacing_row_mm",
    "pixel_spacing_col_mm": "pixel_spacing_col_mm",
    "RepetitionTime": "RepetitionTime",
    "EchoTime": "EchoTime",
    "FlipAngle": "FlipAngle",
    "ConvolutionKernel": "ConvolutionKernel",
    "contrast_agent": "ContrastBolusAgent",
    "Rows": "Rows",
    "Columns": "Columns",
    "BitsStored": "BitsStored",
    "face_in_fov": "face_in_fov",
    "defacing_method": "defacing_method",
    "burned_in_annotation": "BurnedInAnnotation",
    "recognizable_visual_features": "RecognizableVisualFeatures",
    "temporal_info_modified": "LongitudinalTemporalInformationModified",
}

_GEOMETRY = """
CREATE TEMP TABLE placed AS
WITH oriented AS (
    SELECT SeriesInstanceUID, SOPInstanceUID, InstanceNumber,
        CASE WHEN len(ImageOrientationPatient) = 6 AND len(ImagePositionPatient) = 3 AND coalesce(NumberOfFrames, 1) = 1
            THEN ImageOrientationPatient END AS o,
        ImagePositionPatient AS p
    FROM source
), normals AS (
    SELECT *, o[2]*o[6] - o[3]*o[5] AS nx, o[3]*o[4] - o[1]*o[6] AS ny, o[1]*o[5] - o[2]*o[4] AS nz FROM oriented
)
SELECT SeriesInstanceUID, SOPInstanceUID, InstanceNumber,
    round(nx*p[1] + ny*p[2] + nz*p[3], 4) AS slice_position_mm,
    CASE WHEN o IS NOT NULL THEN
        concat_ws(' ', round(o[1],3)+0.0, round(o[2],3)+0.0, round(o[3],3)+0.0, round(o[4],3)+0.0, round(o[5],3)+0.0, round(o[6],3)+0.0)
    END AS orientation,
    degrees(acos(least(1.0, greatest(abs(nx), abs(ny), abs(nz)) / nullif(sqrt(nx*nx + ny*ny + nz*nz), 0)))) AS obliquity
FROM normals
"""

_VOLUMES = """
CREATE TEMP TABLE volumes AS
WITH gaps AS (
    SELECT *, slice_position_mm
            - lag(slice_position_mm) OVER (PARTITION BY SeriesInstanceUID ORDER BY slice_position_mm, SOPInstanceUID) AS gap
    FROM placed
), measured AS (
    SELECT SeriesInstanceUID, count(*) AS n, count(slice_position_mm) AS positioned, count(DISTINCT orientation) AS orientations,
        min(gap) AS smallest, max(gap) AS largest, median(gap) FILTER (gap > 0.001) AS usual, max(obliquity) AS obliquity
    FROM gaps GROUP BY ALL
)
SELECT m.SeriesInstanceUID,
    CASE WHEN positioned = n THEN orientations = 1 END AS single_orientation,
    CASE WHEN positioned = n AND n >= 3 THEN orientations = 1 AND smallest > 0.001 AND largest - smallest <= greatest(0.01, usual * 0.01)
    END AS uniform_slice_spacing,
    CASE WHEN positioned = n AND n >= 2 AND orientations = 1 THEN coalesce(g.missing, 0) END AS missing_slices,
    CASE WHEN positioned = n AND orientations = 1 THEN round(obliquity, 2) END AS obliquity_degrees
FROM measured m LEFT JOIN (
    SELECT gaps.SeriesInstanceUID, sum(greatest(round(gap / usual) - 1, 0)) AS missing
    FROM gaps JOIN measured USING (SeriesInstanceUID) WHERE gap > 0.001 AND usual > 0 GROUP BY ALL
) g USING (SeriesInstanceUID)
"""


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """What is the same in every row of a release."""

    dataset_id: str
    release_id: str
    access_tier: str
    license_spdx: str
    deid_policy_id: str


def write_manifests(
    instances: Path, digests: ReleaseDigests, facts: ReleaseFacts, into: Path, *, previous: Path | None = None, gone: str = "retired"
) -> dict[str, int]:
    """Write the files of every grain into the folder; return the row counts.

    `instances` is a Parquet file of INSTANCES rows; `previous` is a folder with the previous release's
    study and series manifests. `gone` says what happened to series that are no longer there: retired or withdrawn.
    """
    import duckdb

    into.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as sql:
        sql.execute(f"SET memory_limit='{MEMORY_LIMIT}'; SET threads=2; SET preserve_insertion_order=false")
        sql.execute(f"SET temp_directory='{quoted(into / '.spill')}'; SET enable_progress_bar=false; SET TimeZone='UTC'")
        sql.execute(f"CREATE VIEW source AS SELECT * FROM read_parquet('{quoted(instances)}')")
        for name, table in (("series", digests.series), ("studies", digests.studies)):
            sql.register(f"{name}_arrow", table)
            sql.execute(f"CREATE TEMP TABLE {name}_digest AS SELECT * FROM {name}_arrow")
        _load_previous(sql, previous)
        for statement in (_GEOMETRY, _VOLUMES, _first_studies(), _patients()):
            sql.execute(statement)
        values = dict(zip(("dataset_id", "release_id", "access_tier", "license_spdx", "deid_policy_id"), _facts(facts), strict=True))
        rows = {
            "instance": _write(sql, "instance", _instance_query(), into, {}),
            "series": _write(sql, "series", _series_query(), into, values),
            "study": _write(sql, "study", _study_query(), into, values),
            "patient": _write(sql, "patient", "SELECT * FROM patients ORDER BY patient_id", into, {}),
            "change": _write(sql, "change", _change_query(gone), into, {"release_id": facts.release_id}),
        }
    _remove_spill(into / ".spill")
    return rows


def _facts(facts: ReleaseFacts) -> tuple[str, ...]:
    return (facts.dataset_id, facts.release_id, facts.access_tier, facts.license_spdx, facts.deid_policy_id)


def _write(sql: Any, grain: str, query: str, into: Path, values: Mapping[str, str]) -> int:
    used = {name: value for name, value in values.items() if f"${name}" in query}
    reader = sql.sql(query, params=used or None).to_arrow_reader(16_384)
    names = [c.name for c in MANIFESTS[grain]]
    return write_grain((batch.select(names) for batch in reader), grain, into)


def _load_previous(sql: Any, previous: Path | None) -> None:
    versions = {"study": "StudyInstanceUID, study_version_id", "series": "StudyInstanceUID, SeriesInstanceUID, series_version_id"}
    for grain, version in versions.items():
        columns = f"{version}, first_release_id, revised_release_id"
        if previous is None:
            sql.execute(f"CREATE TEMP TABLE previous_{grain} ({columns.replace(',', ' VARCHAR,')} VARCHAR)")
        else:
            sql.execute(f"CREATE TEMP TABLE previous_{grain} AS SELECT {columns} FROM {from_sql(previous, grain)}")


def _first_studies() -> str:
    return """
CREATE TEMP TABLE studies AS
WITH s AS (
    SELECT PatientID AS patient_id, StudyInstanceUID,
        CASE WHEN min(StudyDate) = max(StudyDate) THEN min(StudyDate) END AS StudyDate,
        CASE WHEN min(patient_age_years) = max(patient_age_years) THEN least(min(patient_age_years), 90) END AS patient_age_years,
        CASE WHEN min(PatientSex) = max(PatientSex) THEN min(PatientSex) END AS PatientSex,
        list_sort(list(DISTINCT Modality) FILTER (Modality IS NOT NULL)) AS ModalitiesInStudy,
        list_sort(list(DISTINCT BodyPartExamined) FILTER (BodyPartExamined IS NOT NULL)) AS body_parts,
        count(DISTINCT SeriesInstanceUID) AS series_count, count(*) AS instance_count, sum(size_bytes)::BIGINT AS size_bytes,
        list_sort(list_distinct(flatten(list(DISTINCT deid_option_codes) FILTER (deid_option_codes IS NOT NULL)))) AS deid_option_codes
    FROM source GROUP BY ALL
)
SELECT *, StudyDate - min(StudyDate) OVER (PARTITION BY patient_id) AS days_since_first_study,
    row_number() OVER (PARTITION BY patient_id ORDER BY StudyDate NULLS LAST, StudyInstanceUID) AS study_index_in_patient
FROM s
"""


def _patients() -> str:
    # The split is a function of the pseudonym alone, so that a patient never moves between splits from release to release.
    return """
CREATE TEMP TABLE patients AS
SELECT patient_id,
    CASE WHEN min(PatientSex) = max(PatientSex) THEN min(PatientSex) END AS PatientSex,
    CASE WHEN arg_min(patient_age_years, study_index_in_patient) >= 90 THEN '90+'
        ELSE (arg_min(patient_age_years, study_index_in_patient) // 10 * 10)::VARCHAR || '-'
            || (arg_min(patient_age_years, study_index_in_patient) // 10 * 10 + 9)::VARCHAR END AS age_band,
    count(*) AS study_count,
    CASE WHEN bucket < 8 THEN 'train' WHEN bucket = 8 THEN 'validation' ELSE 'test' END AS split
FROM (SELECT *, ('0x' || substr(sha256('split ' || patient_id), 1, 8))::BIGINT % 10 AS bucket FROM studies)
GROUP BY patient_id, bucket
"""


def _instance_query() -> str:
    return """
SELECT s.SeriesInstanceUID, s.SOPInstanceUID, s.SOPClassUID, s.TransferSyntaxUID, left(d.series_digest, 32) AS series_version_id,
    s.InstanceNumber,
    row_number() OVER (PARTITION BY s.SeriesInstanceUID
        ORDER BY p.slice_position_mm NULLS LAST, s.InstanceNumber NULLS LAST, s.SOPInstanceUID)::INTEGER AS instance_order,
    p.slice_position_mm, greatest(coalesce(s.NumberOfFrames, 1), 1) AS NumberOfFrames,
    'series/' || left(d.series_digest, 2) || '/' || left(d.series_digest, 32) || '/' || s.SOPInstanceUID || '.dcm' AS object_key,
    s.size_bytes, s.sha256, s.pixel_data_offset, s.pixel_data_length
FROM source s JOIN series_digest d USING (SeriesInstanceUID) JOIN placed p USING (SOPInstanceUID)
ORDER BY s.SeriesInstanceUID, instance_order
"""


def _series_query() -> str:
    same = ",\n".join(
        f'CASE WHEN min("{c}") IS NOT DISTINCT FROM max("{c}") THEN min("{c}") END AS "{n}"' for n, c in _SAME_IN_SERIES.items()
    )
    differing = ", ".join(f'CASE WHEN min("{c}") IS DISTINCT FROM max("{c}") THEN \'{n}\' END' for n, c in _SAME_IN_SERIES.items())
    return f"""
WITH references_ AS (
    SELECT SeriesInstanceUID, list_sort(list(DISTINCT r)) AS references_series
    FROM (SELECT DISTINCT SeriesInstanceUID, unnest(references_series) AS r FROM source)
    WHERE r IN (SELECT SeriesInstanceUID FROM series_digest) GROUP BY ALL
), grouped AS (
    SELECT PatientID AS patient_id, StudyInstanceUID, SeriesInstanceUID,
        {same},
        list_filter([{differing}], lambda x: x IS NOT NULL) AS inconsistent_attributes,
        list_sort(list(DISTINCT SOPClassUID)) AS SOPClassUIDs, list_sort(list(DISTINCT TransferSyntaxUID)) AS TransferSyntaxUIDs,
        coalesce(list_sort(list(DISTINCT PhotometricInterpretation) FILTER (PhotometricInterpretation IS NOT NULL)), [])
            AS PhotometricInterpretations,
        sum(greatest(coalesce(NumberOfFrames, 1), 1))::BIGINT AS frame_count,
        coalesce(bool_or(LossyImageCompression = '01'), false) AS lossy_compressed,
        count(*) AS instance_count, sum(size_bytes)::BIGINT AS size_bytes,
        coalesce(bool_or(face_verdict = 'defaced'), false) AS defacing_applied,
        coalesce(bool_or(blanked_regions > 0), false) AS pixel_masking_applied
    FROM source GROUP BY ALL
)
SELECT $dataset_id AS dataset_id, $release_id AS release_id, $access_tier AS access_tier, g.*,
    left(d.series_digest, 32) AS series_version_id, d.series_digest, v.single_orientation, v.uniform_slice_spacing,
    v.uniform_slice_spacing AND g."Rows" IS NOT NULL AND g."Columns" IS NOT NULL AND g.pixel_spacing_row_mm IS NOT NULL
        AS regularly_spaced_3d_volume,
    v.missing_slices::INTEGER AS missing_slices, v.obliquity_degrees,
    coalesce(r.references_series, []) AS references_series,
    'series/' || left(d.series_digest, 2) || '/' || left(d.series_digest, 32) || '/' AS s3_prefix,
    coalesce(o.first_release_id, $release_id) AS first_release_id,
    CASE WHEN o.series_version_id = left(d.series_digest, 32) THEN o.revised_release_id ELSE $release_id END AS revised_release_id
FROM grouped g JOIN series_digest d USING (SeriesInstanceUID) LEFT JOIN volumes v USING (SeriesInstanceUID)
    LEFT JOIN references_ r USING (SeriesInstanceUID) LEFT JOIN previous_series o USING (SeriesInstanceUID)
ORDER BY patient_id, g.StudyInstanceUID, g.SeriesInstanceUID
"""


def _study_query() -> str:
    return """
SELECT $dataset_id AS dataset_id, $release_id AS release_id, $access_tier AS access_tier, s.*,
    left(d.study_digest, 32) AS study_version_id, d.study_digest, p.split, $license_spdx AS license_spdx, $deid_policy_id AS deid_policy_id,
    coalesce(o.first_release_id, $release_id) AS first_release_id,
    CASE WHEN o.study_version_id = left(d.study_digest, 32) THEN o.revised_release_id ELSE $release_id END AS revised_release_id
FROM (SELECT * REPLACE (coalesce(ModalitiesInStudy, []) AS ModalitiesInStudy, coalesce(body_parts, []) AS body_parts,
        coalesce(deid_option_codes, []) AS deid_option_codes) FROM studies) s
    JOIN studies_digest d USING (StudyInstanceUID) JOIN patients p USING (patient_id) LEFT JOIN previous_study o USING (StudyInstanceUID)
ORDER BY patient_id, study_index_in_patient
"""


def _change_query(gone: str) -> str:
    if gone not in ("retired", "withdrawn"):
        raise ValueError("gone")
    return f"""
WITH now AS (
    SELECT DISTINCT s.StudyInstanceUID, d.SeriesInstanceUID, left(d.series_digest, 32) AS version
    FROM series_digest d JOIN (SELECT DISTINCT StudyInstanceUID, SeriesInstanceUID FROM source) s USING (SeriesInstanceUID)
)
SELECT CASE WHEN o.series_version_id IS NULL THEN 'added' WHEN now.version IS NULL THEN '{gone}' ELSE 'revised' END AS change,
    $release_id AS release_id, coalesce(now.StudyInstanceUID, o.StudyInstanceUID) AS StudyInstanceUID, SeriesInstanceUID,
    now.version AS series_version_id, o.series_version_id AS previous_series_version_id
FROM now FULL JOIN previous_series o USING (SeriesInstanceUID)
WHERE now.version IS DISTINCT FROM o.series_version_id
ORDER BY SeriesInstanceUID
"""


def _remove_spill(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
