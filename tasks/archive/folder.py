"""A folder as an archive: any tree of files, read recursively, whatever they are called; zip members too.

Nothing here writes below the archive's root, and nothing is ever linked from it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
import stat
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tasks.archive import index as table
from tasks.archive.cohort import StudyFacts, read_cohort
from tasks.archive.header import Header, read_header
from tasks.archive.index import Entry, FolderIndex
from tasks.archive.walk import walk_files
from tasks.archive.zipfiles import Failures, is_zip, members, open_zip, within_limits
from tasks.errors import ReleaseError
from tasks.model import PulledFile, StudyRef
from tasks.secret import Secret
from tasks.spec import Cohort

STRAY_BATCH = 100
STRAY_BYTES = 512 << 20  # of a file that belongs to no study: enough to say what it is
_COMMIT_EVERY = 5_000


class FolderArchive:
    """Studies in a folder (or one file). The index is kept in `index_folder`, on the private side."""

    def __init__(self, path: Path, secret: Secret, index_folder: Path) -> None:
        self._root = path.absolute()
        self._secret = secret
        self._digest_key = secret.key("archive-header")
        name = secret.digest("archive-index", os.fsencode(self._root).hex()).hex()[:16]
        self._index = FolderIndex(index_folder / f"folder-{name}.sqlite", secret)

    def find_studies(self, cohort: Cohort) -> Iterator[StudyRef]:
        """Yield the cohort's studies in the order of their UIDs, then the files of no study in batches."""
        wanted = read_cohort(cohort)
        self._check_root()
        with closing(self._index.writer()) as connection:
            self._refresh(connection)
            for study in table.studies(connection):
                if not wanted.asks_for_all:
                    facts, patient_ids = table.facts_of(connection, study.study_uid)
                    if not wanted.admits(StudyFacts(study.study_date, facts["modality"], facts["accession"], patient_ids)):
                        continue
                yield StudyRef(
                    study_key=self._secret.digest("study-key", study.study_uid).hex()[:32],
                    fingerprint=study.fingerprint,
                    instance_count=study.instance_count,
                    source_study_uid=study.study_uid,
                    patient_last_study_date=study.patient_last_study_date,
                )
            yield from self._stray_refs(connection)

    def pull_study(self, ref: StudyRef, into: Path) -> list[PulledFile]:
        """Copy the study's files to `into` as 000000, 000001, …; ReleaseError when they are not what the index says."""
        with closing(self._index.reader()) as connection:
            if ref.source_study_uid:
                entries = list(table.files_of_study(connection, ref.source_study_uid))
            else:
                entries = list(table.files_by_id(connection, (int(i) for i in ref.locator["files"].split())))
        if len(entries) != ref.instance_count:
            raise _changed()
        pulled = []
        limit = None if ref.source_study_uid else STRAY_BYTES
        for number, entry in enumerate(entries):
            path = into / f"{number:06d}"
            try:
                source_path = self._copy(entry, path, limit)
            except FileNotFoundError:
                raise _changed() from None
            except (OSError, *Failures) as error:
                if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise ReleaseError(
                    "archive", f"a file cannot be read ({type(error).__name__})", "check its permissions and the disk"
                ) from None
            pulled.append(PulledFile(path, source_path, entry.size))
        return pulled

    # --- indexing

    def _check_root(self) -> None:
        try:
            if stat.S_ISDIR(self._root.stat().st_mode):
                with os.scandir(self._root) as listing:
                    next(listing, None)
            else:
                with self._root.open("rb"):
                    pass
        except OSError as error:
            raise ReleaseError(
                "archive.path", f"cannot be read ({type(error).__name__})", "check that the folder exists, is mounted and readable"
            ) from None

    def _refresh(self, connection: sqlite3.Connection) -> None:
        """Walk the tree; open only files that are new or look different; drop what is gone."""
        known = connection.execute("SELECT COUNT(*) FROM files").fetchone()[0]
        connection.execute("CREATE TEMP TABLE seen (id INTEGER PRIMARY KEY)")
        connection.execute("BEGIN IMMEDIATE")
        files = 0
        for folder, name, status in walk_files(self._root):
            self._refresh_file(connection, folder, name, status)
            files += 1
            if files % _COMMIT_EVERY == 0:  # a killed run keeps what it has read
                connection.execute("COMMIT")
                connection.execute("BEGIN IMMEDIATE")
        if known and not files:
            connection.execute("ROLLBACK")
            raise ReleaseError(
                "archive.path", f"is empty, but held {known} files at the last run", "mount it, or delete the index if that is right"
            )
        gone = connection.execute("SELECT id FROM files WHERE id NOT IN (SELECT id FROM temp.seen)").fetchall()
        for (row_id,) in gone:
            table.forget(connection, row_id)
        self._index.refresh_studies(connection)
        connection.execute("COMMIT")
        connection.execute("DROP TABLE temp.seen")

    def _refresh_file(self, connection: sqlite3.Connection, folder: bytes, name: bytes, status: os.stat_result | None) -> None:
        size, stamp, changed = (status.st_size, status.st_mtime_ns, status.st_ctime_ns) if status else (0, 0, 0)
        rows = connection.execute(
            "SELECT id, member, size, stamp, changed, kind FROM files WHERE folder = ? AND name = ? ORDER BY member", (folder, name)
        ).fetchall()
        if rows and rows[0][1] == -1 and rows[0][2:5] == (size, stamp, changed) and rows[0][5] != "unreadable":
            connection.executemany("INSERT OR IGNORE INTO temp.seen VALUES (?)", [(row[0],) for row in rows])
            return
        known = {row[1]: row[0] for row in rows}
        for entry in self._examine(folder, name, size, stamp, changed, readable=status is not None):
            row_id = table.record(connection, entry, known.pop(entry.member, None))
            connection.execute("INSERT OR IGNORE INTO temp.seen VALUES (?)", (row_id,))

    def _examine(self, folder: bytes, name: bytes, size: int, stamp: int, changed: int, *, readable: bool) -> Iterator[Entry]:
        """Yield what one file contributes: itself, or itself as a container and its members."""

        def entry(kind: str, header: Header | None = None, digest: bytes = b"") -> Entry:
            return Entry(folder, name, -1, size, stamp, changed, kind, digest, header or Header())

        path = self._root_of(folder, name)
        if not readable:
            yield entry("unreadable")
            return
        try:
            with path.open("rb", buffering=0) as file:
                descriptor = file.fileno()
                start = os.pread(descriptor, 4096, 0)
                header = None if is_zip(start) else read_header(lambda offset, count: os.pread(descriptor, count, offset))
        except OSError:
            yield entry("unreadable")
            return
        container = open_zip(path) if is_zip(start) else None
        if container is None:
            yield entry("object" if header and header.study_uid else "stray", header, self._digest(header, start))
            return
        with container:
            yield entry("zip")
            for position, member in members(container):
                yield self._examine_member(container, position, member, folder, name)

    def _examine_member(self, container: zipfile.ZipFile, position: int, member: zipfile.ZipInfo, folder: bytes, name: bytes) -> Entry:
        header, start = None, b""
        if within_limits(member):
            try:
                with container.open(member) as stream:
                    start = stream.read(4096)

                    def read_at(offset: int, count: int) -> bytes:
                        stream.seek(offset)
                        return stream.read(count)

                    header = read_header(read_at)
            except (*Failures, OSError):
                header = None
        kind = "object" if header and header.study_uid else "stray"
        return Entry(folder, name, position, member.file_size, member.CRC, 0, kind, self._digest(header, start), header or Header())

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

    def _name_digest(self, entry: Entry) -> bytes:
        return self._secret.digest("archive-path", entry.folder.hex(), entry.name.hex(), str(entry.member))

    # --- pulling

    def _root_of(self, folder: bytes, name: bytes) -> Path:
        return Path(os.fsdecode(os.path.join(os.fsencode(self._root), folder, name))) if name else self._root  # noqa: PTH118 - bytes

    def _copy(self, entry: Entry, target: Path, limit: int | None) -> str:
        """Copy one entry and return the archive's name for it; raise when it is not what the index says."""
        path = self._root_of(entry.folder, entry.name)
        shown = _shown(os.path.join(entry.folder, entry.name) if entry.name else os.fsencode(self._root.name))  # noqa: PTH118 - bytes
        if entry.kind == "unreadable":
            raise PermissionError
        if entry.member < 0:
            with path.open("rb") as source, target.open("xb") as copy:
                before = os.fstat(source.fileno())
                if (before.st_size, before.st_mtime_ns) != (entry.size, entry.stamp):
                    raise _changed()
                _copy_bytes(source.fileno(), copy.fileno(), min(entry.size, limit) if limit else entry.size)
                after = os.fstat(source.fileno())
            if (after.st_size, after.st_mtime_ns) != (entry.size, entry.stamp):
                raise _changed()
            return shown
        container = open_zip(path)
        if container is None:
            raise _changed()
        with container:
            member = container.infolist()[entry.member]
            if (member.file_size, member.CRC) != (entry.size, entry.stamp):
                raise _changed()
            self._unpack(container, member, target, limit)
            return f"{shown}/{_shown(member.filename.encode('utf-8', 'surrogateescape'))}"

    @staticmethod
    def _unpack(container: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, limit: int | None) -> None:
        left = member.file_size if limit is None else min(member.file_size, limit)
        with target.open("xb") as copy:
            if not within_limits(member):
                return  # what may not be unpacked is accounted for as an empty file
            try:
                with container.open(member) as stream:
                    while left > 0 and (chunk := stream.read(min(left, 1 << 20))):
                        copy.write(chunk)
                        left -= len(chunk)
            except Failures:
                return  # a damaged member ends as what could be read of it, and is judged as that


def _copy_bytes(source: int, target: int, count: int) -> None:
    """Copy without sharing: a write to the copy can never reach the archive (copy-on-write where the disk can)."""
    copied = 0
    while copied < count:
        try:
            done = os.copy_file_range(source, target, min(count - copied, 1 << 30))
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF):
                raise
            done = os.sendfile(target, source, None, min(count - copied, 1 << 30))
        if done == 0:
            break
        copied += done


def _shown(name: bytes) -> str:
    """Return a path as text that every file format can hold, whatever bytes it is made of."""
    return name.decode("utf-8", "backslashreplace")


def _changed() -> ReleaseError:
    return ReleaseError("archive", "the study changed while it was pulled", "nothing; the next run takes it as it is then")
