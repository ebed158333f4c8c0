"""Values in whatever else we write: names of files, tables, databases, logs; and the words that too few patients share."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.scan.identity import SourceIdentity
from tasks.scan.rarity import TOKENS, rare_tokens, tokens_of
from tasks.scan.texts import values_in_text
from tasks.scan.walk import walk
from tests.leaks.sweep import sweep_files

WHO = SourceIdentity(
    frozenset({("patient_name", "Quistgaard^Anneliese"), ("patient_id", "07341188"), ("birth_date", "19500228")}),
    uids=frozenset({"1.2.840.99999.7.12345.1"}),
    dates=frozenset({"20240213"}),
)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("study of QUISTGAARD", {"patient_name"}),
        ("id=7341188;", {"patient_id"}),
        ("born 28.02.1950", {"birth_date"}),
        ("on 2024-02-13", {"date"}),
        ("uid 1.2.840.99999.7.12345.1.5", {"uid"}),
        ("a quistgaardian 207341188 20250213", set()),
        ("CT routine, 10 slices", set()),
    ],
)
def test_values_in_text(text: str, kinds: set[str]) -> None:
    assert values_in_text(text, WHO) >= kinds
    assert bool(values_in_text(text, WHO)) is bool(kinds)


def test_every_channel_of_a_folder_is_swept(tmp_path: Path) -> None:
    (tmp_path / "Quistgaard").mkdir()
    (tmp_path / "Quistgaard" / "a.log").write_text("fine")
    pq.write_table(pa.table({"x": ["clean", "Anneliese Quistgaard"]}), tmp_path / "t.parquet", compression="zstd")
    with gzip.open(tmp_path / "w.gz", "wt") as packed:
        packed.write("MRN 07341188")
    with sqlite3.connect(tmp_path / "x.db") as database:
        database.execute("create table t (v text)")
        database.execute("insert into t values ('20240213 quistgaard')")
    (tmp_path / "z.txt").write_text("nothing")
    places = {f.place for f in sweep_files(tmp_path, [WHO])}
    assert places == {"name of file 0", "file 1", "file 2", "file 3"}


def tokens(*rows: tuple[str, str]) -> pa.Table:
    return pa.Table.from_pylist([{"PatientID": p, "place": "(0008,103E)", "token": t} for p, t in rows], schema=TOKENS)


def test_a_word_of_one_patient_is_for_somebody_to_read() -> None:
    table = tokens(("A", "thorax1"), ("B", "thorax1"), ("C", "thorax1"), ("A", "okonkwo"), ("A", "okonkwo"), ("B", "ward"), ("A", "ward"))
    rare = rare_tokens(table, 3).to_pylist()
    assert [(r["token"], r["patients"]) for r in rare] == [("okonkwo", 1), ("ward", 2)]


def test_words_of_the_trade_and_numbers_are_no_tokens() -> None:
    def element(tag: int, vr: bytes, value: bytes) -> bytes:
        return (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + vr + len(value).to_bytes(2, "little") + value

    meta = element(0x00020010, b"UI", b"1.2.840.10008.1.2.1\0")
    body = element(0x0008103E, b"LO", b"CHEST 3mm B31f Okonkwo 4471823") + element(0x00100020, b"LO", b"PSEUDO-ABC")
    assert tokens_of(walk(bytes(128) + b"DICM" + meta + body)) == {("(0008,103E)", "okonkwo"), ("(0008,103E)", "4471823")}
