"""Copy approved series objects from the private to the public side, each put once, its bytes checked on the way.

Which objects are approved does not belong here, nor do manifests.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from tasks.publish.canonical import sha256_hex, sha256_stream
from tasks.publish.causes import Cause, refuse
from tasks.publish.digests import ReleaseDigests, series_prefix
from tasks.publish.manifest_files import quoted
from tasks.publish.scratch import scratch_folder
from tasks.publish.store import Store

_WHOLE_IN_MEMORY = 64 << 20
_TOGETHER_BYTES = 4 << 20
_UNDER_WAY = 8  # calls per thread: a slow one does not make the others wait
_SHUFFLED = """
SELECT quarantine_key, series_digest, SOPInstanceUID, size_bytes, sha256
FROM read_parquet('{}') JOIN digests USING (SeriesInstanceUID) ORDER BY md5($salt || SOPInstanceUID)
"""
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Transfer:
    """One object to publish: where it is, where it goes, and what it must be."""

    source_key: str
    public_key: str
    size_bytes: int
    sha256: str


def put_objects(private: Store, public: Store, transfers: Iterable[Transfer], *, threads: int = 8) -> int:
    """Put every object if absent, checking its bytes against the frozen digest first; return how many were new.

    Their order is the caller's (`random_transfers`). All are durable when this returns, not before: they are put a few at a time.
    """
    return sum(bounded_map(partial(_put, private, public), _few(transfers, public.together), threads))


def _few(transfers: Iterable[Transfer], together: int) -> Iterator[list[Transfer]]:
    few: list[Transfer] = []
    size = 0
    for transfer in transfers:
        few.append(transfer)
        size += transfer.size_bytes
        if len(few) >= together or size >= _TOGETHER_BYTES:
            yield few
            few, size = [], 0
    if few:
        yield few


def random_transfers(instances: Path, digests: ReleaseDigests) -> Iterator[Transfer]:
    """Yield what to put for the INSTANCES rows of a Parquet file, in bounded memory.

    # PRIVACY: the order is random, since the order of uploads would tell the order of examinations: tests/publish/test_many_parts.py.
    """
    import duckdb

    with duckdb.connect() as sql, scratch_folder("order") as spill:
        sql.execute("SET memory_limit='256MB'; SET threads=1; SET enable_progress_bar=false; SET preserve_insertion_order=false")
        sql.execute("SET temp_directory=$folder", {"folder": str(spill)})
        sql.register("digests", digests.series.select(["SeriesInstanceUID", "series_digest"]))
        query = _SHUFFLED.format(quoted(instances))
        for batch in sql.sql(query, params={"salt": secrets.token_hex(16)}).to_arrow_reader(4_096):
            for source, digest, sop, size, sha256 in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield Transfer(source, f"{series_prefix(digest)}{sop}.dcm", size, sha256)


def _put(private: Store, public: Store, transfers: list[Transfer]) -> int:
    taken = public.put_all([(t.public_key, _checked(private, t)) for t in transfers])
    for transfer in transfers:
        if transfer.public_key in taken:
            with public.open(transfer.public_key) as file:
                if sha256_stream(file)[0] != transfer.sha256:
                    raise refuse(Cause.OBJECT_CONFLICT, transfer.public_key)
    return len(transfers) - len(taken)


def _checked(private: Store, transfer: Transfer) -> bytes | Path:
    """Return what to put: the very bytes that were digested, or a large local file."""
    try:
        if transfer.size_bytes > _WHOLE_IN_MEMORY and (path := private.local_path(transfer.source_key)) is not None:
            with path.open("rb") as file:
                digest, _ = sha256_stream(file)
            data: bytes | Path = path
        else:
            content = private.get(transfer.source_key)
            digest, data = sha256_hex(content), content
    except (KeyError, FileNotFoundError):
        raise refuse(Cause.CANDIDATE_CHANGED, "quarantine", "an object is missing") from None
    if digest != transfer.sha256:
        raise refuse(Cause.CANDIDATE_CHANGED, "quarantine", "an object was changed")
    return data


def bounded_map(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Apply the function on a few threads, a bounded number of items under way; yield results in order. The first error stops all."""
    with ThreadPoolExecutor(threads) as pool:
        running: deque[Future[R]] = deque()
        try:
            for item in items:
                running.append(pool.submit(function, item))
                if len(running) >= threads * _UNDER_WAY:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
