"""Check the objects of one release: all there, nothing beside them, sizes; in full or sampled: bytes, preamble, UIDs, declarations.

Works from manifests that are already checked.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tasks.errors import ReleaseError
from tasks.publish.canonical import sha256_hex, sha256_stream
from tasks.publish.causes import Cause
from tasks.publish.object_header import ObjectHeader, read_object_header
from tasks.publish.objects import bounded_map
from tasks.publish.store import Store

Add = Callable[[Cause, str, str], None]
_WHOLE_IN_MEMORY = 64 << 20
_HEADER_BYTES = 1 << 20
_ROWS = """
SELECT i.object_key, i.size_bytes, i.sha256, i.SOPInstanceUID, i.SOPClassUID, i.TransferSyntaxUID, s.SeriesInstanceUID,
    s.StudyInstanceUID, s.patient_id, s.burned_in_annotation, s.recognizable_visual_features, s.temporal_info_modified,
    t.deid_option_codes, s.inconsistent_attributes
FROM read_parquet('{folder}/instance.parquet') i JOIN read_parquet('{folder}/series.parquet') s USING (SeriesInstanceUID)
    JOIN read_parquet('{folder}/study.parquet') t USING (StudyInstanceUID)
"""
_DECLARED = ("burned_in_annotation", "recognizable_visual_features", "temporal_info_modified")


def check_objects(
    public: Store, manifests: Path, *, full: bool, sample: int | None, threads: int, add: Add, note: Callable[[str], None]
) -> None:
    """Check the presence and size of every object, and read all (`full`) or `sample` random ones."""
    try:
        _check_listing(public, manifests, add)
    except ReleaseError as error:
        if getattr(error, "cause", None) != Cause.STORE_DENIED:
            raise
        note("the store does not allow listing: objects beside the listed ones cannot be seen")
        _check_sizes(public, manifests, threads, add)
    if not full and not sample:
        return
    rows: Iterable[dict[str, Any]] = _rows(manifests)
    if not full:
        everything = list(rows)
        rows = random.SystemRandom().sample(everything, min(sample or 0, len(everything)))
    for cause, key, detail in bounded_map(partial(_read_object, public), rows, threads):
        if cause is not None:
            add(cause, key, detail)


def _check_listing(public: Store, manifests: Path, add: Add) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(manifests / "instance.parquet", columns=["object_key", "size_bytes"])
    expected = dict(zip(table["object_key"].to_pylist(), table["size_bytes"].to_pylist(), strict=True))
    folders = {key.rsplit("/", 1)[0] for key in expected}
    for key, size in public.sizes("series/"):
        wanted = expected.pop(key, None)
        if wanted is None:
            if key.rsplit("/", 1)[0] in folders:
                add(Cause.OBJECT_UNLISTED, key, "")
        elif wanted != size:
            add(Cause.OBJECT_SIZE, key, "")
    for key in expected:
        add(Cause.OBJECT_MISSING, key, "")


def _check_sizes(public: Store, manifests: Path, threads: int, add: Add) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(manifests / "instance.parquet", columns=["object_key", "size_bytes"])

    def one(item: tuple[str, int]) -> tuple[Cause | None, str]:
        size = public.size(item[0])
        return (Cause.OBJECT_MISSING if size is None else Cause.OBJECT_SIZE if size != item[1] else None), item[0]

    pairs = zip(table["object_key"].to_pylist(), table["size_bytes"].to_pylist(), strict=True)
    for cause, key in bounded_map(one, pairs, threads):
        if cause is not None:
            add(cause, key, "")


def _rows(manifests: Path) -> Iterator[dict[str, Any]]:
    import duckdb

    with duckdb.connect() as sql:
        sql.execute("SET threads=1; SET enable_progress_bar=false")
        query = _ROWS.format(folder=str(manifests).replace("'", "''"))
        for batch in sql.sql(query).to_arrow_reader(8_192):
            yield from batch.to_pylist()


def _read_object(public: Store, row: dict[str, Any]) -> tuple[Cause | None, str, str]:
    key = row["object_key"]
    try:
        if row["size_bytes"] <= _WHOLE_IN_MEMORY:
            data = public.get(key)
            digest, size, head = sha256_hex(data), len(data), data
        else:
            with public.open(key) as file:
                head = file.read(_HEADER_BYTES)
            with public.open(key) as file:
                digest, size = sha256_stream(file)
    except KeyError:
        return Cause.OBJECT_MISSING, key, ""
    if size != row["size_bytes"]:
        return Cause.OBJECT_SIZE, key, ""
    if digest != row["sha256"]:
        return Cause.OBJECT_CHANGED, key, ""
    header = read_object_header(head)
    if header is None:
        return Cause.OBJECT_IDENTITY, key, "not a DICOM file"
    if not header.preamble_is_zero:
        return Cause.OBJECT_PREAMBLE, key, ""
    return _compare(header, row, key)


def _compare(header: ObjectHeader, row: dict[str, Any], key: str) -> tuple[Cause | None, str, str]:
    identity = (
        ("sop_instance_uid", row["SOPInstanceUID"]),
        ("sop_class_uid", row["SOPClassUID"]),
        ("series_instance_uid", row["SeriesInstanceUID"]),
        ("study_instance_uid", row["StudyInstanceUID"]),
        ("patient_id", row["patient_id"]),
    )
    for name, expected in identity:
        if header.values.get(name) != expected:
            return Cause.OBJECT_IDENTITY, key, name
    if header.transfer_syntax_uid != row["TransferSyntaxUID"]:
        return Cause.OBJECT_IDENTITY, key, "transfer_syntax_uid"
    if header.values.get("patient_identity_removed") != "YES":
        return Cause.OBJECT_DECLARATION, key, "(0012,0062)"
    for name in _DECLARED:
        if name not in row["inconsistent_attributes"] and (header.values.get(name) or None) != (row[name] or None):
            return Cause.OBJECT_DECLARATION, key, name
    if not header.deid_option_codes <= set(row["deid_option_codes"]):
        return Cause.OBJECT_DECLARATION, key, "(0012,0064)"
    return None, key, ""
