"""Search everything below a folder for somebody's values, whatever it is: what we wrote must hold none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tasks.model import Finding
from tasks.scan.identity import SourceIdentity
from tasks.scan.texts import values_in_text

_CHUNK, _OVERLAP = 1 << 24, 1 << 10


def sweep_files(root: Path, identities: Iterable[SourceIdentity]) -> list[Finding]:
    """Search every file below `root`, names included: reports, Data Docs, logs, databases, compressed tables as they are read.

    Places are numbered by sorted path ("file 12"), since a name may be what leaked. Parquet and gzip are read, not only their bytes.
    """
    everyone = list(identities)
    found: set[tuple[str, str]] = set()
    files = sorted(p for p in root.rglob("*") if p.is_file())
    for number, path in enumerate(files):
        for identity in everyone:
            found.update((f"name of file {number}", kind) for kind in values_in_text(path.relative_to(root).as_posix(), identity))
        for part in _parts(path):
            for identity in everyone:
                found.update((f"file {number}", kind) for kind in values_in_text(part, identity))
    return [Finding("", place, kind, "T9.value", 1.0) for place, kind in sorted(found)]


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        magic = file.read(4)
        file.seek(0)
        rest = b""
        while chunk := file.read(_CHUNK):
            yield rest + chunk
            rest = chunk[-_OVERLAP:]
    if magic == b"PAR1":
        yield from _parquet_text(path)
    elif magic[:2] == b"\x1f\x8b":
        import gzip

        with gzip.open(path) as packed:
            yield packed.read(_CHUNK)


def _parquet_text(path: Path) -> Iterator[bytes]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    yield repr(file.schema_arrow.metadata).encode()
    for batch in file.iter_batches(65536):
        yield repr(batch.to_pydict()).encode("utf-8", "replace")
