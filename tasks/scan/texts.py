"""The patient's values in any text or file that we write: object keys, manifest rows, reports, logs, databases (T1, T9).

Objects are searched in `search`; here everything counts as text, whatever it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tasks.model import Finding
from tasks.scan.identity import SourceIdentity
from tasks.scan.needles import stands_alone
from tasks.scan.search import automaton
from tasks.scan.walk import PIXELS, Walk

WITHOUT_WORDS = frozenset(("SQ", "US", "FD", "FL", "UL", "SS", "SL", "UV", "SV", "AT", "UI", "DA", "DT", "TM", "AS"))
"""Value representations that hold numbers, days or UIDs: a day is no record number, though both may have eight digits."""
NUMBERS = frozenset(("IS", "DS"))
_LONG_NUMBER = re.compile(rb"\d{7}")
_LONGEST_TEXT = 1 << 20
_SHORTEST_TEXT = 3
_SHORTEST_IN_FILES = 4
_CHUNK, _OVERLAP = 1 << 24, 1 << 10


def texts_of(walk: Walk) -> set[tuple[str, str, bytes]]:
    """Return (place without item numbers, VR, raw value) of everything in an object that may hold words or ids, but its pixels."""
    found: set[tuple[str, str, bytes]] = set()
    for number, element in enumerate(walk.elements):
        length = element.end - element.start
        if element.vr in WITHOUT_WORDS or not _SHORTEST_TEXT <= length <= _LONGEST_TEXT or element.tag in PIXELS:
            continue
        raw = walk.value(element)
        if element.vr not in NUMBERS or _LONG_NUMBER.search(raw):
            found.add((_ITEM_NUMBER.sub("[]", walk.place(number)), element.vr, raw))
    return found


_ITEM_NUMBER = re.compile(r"\[\d+\]")


def values_in_text(text: str | bytes, identity: SourceIdentity) -> set[str]:
    """Return the kinds of the identity's values that a text holds."""
    machine = automaton(identity)
    if machine is None:
        return set()
    raw = (text.encode("utf-8") if isinstance(text, str) else text).lower()
    found: set[str] = set()
    for last, entries in machine.iter(raw.decode("latin-1")):
        for kind, _, guard, length in entries:
            if kind not in found and length >= _SHORTEST_IN_FILES and stands_alone(raw, last + 1 - length, last + 1, guard):
                found.add(kind)
    return found


def sweep_texts(texts: Mapping[str, str], identities: Iterable[SourceIdentity]) -> list[Finding]:
    """Search texts by place (object keys, table cells, log lines) for every identity's values; places must be value-free."""
    found = {(place, kind) for identity in identities for place, text in texts.items() for kind in values_in_text(text, identity)}
    return [Finding("", place, kind, "T9.value", 1.0) for place, kind in sorted(found)]


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
