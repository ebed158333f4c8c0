"""The index of a file archive: one SQLite file on the private side, so that a run opens only what is new.

It holds identified values and never leaves the vault. Walking folders and reading files do not belong here.
"""

from __future__ import annotations

import hmac
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from tasks.archive.header import Header
from tasks.errors import ReleaseError
from tasks.secret import Secret

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY, folder BLOB NOT NULL, name BLOB NOT NULL, member INTEGER NOT NULL,
    size INTEGER NOT NULL, stamp NOT NULL, changed INTEGER NOT NULL, kind TEXT NOT NULL, digest BLOB NOT NULL,
    study_uid TEXT NOT NULL, series_uid TEXT NOT NULL, sop_uid TEXT NOT NULL, sop_class_uid TEXT NOT NULL,
    study_date TEXT NOT NULL, modality TEXT NOT NULL, accession TEXT NOT NULL, description TEXT NOT NULL,
    patient_id TEXT NOT NULL, issuer TEXT NOT NULL
);
CREATE UNIQUE INDEX files_by_path ON files (folder, name, member);
CREATE INDEX files_by_study ON files (study_uid, sop_uid, size, stamp, id) WHERE study_uid <> '';
CREATE INDEX strays ON files (folder, name, member) WHERE study_uid = '';
CREATE TABLE studies (
    study_uid TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, instance_count INTEGER NOT NULL, study_date TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE facts (study_uid TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (study_uid, kind, value)) WITHOUT ROWID;
CREATE TABLE patients (study_uid TEXT NOT NULL, issuer TEXT NOT NULL, patient_id TEXT NOT NULL,
    PRIMARY KEY (study_uid, issuer, patient_id)) WITHOUT ROWID;
CREATE INDEX studies_of_patient ON patients (issuer, patient_id, study_uid);
CREATE TABLE dirty (study_uid TEXT PRIMARY KEY) WITHOUT ROWID;
"""
# `member` is -1 for a file, n for the n-th member of a zip file. `stamp` is mtime in ns, an object's ETag, or a member's CRC-32.
# `kind`: "object", "stray" (belongs to no study), "unreadable", "zip" (the container itself, which is no input of its own).


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or zip member as it was last seen."""

    folder: bytes = field(repr=False)
    name: bytes = field(repr=False)
    member: int
    size: int
    stamp: int | str
    changed: int
    kind: str
    digest: bytes = field(default=b"", repr=False)
    header: Header = field(default=Header(), repr=False)


@dataclass(frozen=True, slots=True)
class IndexedStudy:
    """One study as the index knows it (identified values)."""

    study_uid: str = field(repr=False)
    fingerprint: str
    instance_count: int
    study_date: str = field(repr=False)
    patient_last_study_date: str = field(repr=False)
    patient_ids: tuple[str, ...] = field(repr=False)


class FileIndex:
    """What a tree of files held when it was last walked. One writer at a time; readers open it read-only."""

    def __init__(self, path: Path, secret: Secret) -> None:
        self._path, self._key = path, secret.key("archive-fingerprint")

    def writer(self) -> sqlite3.Connection:
        """Open for a walk, creating the file; an index of another version or a damaged one is begun anew."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if not self._path.exists():
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))  # PRIVACY: identified values, owner only
        try:
            connection = self._connect("rwc")
            if connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION:
                return connection
            connection.close()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise _broken(error) from None
        self._path.unlink()
        os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
        try:
            connection = self._connect("rwc")
            connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        except sqlite3.OperationalError as error:
            raise _broken(error) from None
        return connection

    def reader(self) -> sqlite3.Connection:
        """Open for reading; ReleaseError when the folder was never walked from here."""
        if not self._path.is_file():
            raise ReleaseError("archive", "has not been indexed on this machine", "run find_studies first, with the same index folder")
        return self._connect("ro")

    def _connect(self, mode: str) -> sqlite3.Connection:
        connection = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode={mode}", uri=True, timeout=120, isolation_level=None)
        # PRIVACY: sorts may hold names of patients; they stay in memory instead of /tmp.
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def refresh_studies(self, connection: sqlite3.Connection) -> None:
        """Bring the studies that a walk touched up to date."""
        dirty = connection.execute("SELECT study_uid FROM dirty ORDER BY study_uid")
        with closing(connection.cursor()) as cursor:
            for (uid,) in dirty:
                for table in ("studies", "facts", "patients"):
                    cursor.execute(f"DELETE FROM {table} WHERE study_uid = ?", (uid,))  # noqa: S608 - our own table names
                self._refresh_one(cursor, uid)
        connection.execute("DELETE FROM dirty")

    def _refresh_one(self, cursor: sqlite3.Cursor, uid: str) -> None:
        fingerprint = hmac.new(self._key, digestmod="sha256")
        facts: set[tuple[str, str]] = set()
        patients: set[tuple[str, str]] = set()
        dates: set[str] = set()
        count = 0
        rows = cursor.execute(
            "SELECT sop_uid, size, stamp, digest, study_date, modality, accession, description, issuer, patient_id FROM files "
            "WHERE study_uid = ? AND study_uid <> '' ORDER BY sop_uid, size, stamp, digest",
            (uid,),
        )
        for sop_uid, size, stamp, digest, study_date, modality, accession, description, issuer, patient_id in rows:
            count += 1
            fingerprint.update(repr((sop_uid, size, stamp, digest)).encode("utf-8", "surrogatepass"))
            facts.update({("modality", modality.upper()), ("accession", accession), ("description", description)})
            patients.add((issuer, patient_id))
            dates.add(study_date)
        if not count:
            return
        day = max((d for d in dates if is_date(d)), default="")
        cursor.execute("INSERT INTO studies VALUES (?, ?, ?, ?)", (uid, fingerprint.hexdigest(), count, day))
        cursor.executemany("INSERT INTO facts VALUES (?, ?, ?)", [(uid, kind, value) for kind, value in sorted(facts) if value])
        cursor.executemany("INSERT INTO patients VALUES (?, ?, ?)", [(uid, *who) for who in sorted(patients)])


def is_date(value: str) -> bool:
    """Say whether a DA value is a plausible day."""
    return len(value) == 8 and value.isascii() and value.isdigit() and "18500101" <= value <= "21001231"


def record(connection: sqlite3.Connection, entry: Entry, replaces: int | None) -> int:
    """Write one entry, in place of row `replaces` if given, and mark the studies that it touches."""
    if replaces is not None:
        forget(connection, replaces)
    h = entry.header
    columns = (entry.folder, entry.name, entry.member, entry.size, entry.stamp, entry.changed, entry.kind, entry.digest)
    texts = (h.study_uid, h.series_uid, h.sop_instance_uid, h.sop_class_uid, h.study_date, h.modality, h.accession, h.study_description)
    values = (*columns, *texts, h.patient_id, h.issuer)
    marks = ", ".join("?" * (len(values) + 1))
    cursor = connection.execute(f"INSERT INTO files VALUES ({marks})", (replaces, *values))  # noqa: S608 - question marks only
    if h.study_uid:
        connection.execute("INSERT OR IGNORE INTO dirty VALUES (?)", (h.study_uid,))
    return cast(int, cursor.lastrowid)


def forget(connection: sqlite3.Connection, row_id: int) -> None:
    """Remove one entry and mark the study that it belonged to."""
    connection.execute("INSERT OR IGNORE INTO dirty SELECT study_uid FROM files WHERE id = ? AND study_uid <> ''", (row_id,))
    connection.execute("DELETE FROM files WHERE id = ?", (row_id,))


def studies(connection: sqlite3.Connection) -> Iterator[IndexedStudy]:
    """Yield every study in the order of its UID."""
    connection.execute("DROP TABLE IF EXISTS temp.last_dates")
    connection.execute(
        "CREATE TEMP TABLE last_dates AS SELECT issuer, patient_id, MAX(study_date) AS day FROM patients JOIN studies USING (study_uid) "
        "GROUP BY issuer, patient_id"
    )
    connection.execute("CREATE INDEX temp.last_dates_by_patient ON last_dates (issuer, patient_id)")
    rows = connection.execute(
        "SELECT study_uid, fingerprint, instance_count, study_date, "
        "(SELECT MAX(day) FROM patients p JOIN last_dates d USING (issuer, patient_id) WHERE p.study_uid = s.study_uid), "
        "(SELECT json_group_array(DISTINCT patient_id) FROM patients p WHERE p.study_uid = s.study_uid) FROM studies s ORDER BY study_uid"
    )
    for uid, fingerprint, count, day, last, patient_ids in rows:
        yield IndexedStudy(uid, fingerprint, count, day, last or "", tuple(sorted(json.loads(patient_ids))))


def facts_of(connection: sqlite3.Connection, study_uid: str) -> tuple[dict[str, frozenset[str]], frozenset[tuple[str, str]]]:
    """Return (modality, accession, description -> values) and the (issuer, patient id) pairs of one study."""
    found: dict[str, set[str]] = {"modality": set(), "accession": set(), "description": set()}
    for kind, value in connection.execute("SELECT kind, value FROM facts WHERE study_uid = ?", (study_uid,)):
        found[kind].add(value)
    patients = connection.execute("SELECT issuer, patient_id FROM patients WHERE study_uid = ?", (study_uid,))
    return {kind: frozenset(values) for kind, values in found.items()}, frozenset(patients)


def rows_of(connection: sqlite3.Connection, folder: bytes, name: bytes) -> list[tuple[int, int, int, int | str, int, int]]:
    """Return (row id, member, size, stamp, changed, was readable) of one file and of its members, the file first."""
    return connection.execute(
        "SELECT id, member, size, stamp, changed, kind <> 'unreadable' FROM files WHERE folder = ? AND name = ? ORDER BY member",
        (folder, name),
    ).fetchall()


_FILE = "SELECT id, folder, name, member, size, stamp, changed, kind, digest FROM files "


def strays(connection: sqlite3.Connection) -> Iterator[tuple[int, Entry]]:
    """Yield (row id, entry) of every file that belongs to no study, in the order of paths."""
    for row in connection.execute(_FILE + "WHERE study_uid = '' AND kind <> 'zip' ORDER BY folder, name, member"):
        yield row[0], Entry(*row[1:])


def files_of_study(connection: sqlite3.Connection, study_uid: str) -> Iterator[Entry]:
    """Yield every file of one study, in the order of SOP Instance UIDs."""
    for row in connection.execute(_FILE + "WHERE study_uid = ? AND study_uid <> '' ORDER BY sop_uid, size, stamp, id", (study_uid,)):
        yield Entry(*row[1:])


def files_by_id(connection: sqlite3.Connection, ids: Iterable[int]) -> Iterator[Entry]:
    """Yield the entries with these row ids; an entry that is gone is missing from the result."""
    for row_id in ids:
        row = connection.execute(_FILE + "WHERE id = ?", (row_id,)).fetchone()
        if row is not None:
            yield Entry(*row[1:])


def _broken(error: sqlite3.Error) -> ReleaseError:
    return ReleaseError(
        "archive index",
        f"cannot be opened ({error.sqlite_errorname})",
        "check the private folder's space and permissions, and that no other run uses it",
    )
