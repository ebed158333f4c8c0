"""DICOM objects of the sample archive: CT, MR, ultrasound, secondary capture, structured report, encapsulated PDF."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    BasicTextSRStorage,
    CTImageStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

from tasks.sample.patients import SamplePatient

_SIDE = 96


def uid(*parts: object) -> str:
    """Return a UID that depends on its parts only: the sample archive is the same on every machine."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:16]
    return f"2.25.{int.from_bytes(digest, 'big')}"


def ct_series(patient: SamplePatient, slices: int = 10) -> list[Dataset]:
    """Return a chest-like CT series: an elliptical body with lungs and spine, no head."""
    return [_slice(patient, "CT", CTImageStorage, index, _chest(patient, index)) for index in range(slices)]


def mr_series(patient: SamplePatient, slices: int = 10) -> list[Dataset]:
    """Return a knee-like MR series."""
    return [_slice(patient, "MR", MRImageStorage, index, _knee(patient, index)) for index in range(slices)]


def ultrasound(patient: SamplePatient, *, with_text: bool = True) -> Dataset:
    """Return one 8-bit ultrasound frame; with the patient's name, id and date burned into its head line."""
    import cv2

    dataset = _object(patient, "US", UltrasoundImageStorage, "us", 1)
    chance = np.random.default_rng(_seed(patient, "us"))
    frame = np.zeros((240, 320), np.uint8)
    rows, columns = np.mgrid[:240, :320]
    fan = (np.hypot(rows - 30, columns - 160) < 190) & (np.abs(columns - 160) < (rows - 20) * 0.8)
    frame[fan] = np.clip(chance.gamma(2.0, 22.0, fan.sum()), 0, 200).astype(np.uint8)
    if with_text:
        lines = (f"{patient.family.upper()[:14]} {patient.given}", f"ID {patient.patient_id}", f"{patient.study_date}")
        for line, (x, y) in zip(lines, ((6, 14), (6, 30), (236, 14)), strict=True):
            ascii_line = line.encode("ascii", "ignore").decode()
            cv2.putText(frame, ascii_line, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.42, 255, 1, cv2.LINE_AA)
    return _with_pixels(dataset, frame)


