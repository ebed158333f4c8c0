"""Dates, times and ages: exact intervals, constants untouched, malformed removed, ages capped over the timeline."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest

from tasks.deidentify import dates
from tests.spec.made import ct_bytes, deidentified, element, written


def released(folder: Path, *extra: bytes, policy: str = "shifted-dates", last: str = "") -> pydicom.Dataset:
    (done, *_) = deidentified(folder, ct_bytes(*extra), policy=policy, last_study_date=last)
    return pydicom.dcmread(io.BytesIO(written(done, folder / "out.dcm")))


@pytest.mark.parametrize(
    ("vr", "value", "days", "expected"),
    [
        ("DA", "20240301", -1, "20240229"),
        ("DA", "20230301", -1, "20230228"),
        ("DA", "2024.03.01", -1, "20240229"),
        ("DT", "20240101000000.5+0100", -1, "20231231000000.5+0100"),
        ("DT", "20240101", -366, "20221231"),
        ("DA", "20240230", -1, None),
        ("DA", "2024", -1, None),
        ("DT", "202401", -1, None),
        ("DT", "2024010125", -1, None),
        ("DA", "00010105", -30, None),
    ],
)
def test_a_date_moves_by_whole_days(vr: str, value: str, days: int, expected: str | None) -> None:
    assert expected == dates.shifted(vr, value, days)


@pytest.mark.parametrize("constant", ["19000101", "00010101", "18581117", "99991231"])
def test_constants_are_not_shifted(constant: str) -> None:
    assert constant == dates.shifted("DA", constant, -100)


def test_a_clock_reset_is_a_constant_only_in_studies_of_another_time(tmp_path: Path) -> None:
    assert released(tmp_path, element(0x00080022, "DA", "20000101")).AcquisitionDate == "20000101"
    (tmp_path / "b").mkdir()
    real = released(tmp_path / "b", element(0x00080020, "DA", "20000103"), element(0x00080022, "DA", "20000101"))
    assert real.AcquisitionDate != "20000101"


def test_one_malformed_part_removes_a_value_of_several(tmp_path: Path) -> None:
    ds = released(tmp_path, element(0x00181200, "DA", "20230101\\2023-01-02"))
    assert "DateOfLastCalibration" not in ds


def test_all_parts_of_a_value_move_by_the_same_days(tmp_path: Path) -> None:
    ds = released(tmp_path, element(0x00181200, "DA", "20230115\\20230117"))
    first, second = ds.DateOfLastCalibration
    assert ds.StudyDate == str(first)
    assert int(str(second)) - int(str(first)) == 2 or str(second)[6:] in ("01", "02")


@pytest.mark.parametrize(
    ("birth", "age", "last", "expected"),
    [
        ("", "089Y", "", "089Y"),
        ("", "090Y", "", "090Y"),
        ("", "097Y", "", "090Y"),
        ("", "089Y", "20250115", "090Y"),  # the next study would show 91
        ("19340116", "088Y", "20240116", "090Y"),
        ("19340116", "088Y", "20240115", "088Y"),
        ("", "018M", "", "018M"),
        ("", "72", "", None),
    ],
)
def test_an_age_is_capped_over_the_whole_timeline(birth: str, age: str, last: str, expected: str | None, tmp_path: Path) -> None:
    ds = released(tmp_path, element(0x00100030, "DA", birth), element(0x00101010, "AS", age), last=last)
    assert expected == ds.get("PatientAge")


def test_a_date_in_a_number_is_removed(tmp_path: Path) -> None:
    ds = released(tmp_path, element(0x00200012, "IS", "20230115"), element(0x00180050, "DS", "1.25"))
    assert not str(ds.AcquisitionNumber or "")
    assert ds.SliceThickness == 1.25


def test_strict_keeps_no_date(tmp_path: Path) -> None:
    ds = released(tmp_path, element(0x0008002A, "DT", "20230115120000"), policy="strict")
    assert not any(e.value for e in ds if e.VR in ("DA", "TM", "DT"))
