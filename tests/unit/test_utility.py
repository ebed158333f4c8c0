"""What a stage changes without saying so is found: pixels, grey scale, geometry, laterality, references, dates."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from tasks.model import FaceOutcome, Finding, Instance, PixelOutcome, PulledFile, Reason
from tasks.prove.specimens import Specimen, make_specimens
from tasks.scan import hold_reason
from tasks.secret import Secret
from tasks.utility import StudyPairs, compare_object
from tests.unit.scan_objects import POLICY, changed

logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)


@pytest.fixture(scope="module")
def specimens(tmp_path_factory: pytest.TempPathFactory) -> list[Specimen]:
    return list(make_specimens(2, tmp_path_factory.mktemp("utility"), POLICY, Secret(bytes(range(32))), 3))


def compare(
    specimen: Specimen, path: Path, pairs: StudyPairs | None = None, text: PixelOutcome | None = None, face: FaceOutcome | None = None
) -> list[Finding]:
    return compare_object(specimen.source, path, pairs or StudyPairs(), text, face, specimen.sop_instance_uid)


def test_what_the_pipeline_writes_has_lost_nothing(specimens: list[Specimen]) -> None:
    for patient in {s.patient_id for s in specimens}:
        pairs = StudyPairs()
        assert [compare(s, s.written, pairs) for s in specimens if s.patient_id == patient] == [[], [], []]


def _turn(dataset: Dataset) -> None:
    dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)[:, ::-1].tobytes()


def _one_value(dataset: Dataset) -> None:
    dataset.PixelData = bytes([dataset.PixelData[0] ^ 1]) + dataset.PixelData[1:]


def _other_date(dataset: Dataset) -> None:
    dataset.SeriesDate = "20010203"


DAMAGES: dict[str, tuple[Callable[[Dataset], None], str]] = {
    "one pixel": (_one_value, "U1.pixels"),
    "mirrored": (_turn, "U1.pixels"),
    "intercept": (lambda d: setattr(d, "RescaleIntercept", "-1000"), "U2.grey_scale"),
    "inverted": (lambda d: setattr(d, "PhotometricInterpretation", "MONOCHROME1"), "U2.grey_scale"),
    "position": (lambda d: setattr(d, "ImagePositionPatient", ["0", "0", "1.01"]), "U3.geometry"),
    "spacing lost": (lambda d: delattr(d, "PixelSpacing"), "U3.geometry"),
    "side": (lambda d: setattr(d, "PatientPosition", "FFP"), "U4.laterality"),
    "no sex": (lambda d: delattr(d, "PatientSex"), "U6.valid"),
    "no modality": (lambda d: delattr(d, "Modality"), "U6.valid"),
    "no pixels": (lambda d: delattr(d, "PixelData"), "U6.valid"),
    "another study": (lambda d: setattr(d, "StudyInstanceUID", d.SeriesInstanceUID), "U7.references"),
    "another shift": (_other_date, "T10.offset"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found(name: str, specimens: list[Specimen], tmp_path: Path) -> None:
    damage, rule = DAMAGES[name]
    findings = compare(specimens[0], changed(specimens[0], damage, tmp_path))
    assert rule in {f.rule for f in findings}


def test_one_patient_has_one_shift_across_objects(specimens: list[Specimen], tmp_path: Path) -> None:
    pairs = StudyPairs()
    first, second = specimens[:2]
    assert compare(first, first.written, pairs) == []

    def move_all(dataset: Dataset) -> None:
        for keyword in ("StudyDate", "SeriesDate", "ContentDate"):
            setattr(dataset, keyword, f"{int(dataset.StudyDate[:4]) + 1}{dataset.StudyDate[4:6]}11")

    assert "T10.offset" in {f.rule for f in compare(second, changed(second, move_all, tmp_path), pairs)}


def test_two_sources_never_become_one(specimens: list[Specimen], tmp_path: Path) -> None:
    pairs = StudyPairs()
    first, second = specimens[:2]
    assert compare(first, first.written, pairs) == []
    collided = changed(second, lambda d: setattr(d, "SOPInstanceUID", first.sop_instance_uid), tmp_path)
    assert {f.place for f in compare(second, collided, pairs) if f.rule == "U7.references"} == {"(0008,0018)"}


def _outcomes(specimen: Specimen) -> tuple[PixelOutcome, FaceOutcome]:
    instance = Instance(PulledFile(specimen.source, "", 1), Dataset(), specimen.sop_instance_uid, "1.2", "1.2", "1.2", "CT")
    box = Finding(specimen.sop_instance_uid, "pixels frame 1 [10,20,30,8]", "burned_in_text", "P1.ocr", 0.9)
    return PixelOutcome(instance, None, True, 1, (box,)), FaceOutcome(instance, None, "defaced", True, "some method 1")


def _blank(x: int, y: int, width: int, height: int) -> Callable[[Dataset], None]:
    def change(dataset: Dataset) -> None:
        image = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns).copy()
        image[y : y + height, x : x + width] = 7
        dataset.PixelData = image.tobytes()

    return change


def test_pixels_may_change_where_text_was_blanked_and_nowhere_else(specimens: list[Specimen], tmp_path: Path) -> None:
    specimen = specimens[0]
    text, face = _outcomes(specimen)
    assert compare(specimen, changed(specimen, _blank(9, 19, 32, 10), tmp_path), text=text) == []
    assert {f.rule for f in compare(specimen, changed(specimen, _blank(9, 19, 60, 10), tmp_path), text=text)} == {"U1.pixels"}
    assert {
        f.rule for f in compare(specimen, changed(specimen, _blank(9, 19, 32, 10), tmp_path), text=replace(text, blanked_regions=0))
    } == {"U1.pixels"}
    assert compare(specimen, changed(specimen, _blank(0, 0, 90, 90), tmp_path), face=face) == []


def test_another_encoding_of_the_same_object_is_no_change(specimens: list[Specimen], tmp_path: Path) -> None:
    specimen = specimens[0]
    dataset = dcmread(specimen.source)
    other = tmp_path / "source"
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.save_as(other, implicit_vr=True, little_endian=True, enforce_file_format=True)
    assert compare_object(other, specimen.written, StudyPairs()) == []


def test_lost_utility_holds_by_its_own_reason(specimens: list[Specimen], tmp_path: Path) -> None:
    damaged = compare(specimens[0], changed(specimens[0], _turn, tmp_path))
    assert hold_reason(damaged, POLICY.gates) is Reason.HELD_BY_GATE
    assert hold_reason([*damaged, Finding("", "x", "patient_name", "T1.exact", 1.0)], POLICY.gates) is Reason.LEFTOVER_PHI
    assert hold_reason([], POLICY.gates) is None


def test_a_decoder_that_fails_is_told_and_quotes_nothing(specimens: list[Specimen], tmp_path: Path) -> None:
    def cut(dataset: Dataset) -> None:
        dataset.PixelData = dataset.PixelData[:100]

    findings = compare(specimens[0], changed(specimens[0], cut, tmp_path))
    assert [(f.rule, f.place) for f in findings] == [("U1.pixels", "pixels (not compared)")]
    assert specimens[0].patient.family not in repr(findings)
