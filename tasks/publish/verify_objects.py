"""Check the objects of one release: all there, nothing beside them, sizes; in full or sampled: bytes, preamble, UIDs, declarations.

Works from manifests that are already checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from tasks.errors import ReleaseError
from tasks.publish.canonical import sha256_hex, sha256_stream
from tasks.publish.causes import Cause
from tasks.publish.manifest_files import from_sql
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
FROM instance i JOIN series s USING (SeriesInstanceUID) JOIN study t USING (StudyInstanceUID)
"""
_SAMPLED = " ORDER BY random() LIMIT $sample"
_LISTING = {
    Cause.OBJECT_UNLISTED: "SELECT key FROM found WHERE key NOT IN (SELECT object_key FROM instance) "
    "AND regexp_replace(key, '[^/]*$', '') IN (SELECT s3_prefix FROM series) ORDER BY key",
    Cause.OBJECT_SIZE: "SELECT key FROM found JOIN instance ON key = object_key WHERE size != size_bytes ORDER BY key",
    Cause.OBJECT_MISSING: "SELECT object_key FROM instance WHERE object_key NOT IN (SELECT key FROM found) ORDER BY object_key",
}


class _Row(NamedTuple):
    """One object as the manifests describe it."""

    object_key: str
    size_bytes: int
    sha256: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    series_instance_uid: str
    study_instance_uid: str
    patient_id: str
    burned_in_annotation: str | None
    recognizable_visual_features: str | None
    temporal_info_modified: str | None
    deid_option_codes: list[str]
    inconsistent_attributes: list[str]


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
    rows = _rows(manifests, _ROWS) if full else _rows(manifests, _ROWS + _SAMPLED, sample=sample or 0)
    for cause, key, detail in bounded_map(partial(_read_object, public), map(_Row._make, rows), threads):
        if cause is not None:
            add(cause, key, detail)


def _check_listing(public: Store, manifests: Path, add: Add) -> None:
    import pyarrow as pa

    schema = pa.schema([("key", pa.string()), ("size", pa.int64())])
    with _tables(manifests) as sql:
        sql.execute("CREATE TEMP TABLE found (key VARCHAR, size BIGINT)")
        for rows in _chunks(public.sizes("series/"), 50_000):
            sql.register("batch", pa.table(dict(zip(schema.names, zip(*rows, strict=True), strict=True)), schema))
            sql.execute("INSERT INTO found SELECT * FROM batch")
        for cause, query in _LISTING.items():
            for (key,) in sql.execute(query).fetchall():
                add(cause, key, "")


def _chunks(pairs: Iterable[tuple[str, int]], size: int) -> Iterator[list[tuple[str, int]]]:
    iterator = iter(pairs)
    while chunk := list(islice(iterator, size)):
        yield chunk


@contextmanager
def _tables(manifests: Path) -> Iterator[Any]:
    """Open the manifests as views, in bounded memory."""
    import duckdb

    with duckdb.connect() as sql:
        sql.execute("SET memory_limit='512MB'; SET threads=2; SET enable_progress_bar=false; SET preserve_insertion_order=false")
        sql.execute("SET temp_directory=$folder", {"folder": str(manifests / ".spill")})
        for grain in ("study", "series", "instance"):
            sql.execute(f"CREATE VIEW {grain} AS SELECT * FROM {from_sql(manifests, grain)}")
        yield sql


def _check_sizes(public: Store, manifests: Path, threads: int, add: Add) -> None:
    def one(item: tuple[str, int]) -> tuple[Cause | None, str]:
        size = public.size(item[0])
        return (Cause.OBJECT_MISSING if size is None else Cause.OBJECT_SIZE if size != item[1] else None), item[0]

    for cause, key in bounded_map(one, _rows(manifests, "SELECT object_key, size_bytes FROM instance"), threads):
        if cause is not None:
            add(cause, key, "")


def _rows(manifests: Path, query: str, **values: int) -> Iterator[tuple[Any, ...]]:
    with _tables(manifests) as sql:
        for batch in sql.sql(query, params=values or None).to_arrow_reader(8_192):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _read_object(public: Store, row: _Row) -> tuple[Cause | None, str, str]:
    key = row.object_key
    try:
        if row.size_bytes <= _WHOLE_IN_MEMORY:
            data = public.get(key)
            digest, size, head = sha256_hex(data), len(data), data
        else:
            with public.open(key) as file:
                head = file.read(_HEADER_BYTES)
            with public.open(key) as file:
                digest, size = sha256_stream(file)
    except KeyError:
        return Cause.OBJECT_MISSING, key, ""
    if size != row.size_bytes:
        return Cause.OBJECT_SIZE, key, ""
    if digest != row.sha256:
        return Cause.OBJECT_CHANGED, key, ""
    header = read_object_header(head)
    if header is None:
        return Cause.OBJECT_IDENTITY, key, "not a DICOM file"
    if not header.preamble_is_zero:
        return Cause.OBJECT_PREAMBLE, key, ""
    return _compare(header, row, key)


def _compare(header: ObjectHeader, row: _Row, key: str) -> tuple[Cause | None, str, str]:
    identity = (
        ("sop_instance_uid", row.sop_instance_uid),
        ("sop_class_uid", row.sop_class_uid),
        ("series_instance_uid", row.series_instance_uid),
        ("study_instance_uid", row.study_instance_uid),
        ("patient_id", row.patient_id),
    )
    for name, expected in identity:
        if header.values.get(name) != expected:
            return Cause.OBJECT_IDENTITY, key, name
    if header.transfer_syntax_uid != row.transfer_syntax_uid:
        return Cause.OBJECT_IDENTITY, key, "transfer_syntax_uid"
    if header.values.get("patient_identity_removed") != "YES":
        return Cause.OBJECT_DECLARATION, key, "(0012,0062)"
    for name in _DECLARED:
        if name not in row.inconsistent_attributes and (header.values.get(name) or None) != (getattr(row, name) or None):
            return Cause.OBJECT_DECLARATION, key, name
    if not header.deid_option_codes <= set(row.deid_option_codes):
        return Cause.OBJECT_DECLARATION, key, "(0012,0064)"
    return None, key, ""
