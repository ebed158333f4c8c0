"""What becomes of attributes at every depth: default deny, Table E.1-1, references, container."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pydicom
import pytest

from tasks.model import Instance, Reason
from tests.spec.made import ct_bytes, deidentified, element, item, sequence, written


def released(folder: Path, content: bytes, policy: str = "shifted-dates") -> tuple[pydicom.Dataset, bytes]:
    (instance,) = deidentified(folder, content, policy=policy)
    raw = written(instance, folder / "out.dcm")
    return pydicom.dcmread(io.BytesIO(raw)), raw


CANARY = b"ZXCANARY"
EVERY_VR = {
    "PN": "ZXCANARY^A", "LO": "ZXCANARY", "SH": "ZXCANARY", "ST": "ZXCANARY", "LT": "ZXCANARY", "UT": "ZXCANARY", "UC": "ZXCANARY",
    "UR": "http://ZXCANARY", "AE": "ZXCANARY", "CS": "ZXCANARY", "DA": "ZXCANARY", "TM": "ZXCANARY", "DT": "ZXCANARY", "AS": "ZXCANARY",
    "UI": "ZXCANARY", "IS": "ZXCANARY", "DS": "ZXCANARY", "OB": "ZXCANARY", "OW": "ZXCANARY", "UN": "ZXCANARY",
}  # fmt: skip
UNKNOWN_TAGS = (0x00081199, 0x00104444, 0x00400999, 0x00880999, 0x00111010)


@pytest.mark.parametrize("vr", EVERY_VR)
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_an_attribute_without_a_rule_is_removed_at_every_depth(vr: str, depth: int, tmp_path: Path) -> None:
    for number, tag in enumerate(UNKNOWN_TAGS):
        one = element(tag, vr, EVERY_VR[vr])
        for _ in range(depth):
            one = sequence(0x00081140, item(one))
        folder = tmp_path / str(number)
        folder.mkdir()
        _, raw = released(folder, ct_bytes(one))
        assert CANARY not in raw


def test_the_patient_becomes_a_keyed_pseudonym(tmp_path: Path) -> None:
    ds, raw = released(tmp_path, ct_bytes())
    assert ds.PatientID == str(ds.PatientName) != ""
    assert not any(value in raw for value in (b"MRN0077123", b"Vantreight", b"Quill", b"ACC778812", b"ST7788", b"19500203"))


def test_geometry_and_pixels_are_exactly_equal(tmp_path: Path) -> None:
    source = pydicom.dcmread(io.BytesIO(ct_bytes()))
    ds, _ = released(tmp_path, ct_bytes())
    for keyword in [
        "SliceThickness",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "RescaleIntercept",
        "RescaleSlope",
        "PixelData",
        "Rows",
    ]:
        assert source[keyword].value == ds[keyword].value


def test_all_references_follow_a_uid(tmp_path: Path) -> None:
    reference = sequence(0x00081140, item(element(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2"), element(0x00081155, "UI", "1.2.3.4")))
    ds, raw = released(tmp_path, ct_bytes(reference))
    assert ds.SOPInstanceUID == ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID
    assert ds.ReferencedImageSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert b"1.2.3.4\0" not in raw


def test_preamble_meta_group_lengths_and_trailing_bytes_are_gone(tmp_path: Path) -> None:
    content = ct_bytes(element(0x00080000, "UL", struct.pack("<L", 99)), element(0xFFFCFFFC, "OB", b"ZXCANARY"))
    content = b"ZXCANARY".ljust(128, b"Z") + content[128:]
    _, raw = released(tmp_path, content)
    assert raw[:128] == bytes(128)
    assert CANARY not in raw
    assert b"1.2.3\0\0" not in raw


def test_trailing_bytes_are_dropped(tmp_path: Path) -> None:
    _, raw = released(tmp_path, ct_bytes() + b"ZXCANARY trailing words")
    assert CANARY not in raw


def test_500_levels_of_defined_length_are_refused(tmp_path: Path) -> None:
    value = b""
    for _ in range(500):
        value = sequence(0x00081140, item(value))
    assert deidentified(tmp_path, ct_bytes(value)) == [Reason.NESTED_TOO_DEEP]


def test_an_unknown_un_sequence_is_parsed_and_cleaned(tmp_path: Path) -> None:
    inner = struct.pack("<HHL", 0x0008, 0x1155, 8) + b"1.2.3.4\0" + struct.pack("<HHL", 0x0010, 0x0010, 8) + b"ZXCANARY"
    value = struct.pack("<HHL", 0xFFFE, 0xE000, len(inner)) + inner
    ds, raw = released(tmp_path, ct_bytes(element(0x00081140, "UN", value)))
    assert CANARY not in raw
    assert ds.SOPInstanceUID == ds.ReferencedImageSequence[0].ReferencedSOPInstanceUID


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert released(tmp_path / "a", ct_bytes())[1] == released(tmp_path / "b", ct_bytes())[1]


def test_dates_move_together_and_times_stay(tmp_path: Path) -> None:
    ds, _ = released(tmp_path, ct_bytes(element(0x0008002A, "DT", "20230115235959.5+0100"), element(0x00080022, "DA", "20230116")))
    from datetime import datetime

    moved = [datetime.strptime(d[:8], "%Y%m%d") for d in (ds.StudyDate, ds.AcquisitionDate, str(ds.AcquisitionDateTime))]
    assert [(m - moved[0]).days for m in moved] == [0, 1, 0]
    assert ds.StudyDate != "20230115"
    assert str(ds.AcquisitionDateTime).endswith("235959.5+0100")
    assert ds.LongitudinalTemporalInformationModified == "MODIFIED"


def test_strict_removes_dates_and_says_so(tmp_path: Path) -> None:
    ds, _ = released(tmp_path, ct_bytes(), policy="strict")
    assert (ds.StudyDate, ds.StudyTime, ds.LongitudinalTemporalInformationModified) == ("", "", "REMOVED")


def test_codes_stand_for_work_that_was_done(tmp_path: Path) -> None:
    ds, _ = released(tmp_path, ct_bytes())
    codes = {item.CodeValue for item in ds.DeidentificationMethodCodeSequence}
    assert {"113100", "113107", "113108"} <= codes
    assert not codes & {"113106", "113109", "113110", "113112", "113102"}


def test_encapsulated_documents_are_refused(tmp_path: Path) -> None:
    content = ct_bytes(element(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.104.1"), element(0x00420011, "OB", b"%PDF"))
    assert deidentified(tmp_path, content) == [Reason.ENCAPSULATED_DOCUMENT]


def test_the_instance_names_released_values_only(tmp_path: Path) -> None:
    (instance,) = deidentified(tmp_path, ct_bytes())
    assert isinstance(instance, Instance)
    assert "1.2.3.4" not in repr(instance)
    assert instance.sop_instance_uid.startswith("2.25.")
