"""Consent and opt-out: who said no is not even pulled, and an error in the registry lets nobody out."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks import private
from tasks.archive.folder import FolderArchive
from tasks.archive_spec import SqlRegistry
from tasks.errors import HeldError, UsageError
from tasks.model import InstanceOutcome, Status
from tasks.publish.store import open_store
from tasks.registry import Registry, check_consent, read_registry, refused_patients, without_refused
from tasks.secret import Secret
from tasks.spec import Cohort
from tests.archive.made import SECRET_BYTES, make_object, write


def csv_file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "registry.csv"
    path.write_text(text, "utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("written", "patient_id", "issuer", "refused"),
    [
        ("P1", "P1", "", True),
        ("patient_id\nP1", "P1", "HOSPITAL", True),
        ("name,patient_id\nx,P1", "P1", "", True),
        ("issuer,patient_id\nA,P1", "P1", "A", True),
        ("issuer,patient_id\nA,P1", "P1", "B", False),
        ("issuer,patient_id\nA,P1", "P1", "", True),
        ("123", "000123", "", True),
        ("p 1", "P1 ", "", True),
        ("P1", "P2", "", False),
        ("patient_id\n", "P1", "", False),
    ],
)
def test_opting_out_is_matched_broadly(tmp_path: Path, written: str, patient_id: str, issuer: str, refused: bool) -> None:
    registry = read_registry(Cohort(opt_out=csv_file(tmp_path, written)))
    assert registry.refuses(patient_id, issuer) is refused


@pytest.mark.parametrize(("patient_id", "issuer", "refused"), [("P1", "A", False), ("P1", "", True), ("p1", "A", True), ("P2", "", False)])
def test_consent_is_matched_narrowly(tmp_path: Path, patient_id: str, issuer: str, refused: bool) -> None:
    registry = read_registry(Cohort(consent=csv_file(tmp_path, "issuer,patient_id\nA,P1\n,P2\n")))
    assert registry.refuses(patient_id, issuer) is refused


def test_who_opted_out_is_refused_though_consent_is_there(tmp_path: Path) -> None:
    (tmp_path / "yes.csv").write_text("P1\nP2\n")
    registry = read_registry(Cohort(consent=str(tmp_path / "yes.csv"), opt_out=csv_file(tmp_path, "P1\n")))
    assert (registry.refuses("P1"), registry.refuses("P2"), registry.refuses("P3")) == (True, False, True)


def test_parquet_and_sqlite_say_the_same_as_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.table({"issuer": ["A", None], "patient_id": ["P1", "P2"]}), tmp_path / "registry")
    with sqlite3.connect(tmp_path / "r.db") as db:
        db.execute("CREATE TABLE said_no (mrn TEXT, issuer TEXT, day TEXT)")
        db.executemany("INSERT INTO said_no VALUES (?, ?, '2024')", [("P1", "A"), ("P2", None)])
    monkeypatch.setenv("REGISTRY_URL", f"sqlite:///{tmp_path}/r.db")
    sql = SqlRegistry(url={"env": "REGISTRY_URL"}, query="SELECT * FROM said_no")
    expected = read_registry(Cohort(opt_out=csv_file(tmp_path, "patient_id,issuer\nP1,A\nP2,\n")))
    assert read_registry(Cohort(opt_out=str(tmp_path / "registry"))) == expected
    assert read_registry(Cohort(opt_out=sql)) == expected


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00 P1", b"PAR1 damaged", b"name,born\nMuster,1960\n"])
def test_a_registry_that_cannot_be_read_stops_the_run_and_quotes_nothing(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "registry"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"cohort\.opt_out") as caught:
        read_registry(Cohort(opt_out=str(path)))
    assert "Muster" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_consent_without_entries_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no entries"):
        read_registry(Cohort(consent=csv_file(tmp_path, "patient_id\n")))


def test_a_query_that_writes_is_not_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(tmp_path / "r.db") as db:
        db.execute("CREATE TABLE t (patient_id TEXT)")
    monkeypatch.setenv("REGISTRY_URL", f"sqlite:///{tmp_path}/r.db")
    with pytest.raises(ValueError, match="pattern"):
        SqlRegistry(url={"env": "REGISTRY_URL"}, query="DELETE FROM t")
    sneaky = SqlRegistry(url={"env": "REGISTRY_URL"}, query="WITH x AS (SELECT 1) INSERT INTO t VALUES ('P')")
    with pytest.raises(UsageError):
        read_registry(Cohort(opt_out=sneaky))


def test_nothing_of_who_opted_out_is_asked_for_and_a_changed_mind_counts_at_once(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    for n in (1, 2, 3):
        write(root, str(n), make_object(f"1.2.{n}", patient=f"P{n}"))
    archive = FolderArchive(root, Secret(SECRET_BYTES), tmp_path / "index")

    def found(text: str) -> list[str]:
        cohort = Cohort(opt_out=csv_file(tmp_path, text))
        return [r.source_study_uid for r in archive.find_studies(cohort)]

    assert found("patient_id\n") == ["1.2.1", "1.2.2", "1.2.3"]
    assert found("P2") == ["1.2.1", "1.2.3"]
    assert found("P3\nP1") == ["1.2.2"]


def test_the_candidate_is_asked_by_what_the_headers_said(tmp_path: Path) -> None:
    store = open_store((tmp_path / "private").as_uri())
    for n in (1, 2):
        outcome = InstanceOutcome("x", Status.RELEASED, None, source_patient_id=f"P{n}", patient_id=f"released-{n}")
        private.put_study(store, f"key{n}", [], [], [outcome])
    opted_out = read_registry(Cohort(opt_out=csv_file(tmp_path, "P2\n")))
    assert refused_patients(store, ["key1", "key2", "absent"], opted_out) == {"released-2"}
    assert refused_patients(store, ["key1", "key2"], Registry()) == frozenset()
    candidate = pa.table({"study_key": ["key1", "key2"], "PatientID": ["released-1", "released-2"]})
    cohort = Cohort(opt_out=csv_file(tmp_path, "patient_id\n"))
    check_consent(candidate, store, cohort)
    csv_file(tmp_path, "P2\n")
    assert without_refused(candidate, store, cohort)["PatientID"].to_pylist() == ["released-1"]
    with pytest.raises(HeldError, match="opted out since"):
        check_consent(candidate, store, cohort)


@pytest.mark.servers
def test_a_registry_in_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    import asyncpg

    from tests.archive.servers import postgres

    with postgres(tmp_path) as url:

        async def fill() -> None:
            connection = await asyncpg.connect(url)
            await connection.execute(
                "CREATE TABLE optout (issuer text, patient_id text); INSERT INTO optout VALUES ('A', 'P1'), (NULL, 'P2')"
            )
            await connection.close()

        asyncio.run(fill())
        monkeypatch.setenv("REGISTRY_URL", url)
        registry = read_registry(Cohort(opt_out=SqlRegistry(url={"env": "REGISTRY_URL"}, query="SELECT issuer, patient_id FROM optout")))
        assert (registry.refuses("P1", "A"), registry.refuses("P1", "B"), registry.refuses("P2", "B")) == (True, False, True)
        writes = SqlRegistry(url={"env": "REGISTRY_URL"}, query="WITH x AS (DELETE FROM optout RETURNING *) SELECT * FROM x")
        with pytest.raises(UsageError):
            read_registry(Cohort(opt_out=writes))
    assert os.environ["REGISTRY_URL"] == url
