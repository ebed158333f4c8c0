"""Any tree of files as an archive: indexed by header, grouped into studies, pulled by copying; zip members are files too.

Where the files lie (a folder, a bucket) is the tree's matter. Nothing here writes to the archive.
"""

from __future__ import annotations

import errno
import hashlib
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from tasks.archive import index as table
from tasks.archive.cohort import StudyFacts, read_cohort
from tasks.archive.header import Header, ReadAt, read_header
from tasks.archive.index import Entry, FileIndex
from tasks.archive.zipfiles import Failures, is_zip, members, open_zip, unpack, within_limits
from tasks.errors import ReleaseError
from tasks.model import PulledFile, StudyRef
from tasks.secret import Secret
from tasks.spec import Cohort

STRAY_BATCH = 100
HEADER_BYTES = 256 << 10  # holds the header of an object without long private data
STRAY_BYTES = 512 << 20  # of a file that belongs to no study: enough to say what it is
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Found:
    """One file of a tree as it is now: `stamp` and `changed` differ when its bytes do. Unreadable: it is there, and that is all."""

    folder: bytes = field(repr=False)
    name: bytes = field(repr=False)
    size: int = 0
    stamp: int | str = 0
    changed: int = 0
    readable: bool = True


class ChangedError(Exception):
    """A file is not what the index says of it."""


class Tree(Protocol):
    """Files to read: a folder or a bucket."""

    readers: int  # how many headers may be read at once

    def walk(self) -> Iterator[Found]:
        """Yield every file once. Raises ReleaseError when the tree is not there."""
        ...

    def open(self, folder: bytes, name: bytes) -> BinaryIO:
        """Open one file for reading at any place. Raises OSError."""
        ...

    def copy(self, entry: Entry, target: Path, limit: int | None) -> None:
        """Copy one file (the first `limit` bytes of it). Raises ChangedError, OSError."""
        ...

    def shown(self, folder: bytes, name: bytes) -> str:
        """Return the archive's name for a file, as text that every file format can hold."""
        ...


