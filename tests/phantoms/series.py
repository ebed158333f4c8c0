"""Volumes of the tests as DICOM series on disk, and as the intake would hand them to the face stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, PositronEmissionTomographyImageStorage, generate_uid

from tasks.intake import SeriesFiles, SourceFile
from tasks.model import FaceOutcome, Instance, PulledFile

_CLASS = {"CT": CTImageStorage, "MR": MRImageStorage, "PT": PositronEmissionTomographyImageStorage}


def write_series(
    folder: Path,
    values: np.ndarray,
    to_patient: np.ndarray,
    modality: str,
    frame_of_reference: str = "1.2.3.4.5",
    name: str = "series",
    drop: tuple[int, ...] = (),
    shifts: np.ndarray | None = None,
) -> SeriesFiles:
    """Write [slice, row, column] values as one object per plane. `drop` leaves planes out; `shifts` adds mm along the slice axis."""
    folder.mkdir(parents=True, exist_ok=True)
    series_uid = generate_uid(entropy_srcs=["phantom", name])
    intercept = -1024.0 if modality == "CT" else 0.0
    files = []
    for n, plane in enumerate(values):
        if n in drop:
            continue
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = _CLASS[modality]
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["phantom", name, str(n)])
        ds.StudyInstanceUID = generate_uid(entropy_srcs=["phantom study"])
        ds.SeriesInstanceUID, ds.FrameOfReferenceUID = series_uid, frame_of_reference
        ds.Modality, ds.PatientID, ds.InstanceNumber = modality, "PHANTOM", n + 1
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        column, row = to_patient[:3, 0], to_patient[:3, 1]
        ds.PixelSpacing = [float(np.linalg.norm(row)), float(np.linalg.norm(column))]
        ds.ImageOrientationPatient = [round(float(v), 6) for v in (*(column / np.linalg.norm(column)), *(row / np.linalg.norm(row)))]
        extra = 0.0 if shifts is None else float(shifts[n]) / float(np.linalg.norm(to_patient[:3, 2]))
        ds.ImagePositionPatient = [round(float(v), 6) for v in to_patient[:3, 3] + to_patient[:3, 2] * (n + extra)]
        ds.SliceThickness = float(np.linalg.norm(to_patient[:3, 2]))
        ds.Rows, ds.Columns = plane.shape
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.RescaleSlope, ds.RescaleIntercept = 1.0, intercept
        ds.PixelData = np.clip(np.rint(plane - intercept), 0, 4095).astype("<u2").tobytes()
        path = folder / f"{name}-{n:04d}.dcm"
        ds.save_as(path, enforce_file_format=True)
        files.append(source_file(path, ds))
    return SeriesFiles(series_uid, modality, tuple(files))


def write_outcomes(outcomes: Sequence[FaceOutcome], folder: Path) -> list[Path]:
    """Write what the face stage made of a series, one numbered file each; as often as it is asked to, over what it wrote before."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{n:05d}.dcm" for n in range(len(outcomes))]
    for path, outcome in zip(paths, outcomes, strict=True):
        dcmwrite(path, outcome.instance.dataset)
    return paths


def source_file(path: Path, ds: Dataset) -> SourceFile:
    """What the intake says of one object."""
    return SourceFile(
        file=PulledFile(path, path.name, path.stat().st_size),
        patient_id=str(ds.get("PatientID", "")),
        issuer_of_patient_id="",
        study_instance_uid=str(ds.StudyInstanceUID),
        series_instance_uid=str(ds.SeriesInstanceUID),
        sop_instance_uid=str(ds.SOPInstanceUID),
        sop_class_uid=str(ds.SOPClassUID),
        transfer_syntax_uid=str(ds.file_meta.TransferSyntaxUID),
        modality=str(ds.get("Modality", "")),
        frame_of_reference_uid=str(ds.get("FrameOfReferenceUID", "")),
    )


def instances_of(series: SeriesFiles) -> list[Instance]:
    """The series as the header stage would hand it on (nothing de-identified: the face stage looks at pixels only)."""
    from pydicom import dcmread

    return [
        Instance(
            f.file, dcmread(f.file.path), f.sop_instance_uid, f.series_instance_uid, f.sop_class_uid, f.transfer_syntax_uid, f.modality
        )
        for f in series.files
    ]
