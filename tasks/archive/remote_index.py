"""What a remote archive answered, in one SQLite file on the private side: an order, and what is known of each patient.

It holds identified values and never leaves the vault. Asking the archive does not belong here.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tasks.archive.index import is_date
from tasks.errors import ReleaseError

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS patients (issuer TEXT, patient_id TEXT, last_date TEXT NOT NULL, complete INTEGER NOT NULL,
    PRIMARY KEY (issuer, patient_id)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class StudyAnswer:
    """What an archive says of one study at the study level (identified values). Counts are -1 when it does not say."""

    study_uid: str = field(repr=False)
    patient_id: str = field(repr=False)
    issuer: str = field(repr=False)
    study_date: str = field(repr=False)
    study_time: str = field(repr=False)
    accession: str = field(repr=False)
    description: str = field(repr=False)
    modalities: tuple[str, ...]
    instance_count: int
    series_count: int

    def said(self) -> str:
        """Return everything that was said, in one canonical text."""
        return json.dumps([getattr(self, name) for name in self.__slots__], sort_keys=True)


@contextmanager
def open_answers(path: Path) -> Iterator[Answers]:
    """Open the index of one archive for one find; only what is known of patients outlives it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # PRIVACY: identified values, owner only
    try:
        connection = _connect(path)
    except sqlite3.OperationalError as error:
        raise ReleaseError("archive index", f"cannot be opened ({error.sqlite_errorname})", "check the private folder") from None
    except sqlite3.DatabaseError:
        path.unlink()  # damaged: it is only a memory of answers
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = _connect(path)
    try:
        yield Answers(connection)
    finally:
        connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=120, isolation_level=None)
    # PRIVACY: the answers of this run are identified; they stay in memory and in this file, never in /tmp.
    connection.execute("PRAGMA temp_store = MEMORY")
    if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
        connection.executescript(f"DROP TABLE IF EXISTS patients; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION};")
    connection.executescript(
        "DROP TABLE IF EXISTS answers;"
        "CREATE TABLE answers (study_uid TEXT PRIMARY KEY, issuer TEXT, patient_id TEXT, study_date TEXT, answer TEXT) WITHOUT ROWID;"
    )
    return connection


class Answers:
    """The answers of one find."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(self, answers: list[StudyAnswer]) -> int:
        """Keep the answers and return how many of them are new."""
        before = self._connection.total_changes
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)",
            [(a.study_uid, a.issuer, a.patient_id, a.study_date, a.said()) for a in answers],
        )
        self._connection.execute("COMMIT")
        return self._connection.total_changes - before

    def studies(self) -> Iterator[StudyAnswer]:
        """Yield the answers in the order of their Study Instance UIDs."""
        for (said,) in self._connection.execute("SELECT answer FROM answers ORDER BY study_uid"):
            values = json.loads(said)
            values[7] = tuple(values[7])
            yield StudyAnswer(*values)

    def unknown_patients(self) -> list[tuple[str, str]]:
        """Return (issuer, patient id) of those whose studies outside the cohort were never asked for."""
        return list(
            self._connection.execute(
                "SELECT DISTINCT a.issuer, a.patient_id FROM answers a LEFT JOIN patients p USING (issuer, patient_id) "
                "WHERE a.patient_id <> '' AND COALESCE(p.complete, 0) = 0"
            )
        )

    def learn(self, issuer: str, patient_id: str, dates: list[str]) -> None:
        """Remember the latest of a patient's study dates."""
        self._connection.execute(
            "INSERT INTO patients VALUES (?, ?, ?, 1) "
            "ON CONFLICT DO UPDATE SET last_date = MAX(last_date, excluded.last_date), complete = 1",
            (issuer, patient_id, max((d for d in dates if is_date(d)), default="")),
        )

    def learn_from_answers(self) -> None:
        """Raise every patient's latest date to what this find saw."""
        self._connection.execute(
            "INSERT INTO patients SELECT issuer, patient_id, MAX(CASE WHEN study_date GLOB "
            "'[12][0-9][0-9][0-9][01][0-9][0-3][0-9]' THEN study_date ELSE '' END), 0 FROM answers WHERE 1 GROUP BY issuer, patient_id "
            "ON CONFLICT DO UPDATE SET last_date = MAX(last_date, excluded.last_date)"
        )

    def last_date(self, issuer: str, patient_id: str) -> str:
        """Return the latest StudyDate that is known of a patient, or ""."""
        row = self._connection.execute(
            "SELECT last_date FROM patients WHERE issuer = ? AND patient_id = ?", (issuer, patient_id)
        ).fetchone()
        return str(row[0]) if row else ""
