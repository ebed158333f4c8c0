"""Small DICOM objects made for archive tests; every one of them differs."""

from __future__ import annotations

import io
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

SECRET_BYTES = bytes(range(32))


def make_object(
    study: str = "1.2.3",
    series: str | None = None,
    sop: str | None = None,
    *,
    number: int = 1,
    patient: str = "P1",
    issuer: str = "",
    date: str = "20240115",
    modality: str = "CT",
    accession: str = "A1",
    description: str = "CHEST",
    size: int = 8,
    syntax: str = ExplicitVRLittleEndian,
) -> Dataset:
    """Return one image object of `size` x `size` pixels."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = sop or f"{study}.1.{number}"
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.StudyInstanceUID = study
    ds.SeriesInstanceUID = series or f"{study}.1"
    ds.PatientID, ds.PatientName, ds.PatientBirthDate, ds.PatientSex = patient, f"Made^{patient}", "19600101", "O"
    if issuer:
        ds.IssuerOfPatientID = issuer
    ds.StudyDate, ds.StudyTime, ds.Modality, ds.AccessionNumber = date, "101500", modality, accession
    ds.StudyDescription, ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = description, "1", 1, number
    ds.Rows = ds.Columns = size
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.PixelData = number.to_bytes(2, "little") * (size * size)
    return ds


def to_bytes(ds: Dataset) -> bytes:
    """Return the object as a DICOM file."""
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def write(folder: Path, name: str, ds: Dataset) -> Path:
    """Write the object below `folder` and return its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_bytes(ds))
    return path
