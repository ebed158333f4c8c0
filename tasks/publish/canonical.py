"""Bytes that are the same wherever they are made: canonical JSON, Parquet files, streamed sha256.

What the bytes mean does not belong here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    import pyarrow.parquet as pq

ROW_GROUP_ROWS = 65_536
_CHUNK = 1 << 20


def canonical_json(value: Any) -> bytes:
    """Return compact JSON with sorted keys: what is signed and digested."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def readable_json(value: Any) -> bytes:
    """Return indented JSON with sorted keys: what people open."""
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def sha256_hex(data: bytes) -> str:
    """Return the sha256 of the bytes in hex."""
    return hashlib.sha256(data).hexdigest()


def sha256_stream(file: IO[bytes]) -> tuple[str, int]:
    """Return (sha256 in hex, size in bytes) of an open file, in bounded memory."""
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def write_parquet(batches: pa.Table | Iterator[pa.RecordBatch], schema: pa.Schema, where: Any) -> int:
    """Write rows as Parquet (zstd, page index, page checksums, 64k row groups, no metadata of ours); return the row count.

    Same rows, same order, same pyarrow: same bytes.
    """
    rows = 0
    with open_parquet(where, schema) as writer:
        if isinstance(batches, pa.Table):
            writer.write_table(batches.cast(schema), row_group_size=ROW_GROUP_ROWS)
            return int(batches.num_rows)
        for group in row_groups(batches):
            writer.write_table(group.cast(schema), row_group_size=ROW_GROUP_ROWS)
            rows += group.num_rows
    return rows


def open_parquet(where: Any, schema: pa.Schema, looked_up: str = "", rows: int = 0) -> pq.ParquetWriter:
    """Open a Parquet file for writing in our one form.

    `looked_up` is a column of unique values in no order, of which one is looked for at a time: with its Bloom filter, for `rows` values
    in a row group, a reader decodes one group instead of all.
    """
    import pyarrow.parquet as pq

    return pq.ParquetWriter(
        where,
        schema.remove_metadata(),
        compression="zstd",
        compression_level=3,
        write_statistics=True,
        write_page_index=True,
        write_page_checksum=True,
        bloom_filter_options={looked_up: {"ndv": rows, "fpp": 0.01}} if looked_up and rows else None,
        store_schema=False,
    )


def row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield the rows again in tables of one row group each; the last may be smaller."""
    pending: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        pending.append(batch)
        held += batch.num_rows
        while held >= ROW_GROUP_ROWS:
            table = pa.Table.from_batches(pending)
            yield table.slice(0, ROW_GROUP_ROWS)
            rest = table.slice(ROW_GROUP_ROWS)
            pending, held = rest.to_batches(), rest.num_rows
    if held:
        yield pa.Table.from_batches(pending)
