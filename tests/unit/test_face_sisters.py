"""What repeats the outline of a head goes where the head went: sister series, segments, dose, contours, captures."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, RTDoseStorage, RTStructureSetStorage, SecondaryCaptureImageStorage, generate_uid

from tasks.deface import deface_series, plan_faces
from tasks.intake import SeriesFiles
from tasks.model import Reason
from tasks.policy.faces import FacePolicy
from tests.phantoms.bodies import chest
from tests.phantoms.heads import head
from tests.phantoms.series import instances_of, source_file, write_series

POLICY = FacePolicy()


@pytest.fixture(autouse=True)
def no_detectors(monkeypatch):
    monkeypatch.setenv("SALLYPORT_FACE_JUDGE", "off")


@pytest.fixture(scope="module")
def mr_head(tmp_path_factory):
    values, to_patient = head("MR", (4.0, 2.5, 2.5))
    return write_series(tmp_path_factory.mktemp("head"), values, to_patient, "MR", name="head"), values, to_patient


@pytest.fixture(scope="module")
def mr_chest(tmp_path_factory):
    return write_series(tmp_path_factory.mktemp("chest"), *chest("MR"), "MR", name="chest")


def single(path, sop_class, modality, **attributes):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3", generate_uid(entropy_srcs=[path.name, "series"])
    ds.Modality = modality
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    ds.save_as(path, enforce_file_format=True)
    return SeriesFiles(ds.SeriesInstanceUID, modality, (source_file(path, ds),))


def dose(path, to_patient, shape, frame="1.2.3.4.5"):
    return single(
        path, RTDoseStorage, "RTDOSE", FrameOfReferenceUID=frame, Rows=shape[1], Columns=shape[2], NumberOfFrames=shape[0],
        ImagePositionPatient=[float(v) for v in to_patient[:3, 3]], ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        PixelSpacing=[to_patient[1, 1], to_patient[0, 0]], GridFrameOffsetVector=[float(n * to_patient[2, 2]) for n in range(shape[0])],
        SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2", BitsAllocated=16, BitsStored=16, HighBit=15, PixelRepresentation=0,
        PixelData=np.full(shape, 500, "<u2").tobytes(),
    )  # fmt: skip


def contours(path, frame="1.2.3.4.5", level=-62.0):
    angle = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    ring = np.stack([75 * np.cos(angle), 95 * np.sin(angle) - 10, np.full(80, level)], axis=1)
    item = Dataset()
    item.ContourGeometricType, item.NumberOfContourPoints = "CLOSED_PLANAR", 80
    item.ContourData = [f"{v:.2f}" for v in ring.ravel()]
    structure = Dataset()
    structure.ContourSequence, structure.ReferencedROINumber = Sequence([item]), 1
    roi = Dataset()
    roi.ROINumber, roi.ReferencedFrameOfReferenceUID = 1, frame
    return single(
        path, RTStructureSetStorage, "RTSTRUCT", ROIContourSequence=Sequence([structure]), StructureSetROISequence=Sequence([roi])
    )


@pytest.mark.slow
def test_a_sister_too_thin_to_tell_gets_the_frame_of_its_sister(mr_head, tmp_path):
    series, values, to_patient = mr_head
    sister = to_patient.copy()
    sister[:3, 2] *= 10
    thin = write_series(tmp_path, 0.6 * values[4::10], sister @ np.diag([1, 1, 1, 1.0]), "MR", name="thin")
    plan = plan_faces([series, thin], POLICY)
    assert {"defaced"} == {o.verdict for o in deface_series(instances_of(thin), plan, POLICY)}


@pytest.mark.slow
def test_dose_in_the_region_becomes_zero_and_nothing_else(mr_head, tmp_path):
    series, values, to_patient = mr_head
    grid = dose(tmp_path / "dose.dcm", to_patient, values.shape)
    plan = plan_faces([series, grid], POLICY)
    (outcome,) = deface_series(instances_of(grid), plan, POLICY)
    assert (outcome.verdict, outcome.reason) == ("defaced", None)
    left = np.frombuffer(outcome.instance.dataset.PixelData, "<u2")
    assert set(np.unique(left)) == {0, 500}


@pytest.mark.slow
def test_contours_lose_the_points_of_the_face(mr_head, tmp_path):
    series, *_ = mr_head
    structure = contours(tmp_path / "rs.dcm")
    (outcome,) = deface_series(instances_of(structure), plan_faces([series, structure], POLICY), POLICY)
    kept = np.array(outcome.instance.dataset.ROIContourSequence[0].ContourSequence[0].ContourData, float).reshape(-1, 3)
    assert 10 < len(kept) < 80
    assert kept[:, 1].min() > 0
    assert int(outcome.instance.dataset.ROIContourSequence[0].ContourSequence[0].NumberOfContourPoints) == len(kept)
    source = dcmread(structure.files[0].file.path)
    assert len(source.ROIContourSequence[0].ContourSequence[0].ContourData) == 240


@pytest.mark.parametrize("make", [contours, lambda path, **more: dose(path, np.diag([2.5, 2.5, 4, 1.0]), (4, 20, 20), **more)])
def test_in_the_frame_of_a_chest_sisters_pass_untouched(mr_chest, tmp_path, make):
    sister = make(tmp_path / "sister.dcm")
    plan = plan_faces([mr_chest, sister], POLICY)
    instances = instances_of(sister)
    (outcome,) = deface_series(instances, plan, POLICY)
    assert (outcome.verdict, outcome.reason) == ("no face", None)
    assert outcome.instance is instances[0]


def test_in_an_unknown_frame_of_reference_sisters_are_held(mr_chest, tmp_path):
    sister = contours(tmp_path / "sister.dcm", frame="1.2.3.99")
    (decision,) = [d for p, d in plan_faces([mr_chest, sister], POLICY).decisions.items() if p.name == "sister.dcm"]
    assert decision.reason == Reason.FACE_IN_SISTER


@pytest.mark.slow
def test_a_capture_beside_a_head_is_held(mr_head, tmp_path):
    series, *_ = mr_head
    picture = single(tmp_path / "sc.dcm", SecondaryCaptureImageStorage, "MR", BitsAllocated=8, PixelData=b"\0" * 64)
    plan = plan_faces([series, picture], POLICY)
    assert plan.decisions[picture.files[0].file.path].reason == Reason.FACE_IN_SISTER


@pytest.mark.slow
def test_a_head_elsewhere_in_the_same_frame_of_reference_is_held(mr_head, tmp_path):
    series, values, to_patient = mr_head
    moved = to_patient.copy()
    moved[:3, 3] += [30, 0, 35]
    other = write_series(tmp_path, values, moved, "MR", name="moved")
    plan = plan_faces([series, other], POLICY)
    reasons = {plan.decisions[f.file.path].reason for s in (series, other) for f in s.files}
    assert Reason.FACE_NOT_ASSESSABLE in reasons
    assert replace(series) == series
