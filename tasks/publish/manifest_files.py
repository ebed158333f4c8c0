"""How the manifests of a release are kept in files: `instance.parquet`, or `instance-0001.parquet`, … where one would be too large.

What is in them is in `manifest_schemas.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa

from tasks.publish.canonical import open_parquet, row_groups
from tasks.publish.manifest_schemas import MANIFESTS, manifest_schema

SPLIT_BYTES = 256 << 20
_LOOKED_UP = {"instance": "SOPInstanceUID"}
"""Columns by which people look for one row, though the file is sorted by another."""
_NAME = re.compile(r"(?P<grain>[a-z]+)(?:-\d{4,})?\.parquet")


def write_grain(batches: Iterator[pa.RecordBatch], grain: str, folder: Path) -> int:
    """Write one grain's rows, a new part after every 256 MB; return the row count. A reader finds them by `<grain>*.parquet`."""
    schema = manifest_schema(grain)
    rows, groups, more = 0, row_groups(batches), True
    first = next(groups, None)
    largest = first.num_rows if first is not None else 0
    groups = chain([first] if first is not None else [], groups)
    parts: list[Path] = []
    while more:
        path = folder / f"{grain}-{len(parts) + 1:04d}.parquet"
        parts.append(path)
        more = False
        with path.open("wb") as file, open_parquet(file, schema, _LOOKED_UP.get(grain, ""), largest) as writer:
            for group in groups:
                writer.write_table(group.cast(schema), row_group_size=group.num_rows)
                rows += group.num_rows
                if file.tell() >= SPLIT_BYTES:
                    more = True
                    break
    last = parts[-1]
    if len(parts) > 1 and _is_empty(last):
        parts.remove(last)
        last.unlink()
    if len(parts) == 1:
        parts[0].replace(folder / f"{grain}.parquet")
    return rows


def grain_of(name: str) -> str | None:
    """Return the grain that a file of `manifests/` is of, by its name; None when it is no manifest's."""
    match = _NAME.fullmatch(name.rsplit("/", 1)[-1])
    return match["grain"] if match and match["grain"] in MANIFESTS else None


def listed_parts(names: Iterable[str], grain: str) -> list[str]:
    """Return, in order, the names (paths in the release) of the files of one grain."""
    return sorted(name for name in names if name.startswith("manifests/") and grain_of(name) == grain)


def parts(folder: Path, grain: str) -> list[Path]:
    """Return the local files of one grain, in order."""
    return sorted(path for path in folder.glob(f"{grain}*.parquet") if grain_of(path.name) == grain)


def read_grain(folder: Path, grain: str, columns: list[str]) -> pa.Table:
    """Read some columns of one grain into memory."""
    import pyarrow.parquet as pq

    return pa.concat_tables(pq.read_table(path, columns=columns) for path in parts(folder, grain))


def from_sql(folder: Path, grain: str) -> str:
    """Return what stands for one grain in a FROM clause of DuckDB."""
    return "read_parquet([{}])".format(", ".join(f"'{quoted(path)}'" for path in parts(folder, grain)))


def quoted(path: Path) -> str:
    """Return a path as it stands between quotes in SQL."""
    return str(path).replace("'", "''")


def _is_empty(path: Path) -> bool:
    import pyarrow.parquet as pq

    return bool(pq.read_metadata(path).num_rows == 0)
