"""The ten options of PS3.15 Annex E: each one a switch, each one declared when it was done, and only then."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pydicom
import pytest

from tasks.policy.headers import HeaderPolicy
from tests.spec.made import ct_bytes, deidentified, element, item, sequence, written

ANNOTATION = sequence(
    0x00700001, item(element(0x00700002, "CS", "ARROWS"), sequence(0x00700008, item(element(0x00700006, "ST", "see here"))))
)
EXTRA = (
    element(0x00080080, "LO", "St. Elsewhere"),
    element(0x00081030, "LO", "CT chest"),
    element(0x00181000, "LO", "SN-7781"),
    ANNOTATION,
)
SWITCHES: list[tuple[dict[str, Any], str, str, str | None, str | None]] = [
    # setting, code, keyword, value when on, value when off
    ({"clean_descriptors": True}, "113105", "StudyDescription", "CT chest", None),
    ({"dates": "keep"}, "113106", "StudyDate", "20230115", ""),
    ({"retain_patient_characteristics": True}, "113108", "PatientSex", "M", ""),
    ({"retain_device": "full"}, "113109", "DeviceSerialNumber", "SN-7781", None),
    ({"retain_uids": True}, "113110", "StudyInstanceUID", "1.2.3.1", "other"),
    ({"retain_institution": True}, "113112", "InstitutionName", "St. Elsewhere", None),
]
OFF = {"clean_descriptors": False, "clean_structured_content": False, "clean_graphics": False}


def released(folder: Path, **settings: Any) -> pydicom.Dataset:
    folder.mkdir()
    (done, *_) = deidentified(folder, ct_bytes(*EXTRA), policy=HeaderPolicy(**{**OFF, **settings}))
    return pydicom.dcmread(io.BytesIO(written(done, folder / "out.dcm")))


def codes(ds: pydicom.Dataset) -> set[str]:
    return {str(i.CodeValue) for i in ds.DeidentificationMethodCodeSequence}


@pytest.mark.parametrize(("setting", "code", "keyword", "on", "off"), SWITCHES)
def test_an_option_is_a_switch(setting: dict[str, Any], code: str, keyword: str, on: str, off: str | None, tmp_path: Path) -> None:
    with_it, without = released(tmp_path / "on", **setting), released(tmp_path / "off")
    assert on == str(with_it[keyword].value)
    assert code in codes(with_it)
    assert code not in codes(without)
    if off is None:
        assert keyword not in without
    else:
        assert on != str(without[keyword].value)


def test_modified_dates_say_so(tmp_path: Path) -> None:
    ds = released(tmp_path / "shift", dates="shift")
    assert (ds.LongitudinalTemporalInformationModified, "113107" in codes(ds)) == ("MODIFIED", True)


def test_graphics_keep_their_text_when_it_is_clean(tmp_path: Path) -> None:
    ds = released(tmp_path / "on", clean_graphics=True, clean_descriptors=True)
    assert ds.GraphicAnnotationSequence[0].TextObjectSequence[0].UnformattedTextValue == "see here"
    assert "113103" in codes(ds)
    assert "GraphicAnnotationSequence" not in released(tmp_path / "off")


def test_structured_content_is_cleaned_or_replaced(tmp_path: Path) -> None:
    assert "113104" in codes(released(tmp_path / "on", clean_structured_content=True))
    assert "113104" not in codes(released(tmp_path / "off"))


def test_nothing_retained_is_the_basic_profile(tmp_path: Path) -> None:
    assert codes(released(tmp_path / "off")) == {"113100", "113101"}  # the pixel stage of the test says that it has done its work