class FileArchive:
    """The archive contract over a tree of files."""

    def __init__(self, tree: Tree, secret: Secret, index: Path) -> None:
        self._tree, self._secret = tree, secret
        self._digest_key = secret.key("archive-header")
        self._index = FileIndex(index, secret)

    def find_studies(self, cohort: Cohort) -> Iterator[StudyRef]:
        """Yield the cohort's studies in the order of their UIDs, then the files of no study in batches."""
        wanted = read_cohort(cohort)
        with closing(self._index.writer()) as connection:
            self._refresh(connection)
            for study in table.studies(connection):
                if not wanted.asks_for_all:
                    facts, patients = table.facts_of(connection, study.study_uid)
                    known = StudyFacts(study.study_date, facts["modality"], facts["accession"], patients, facts["description"])
                    if not wanted.admits(known):
                        continue
                yield StudyRef(
                    study_key=self._secret.digest("study-key", study.study_uid).hex()[:32],
                    fingerprint=study.fingerprint,
                    instance_count=study.instance_count,
                    source_study_uid=study.study_uid,
                    patient_last_study_date=study.patient_last_study_date,
                    source_patient_ids=study.patient_ids,
                )
            yield from self._stray_refs(connection)

    def pull_study(self, ref: StudyRef, into: Path) -> list[PulledFile]:
        """Copy the study's files to `into` as 000000, 000001, …; ReleaseError when they are not what the index says."""
        entries = self._entries(ref)
        if len(entries) != ref.instance_count:
            raise _changed()
        pulled = []
        limit = None if ref.source_study_uid else STRAY_BYTES
        for number, entry in enumerate(entries):
            path = into / f"{number:06d}"
            try:
                source_path = self._copy(entry, path, limit)
            except (ChangedError, FileNotFoundError):
                raise _changed() from None
            except (OSError, *Failures) as error:
                if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise ReleaseError(
                    "archive", f"a file cannot be read ({type(error).__name__})", "check its permissions and the disk"
                ) from None
            pulled.append(PulledFile(path, source_path, entry.size))
        return pulled

    def source_paths(self, ref: StudyRef) -> list[str]:
        """Return the archive's names of the study's files, as `pull_study` gives them; a ZIP file's own for members it cannot name."""
        return [self._named(entry) for entry in self._entries(ref)]

    def pull_header(self, ref: StudyRef, into: Path) -> Path | None:
        """Copy the first 256 kB of one object of the study to `into`, for measures before anything is pulled; None when there is none."""
        with closing(self._index.reader()) as connection:
            entry = next(iter(table.files_of_study(connection, ref.source_study_uid)), None)
        if entry is None:
            return None
        self._copy(entry, into, HEADER_BYTES)
        return into

    # --- indexing

    def _refresh(self, connection: sqlite3.Connection) -> None:
        """Walk the tree; open only files that are new or look different; drop what is gone."""
        known = connection.execute("SELECT COUNT(*) FROM files").fetchone()[0]
        connection.execute("CREATE TEMP TABLE seen (id INTEGER PRIMARY KEY)")
        walk = self._tree.walk()
        first = next(walk, None)
        if known and first is None:
            raise ReleaseError(
                "archive", f"is empty, but held {known} files at the last run", "mount it, or delete the index if that is right"
            )
        found = [first] if first else []
        while found:
            connection.execute("BEGIN IMMEDIATE")  # a killed run keeps the batches that it has read
            self._refresh_batch(connection, found)
            connection.execute("COMMIT")
            found = list(islice(walk, _AT_ONCE))
        connection.execute("BEGIN IMMEDIATE")
        for (row_id,) in connection.execute("SELECT id FROM files WHERE id NOT IN (SELECT id FROM temp.seen)").fetchall():
            table.forget(connection, row_id)
        self._index.refresh_studies(connection)
        connection.execute("COMMIT")
        connection.execute("DROP TABLE temp.seen")

    def _refresh_batch(self, connection: sqlite3.Connection, batch: list[Found]) -> None:
        new: list[Found] = []
        replaced: list[dict[int, int]] = []
        for found in batch:
            rows = table.rows_of(connection, found.folder, found.name)
            if rows and found.readable and rows[0][1:] == (-1, found.size, found.stamp, found.changed, 1):
                connection.executemany("INSERT OR IGNORE INTO temp.seen VALUES (?)", [row[:1] for row in rows])
            else:
                new.append(found)
                replaced.append({row[1]: row[0] for row in rows})
        for entries, known in zip(self._examine_all(new), replaced, strict=True):
            for entry in entries:
                row_id = table.record(connection, entry, known.pop(entry.member, None))
                connection.execute("INSERT OR IGNORE INTO temp.seen VALUES (?)", (row_id,))

    def _examine_all(self, batch: list[Found]) -> Iterable[Iterable[Entry]]:
        if self._tree.readers == 1 or len(batch) < 2:
            return map(self._examine, batch)
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self._tree.readers) as pool:
            return list(pool.map(lambda found: list(self._examine(found)), batch))

    def _examine(self, found: Found) -> Iterator[Entry]:
        """Yield what one file contributes: itself, or itself as a container and its members."""

        def entry(kind: str, header: Header | None = None, digest: bytes = b"") -> Entry:
            return Entry(found.folder, found.name, -1, found.size, found.stamp, found.changed, kind, digest, header or Header())

        if not found.readable:
            yield entry("unreadable")
            return
        try:
            with self._tree.open(found.folder, found.name) as file:
                start = file.read(4096)
                if not is_zip(start):
                    header = read_header(_reader(file))
                    yield entry(_kind(header), header, self._digest(header, start))
                    return
                container = open_zip(file, found.size)
                if container is None:
                    yield entry("stray", None, self._digest(None, start))
                    return
                with container:
                    yield entry("zip")
                    for position, member in members(container):
                        yield self._examine_member(container, position, member, found)
        except OSError:
            yield entry("unreadable")

    def _examine_member(self, container: zipfile.ZipFile, position: int, member: zipfile.ZipInfo, found: Found) -> Entry:
        header, start = None, b""
        if within_limits(member):
            try:
                with container.open(member) as stream:
                    start = stream.read(4096)
                    header = read_header(_reader(stream))
            except Failures:
                header = None
        digest = self._digest(header, start)
        return Entry(found.folder, found.name, position, member.file_size, member.CRC, 0, _kind(header), digest, header or Header())

    def _digest(self, header: Header | None, start: bytes) -> bytes:
        """Return the keyed digest of what was read of a header."""
        digest = hashlib.blake2b(start, key=self._digest_key, digest_size=16)
        if header is not None:
            fields = (header.study_uid, header.series_uid, header.patient_id, header.issuer, header.study_date, header.transfer_syntax_uid)
            digest.update("\0".join(fields).encode("utf-8", "surrogatepass"))
        return digest.digest()

    def _stray_refs(self, connection: sqlite3.Connection) -> Iterator[StudyRef]:
        batch: list[tuple[int, Entry]] = []
        unreadable: list[tuple[int, Entry]] = []
        for row_id, entry in table.strays(connection):
            chosen = unreadable if entry.kind == "unreadable" else batch
            chosen.append((row_id, entry))
            # Cut where the name says so, and not by counting alone: one new file must not move every later batch.
            if len(chosen) == STRAY_BATCH or self._name_digest(entry)[0] < 4:
                yield self._stray_ref(chosen)
                chosen.clear()
        for rest in (batch, unreadable):
            if rest:
                yield self._stray_ref(rest)

    def _stray_ref(self, batch: list[tuple[int, Entry]]) -> StudyRef:
        names = [self._name_digest(entry).hex() for _, entry in batch]
        facts = [f"{e.kind} {e.size} {e.stamp} {e.digest.hex()}" for _, e in batch]
        return StudyRef(
            study_key=self._secret.digest("study-key", "", *names).hex()[:32],
            fingerprint=self._secret.digest("archive-fingerprint", *facts).hex(),
            instance_count=len(batch),
            source_study_uid="",
            locator={"files": " ".join(str(row_id) for row_id, _ in batch)},
        )

    def _entries(self, ref: StudyRef) -> list[Entry]:
        with closing(self._index.reader()) as connection:
            if ref.source_study_uid:
                return list(table.files_of_study(connection, ref.source_study_uid))
            return list(table.files_by_id(connection, (int(i) for i in ref.locator["files"].split())))

    def _named(self, entry: Entry) -> str:
        shown = self._tree.shown(entry.folder, entry.name)
        if entry.member < 0 or entry.kind == "unreadable":
            return shown
        try:
            with self._tree.open(entry.folder, entry.name) as file:
                container = open_zip(file, file.seek(0, 2))
                if container is None:
                    return shown
                with container:
                    return f"{shown}/{_member_name(container.infolist()[entry.member])}"
        except (OSError, IndexError, *Failures):
            return shown

    def _name_digest(self, entry: Entry) -> bytes:
        return self._secret.digest("archive-path", entry.folder.hex(), entry.name.hex(), str(entry.member))

    # --- pulling

    def _copy(self, entry: Entry, target: Path, limit: int | None) -> str:
        """Copy one entry and return the archive's name for it; raise when it is not what the index says."""
        shown = self._tree.shown(entry.folder, entry.name)
        if entry.kind == "unreadable":
            raise PermissionError
        if entry.member < 0:
            self._tree.copy(entry, target, limit)
            return shown
        with self._tree.open(entry.folder, entry.name) as file:
            container = open_zip(file, file.seek(0, 2))
            if container is None or entry.member >= len(container.infolist()):
                raise ChangedError
            with container:
                member = container.infolist()[entry.member]
                if (member.file_size, member.CRC) != (entry.size, entry.stamp):
                    raise ChangedError
                unpack(container, member, target, limit)
        return f"{shown}/{_member_name(member)}"


def _member_name(member: zipfile.ZipInfo) -> str:
    return as_text(member.filename.encode("utf-8", "surrogateescape"))


def as_text(name: bytes) -> str:
    """Return a path as text that every file format can hold, whatever bytes it is made of."""
    return name.decode("utf-8", "backslashreplace")


def _kind(header: Header | None) -> str:
    return "object" if header and header.study_uid else "stray"


def _reader(file: IO[bytes]) -> ReadAt:
    def read_at(offset: int, count: int) -> bytes:
        file.seek(offset)
        return file.read(count)

    return read_at


def _changed() -> ReleaseError:
    return ReleaseError("archive", "the study changed while it was pulled", "nothing; the next run takes it as it is then")