def dose_page(patient: SamplePatient) -> Dataset:
    """Return a secondary capture that is a page of text: "Patient Information"."""
    import cv2

    dataset = _object(patient, "CT", SecondaryCaptureImageStorage, "dose", 1)
    dataset.ConversionType = "WSD"
    page = np.zeros((256, 384), np.uint8)
    lines = ("Patient Information", f"Name: {patient.family}", f"ID: {patient.patient_id}", "Total DLP 412 mGy*cm", "CTDIvol 9.8 mGy")
    for number, line in enumerate(lines):
        text = line.encode("ascii", "ignore").decode()
        cv2.putText(page, text, (12, 30 + 28 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.55, 230, 1, cv2.LINE_AA)
    return _with_pixels(dataset, page)


def structured_report(patient: SamplePatient) -> Dataset:
    """Return a Basic Text SR whose findings mention the patient by name."""
    dataset = _object(patient, "SR", BasicTextSRStorage, "sr", 1)
    dataset.CompletionFlag, dataset.VerificationFlag, dataset.ValueType = "COMPLETE", "UNVERIFIED", "CONTAINER"
    dataset.ContinuityOfContent = "SEPARATE"
    dataset.ConceptNameCodeSequence = Sequence([_code("18748-4", "LN", "Diagnostic imaging report")])
    finding = Dataset()
    finding.RelationshipType, finding.ValueType = "CONTAINS", "TEXT"
    finding.ConceptNameCodeSequence = Sequence([_code("121071", "DCM", "Finding")])
    finding.TextValue = f"{patient.given} {patient.family} was examined on {patient.study_date}. No pleural effusion."
    dataset.ContentSequence = Sequence([finding])
    dataset.ReferencedPerformedProcedureStepSequence = Sequence([])
    dataset.PerformedProcedureCodeSequence = Sequence([])
    return dataset


def encapsulated_pdf(patient: SamplePatient) -> Dataset:
    """Return an encapsulated PDF: refused by default, since nobody can clean it with proof."""
    dataset = _object(patient, "OT", EncapsulatedPDFStorage, "pdf", 1)
    dataset.BurnedInAnnotation, dataset.DocumentTitle = "YES", f"Letter about {patient.family}"
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocument = f"%PDF-1.4\n% letter about {patient.person_name}\n%%EOF\n".encode()
    return dataset


def _object(patient: SamplePatient, modality: str, sop_class: str, series: str, number: int) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = uid("sop", patient.patient_id, series, number)
    dataset.StudyInstanceUID = uid("study", patient.patient_id)
    dataset.SeriesInstanceUID = uid("series", patient.patient_id, series)
    dataset.Modality, dataset.Manufacturer, dataset.ManufacturerModelName = modality, "Sallyport Phantoms", f"Model {modality}"
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = patient.study_date
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = "093015.5"
    dataset.AccessionNumber, dataset.StudyID = patient.accession, patient.accession[-6:]
    dataset.ReferringPhysicianName, dataset.OperatorsName = patient.physician, "Tech^Nele"
    dataset.InstitutionName, dataset.InstitutionAddress = "Klinikum Sankt Beispiel", "Lindenallee 4, 10115 Berlin"
    dataset.StationName, dataset.DeviceSerialNumber = "CTROOM2-ALPHA", "SN-448812"
    dataset.StudyDescription = f"{modality} routine, {patient.family}"
    dataset.PatientName, dataset.PatientID, dataset.PatientSex = patient.person_name, patient.patient_id, patient.sex
    dataset.PatientBirthDate, dataset.PatientAge = patient.birth_date, f"{patient.age_years:03d}Y"
    dataset.PatientTelephoneNumbers = patient.phone
    dataset.PatientComments = f"Call {patient.given} {patient.family} at {patient.phone}"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, number
    return dataset


def _slice(patient: SamplePatient, modality: str, sop_class: str, index: int, frame: np.ndarray[Any, Any]) -> Dataset:
    dataset = _object(patient, modality, sop_class, modality.lower(), index + 1)
    dataset.SeriesDescription = "Thorax 5mm soft tissue" if modality == "CT" else "Knee PD sagittal"
    dataset.BodyPartExamined = "CHEST" if modality == "CT" else "KNEE"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"] if modality == "CT" else ["ORIGINAL", "PRIMARY", "M"]
    dataset.FrameOfReferenceUID = uid("frame", patient.patient_id, modality)
    dataset.PositionReferenceIndicator = ""
    dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-190, -190, 5.0 * index]
    dataset.PatientPosition, dataset.PixelSpacing, dataset.SliceThickness = "HFS", [4.0, 4.0], 5.0
    dataset.AcquisitionNumber = 1
    if modality == "CT":
        dataset.KVP, dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 120, -1024, 1, "HU"
        dataset.ConvolutionKernel = "B30f"
        block = dataset.private_block(0x0029, "SALLYPORT SAMPLE", create=True)
        block.add_new(0x10, "LO", f"{patient.person_name} {patient.patient_id}")
    else:
        dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions, dataset.MRAcquisitionType = "SE", "SK", "", "2D"
        dataset.MagneticFieldStrength, dataset.RepetitionTime, dataset.EchoTime, dataset.EchoTrainLength = 1.5, 2800, 30, 8
    return _with_pixels(dataset, frame)


def _chest(patient: SamplePatient, index: int) -> np.ndarray[Any, Any]:
    chance = np.random.default_rng(_seed(patient, "ct", index))
    rows, columns = np.mgrid[:_SIDE, :_SIDE] - _SIDE / 2 + 0.5
    image = np.full((_SIDE, _SIDE), -1000.0)
    image[(rows / 28) ** 2 + (columns / 40) ** 2 < 1] = 40
    for side in (-1, 1):
        image[((rows + 2) / 18) ** 2 + ((columns - side * 18) / 13) ** 2 < 1] = -850 + 4 * index
    image[((rows - 20) / 6) ** 2 + (columns / 6) ** 2 < 1] = 420
    noise = chance.normal(0, 12, image.shape)
    return np.clip(image + noise + 1024, 0, 4095).astype(np.uint16)


def _knee(patient: SamplePatient, index: int) -> np.ndarray[Any, Any]:
    chance = np.random.default_rng(_seed(patient, "mr", index))
    rows, columns = np.mgrid[:_SIDE, :_SIDE] - _SIDE / 2 + 0.5
    image = np.zeros((_SIDE, _SIDE))
    image[np.abs(columns + 3 * np.sin(rows / 15)) < 24] = 300
    image[(np.abs(columns) < 15) & (np.abs(rows) > 4)] = 700 - 10 * index
    return np.clip(image + np.abs(chance.normal(0, 14, image.shape)), 0, 4095).astype(np.uint16)


def _with_pixels(dataset: Dataset, frame: np.ndarray[Any, Any]) -> Dataset:
    bits = frame.dtype.itemsize * 8
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = frame.shape
    dataset.BitsAllocated, dataset.BitsStored = bits, 12 if bits == 16 else 8
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, 0
    dataset.PixelData = frame.tobytes()
    return dataset


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _seed(patient: SamplePatient, *parts: object) -> int:
    return int.from_bytes(hashlib.sha256("/".join(map(str, (patient.patient_id, *parts))).encode()).digest()[:8], "big")
