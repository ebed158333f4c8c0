"""`sallyport deidentify` on a folder as strangers have it: every file has its row, and nothing identified lands beside what is released."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pydicom.data import get_testdata_file

from flows.batch import Batch, run_batch
from tasks.errors import UsageError
from tests.flows.sallyport import Ran, sallyport

# design.md, "Command line": the two tables are read by other people's programs.
CROSSWALK = ["source_path", "source_patient_id", "source_study_instance_uid", "source_series_instance_uid", "source_sop_instance_uid",
             "patient_id", "study_instance_uid", "series_instance_uid", "sop_instance_uid", "object_path", "status", "reason",
             "date_shift_days"]  # fmt: skip
FINDINGS = ["sop_instance_uid", "place", "kind", "rule", "score"]
ENDS = {
    "ct.dcm": ("released", None),
    "plan/плaн\n1": ("released", None),
    "zero.dcm": ("rejected", "empty_file"),
    "notes.txt": ("rejected", "not_dicom"),
    "cut.dcm": ("rejected", "truncated"),
    "copy.zip/again/ct.dcm": ("rejected", "duplicate_copy"),
    "nested.zip/copy.zip": ("rejected", "not_dicom"),
    "gone.dcm": ("failed", "pull_failed"),
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Path]:
    """Run the command once over a folder of oddities."""
    folder = tmp_path_factory.mktemp("strange")
    source = folder / "src"
    (source / "plan").mkdir(parents=True)
    ct = Path(str(get_testdata_file("CT_small.dcm", download=False)))
    shutil.copy(ct, source / "ct.dcm")
    shutil.copy(str(get_testdata_file("rtplan.dcm", download=False)), source / "plan" / "плaн\n1")
    (source / "zero.dcm").touch()
    (source / "notes.txt").write_text("not an image, whatever it says " * 40)
    (source / "cut.dcm").write_bytes(ct.read_bytes()[:-200])
    with zipfile.ZipFile(source / "copy.zip", "w") as archive:
        archive.write(ct, "again/ct.dcm")
    with zipfile.ZipFile(source / "nested.zip", "w") as archive:
        archive.write(source / "copy.zip", "copy.zip")
    os.mkfifo(source / "pipe")
    (source / "plan" / "loop").symlink_to("..")  # a circle
    (source / "gone.dcm").symlink_to("nowhere")
    places = ("--crosswalk", folder / "private" / "cross.parquet", "--findings", folder / "private" / "findings.parquet")
    return sallyport("deidentify", source, folder / "out", *places, "--json"), folder


def test_every_file_has_one_row_that_names_it(done: tuple[Ran, Path]) -> None:
    rows = pq.read_table(done[1] / "private" / "cross.parquet").to_pylist()
    ends = {row["source_path"]: (row["status"], row["reason"]) for row in rows}
    copies = {ends.pop("ct.dcm"), ends.pop("copy.zip/again/ct.dcm")}
    expected = dict(ENDS)
    assert copies == {expected.pop("ct.dcm"), expected.pop("copy.zip/again/ct.dcm")}  # which of two copies stays is nobody's promise
    assert ends == expected
    assert len(rows) == len(ENDS)


def test_the_tables_have_the_columns_that_the_design_names_and_are_the_callers_alone(done: tuple[Ran, Path]) -> None:
    private = done[1] / "private"
    assert pq.read_schema(private / "cross.parquet").names == CROSSWALK
    assert pq.read_schema(private / "findings.parquet").names == FINDINGS
    assert {path.stat().st_mode & 0o777 for path in private.iterdir()} == {0o600}


def test_released_objects_lie_where_the_crosswalk_says_and_nothing_else_is_there(done: tuple[Ran, Path]) -> None:
    out = done[1] / "out"
    rows = [row for row in pq.read_table(done[1] / "private" / "cross.parquet").to_pylist() if row["object_path"]]
    for row in rows:
        names = (row["patient_id"], row["study_instance_uid"], row["series_instance_uid"], f"{row['sop_instance_uid']}.dcm")
        assert row["object_path"] == "/".join(names)
        assert -3650 <= row["date_shift_days"] <= -31
    assert {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()} == {row["object_path"] for row in rows}


def test_trouble_with_a_file_is_an_exit_code_and_a_hint(done: tuple[Ran, Path]) -> None:
    ran, _ = done
    assert ran.code == 1
    assert {"n": 1, "reason": "pull_failed", "status": "failed"} in ran.data["objects"]
    assert "did not deliver" in ran.err
    assert sum(row["n"] for row in ran.data["objects"]) == len(ENDS)


@pytest.mark.parametrize("dest", ["src/out", "src", "src/deep/er/out"])
def test_a_destination_inside_the_source_is_refused(dest: str, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    with pytest.raises(UsageError, match="inside SRC"):
        run_batch(Batch(tmp_path / "src", tmp_path / dest, "shifted-dates", None, 1), None, None, lambda *_: None)
    assert not any((tmp_path / "src").iterdir())


def test_a_crosswalk_is_not_written_beside_what_is_released(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="identities"):
        run_batch(Batch(tmp_path / "src", out, "shifted-dates", None, 1), out / "cross.parquet", None, lambda *_: None)
    assert not out.exists()


def test_a_destination_that_holds_something_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(UsageError, match="not an empty folder"):
        run_batch(Batch(tmp_path / "src", tmp_path / "out", "shifted-dates", None, 1), None, None, lambda *_: None)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
