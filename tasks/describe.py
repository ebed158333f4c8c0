"""One INSTANCES row per written object, read back from its bytes: the facts that gates judge and manifests publish.

Reads only what is in the written file; what the stages claimed beside it is passed in and kept in columns of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydicom.dataset import Dataset
from pydicom.filereader import dcmread, read_partial
from pydicom.uid import UID, ExplicitVRLittleEndian

from tasks.model import FaceOutcome, InstanceOutcome, PixelOutcome

_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_MULTIFRAME_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_UNDEFINED_LENGTH = 0xFFFFFFFF


def describe_object(
    path: Path, study_key: str, quarantine_key: str, outcome: InstanceOutcome, pixels: PixelOutcome | None, face: FaceOutcome | None
) -> dict[str, Any]:
    """Read a written object back and return its INSTANCES row (schemas.INSTANCES)."""
    dataset = dcmread(path, stop_before_pixels=True)
    size_bytes = path.stat().st_size
    offset, length = _pixel_place(path, size_bytes, UID(str(dataset.file_meta.TransferSyntaxUID)))
    spacing = _numbers(_find(dataset, "PixelSpacing")) or _numbers(dataset.get("ImagerPixelSpacing"))
    series, instances = _references(dataset)
    return {
        "study_key": study_key,
        "PatientID": str(dataset.get("PatientID", "")),
        "StudyInstanceUID": str(dataset.StudyInstanceUID),
        "SeriesInstanceUID": str(dataset.SeriesInstanceUID),
        "SOPInstanceUID": str(dataset.SOPInstanceUID),
        "SOPClassUID": str(dataset.SOPClassUID),
        "TransferSyntaxUID": str(dataset.file_meta.TransferSyntaxUID),
        "quarantine_key": quarantine_key,
        "size_bytes": size_bytes,
        "sha256": sha256_of(path),
        "pixel_data_offset": offset,
        "pixel_data_length": length,
        "status": outcome.status.value,
        "reason": outcome.reason.value if outcome.reason else None,
        "PatientSex": _text(dataset, "PatientSex"),
        "patient_age_years": age_in_years(_text(dataset, "PatientAge")),
        "PatientSize": _number(dataset.get("PatientSize")),
        "PatientWeight": _number(dataset.get("PatientWeight")),
        "EthnicGroup": _text(dataset, "EthnicGroup"),
        "PregnancyStatus": _integer(dataset.get("PregnancyStatus")),
        "StudyDate": _date(_text(dataset, "StudyDate")),
        "StudyDescription": _text(dataset, "StudyDescription"),
        "Modality": _text(dataset, "Modality"),
        "SeriesNumber": _integer(dataset.get("SeriesNumber")),
        "SeriesDescription": _text(dataset, "SeriesDescription"),
        "ProtocolName": _text(dataset, "ProtocolName"),
        "BodyPartExamined": _text(dataset, "BodyPartExamined"),
        "Laterality": _text(dataset, "Laterality") or _text(dataset, "ImageLaterality"),
        "PatientPosition": _text(dataset, "PatientPosition"),
        "Manufacturer": _text(dataset, "Manufacturer"),
        "ManufacturerModelName": _text(dataset, "ManufacturerModelName"),
        "SoftwareVersions": _texts(dataset.get("SoftwareVersions")),
        "ImageType": _texts(dataset.get("ImageType")),
        "MagneticFieldStrength": _number(_find(dataset, "MagneticFieldStrength")),
        "KVP": _number(_find(dataset, "KVP")),
        "SliceThickness": _number(_find(dataset, "SliceThickness")),
        "SpacingBetweenSlices": _number(_find(dataset, "SpacingBetweenSlices")),
        "pixel_spacing_row_mm": spacing[0] if spacing else None,
        "pixel_spacing_col_mm": spacing[1] if len(spacing) > 1 else None,
        "RepetitionTime": _number(_find(dataset, "RepetitionTime")),
        "EchoTime": _number(_find(dataset, "EchoTime") or _find(dataset, "EffectiveEchoTime")),
        "FlipAngle": _number(_find(dataset, "FlipAngle")),
        "ConvolutionKernel": _texts(_find(dataset, "ConvolutionKernel")),
        "ContrastBolusAgent": _text(dataset, "ContrastBolusAgent"),
        "FrameOfReferenceUID": _text(dataset, "FrameOfReferenceUID"),
        "InstanceNumber": _integer(dataset.get("InstanceNumber")),
        "AcquisitionNumber": _integer(dataset.get("AcquisitionNumber")),
        "Rows": _integer(dataset.get("Rows")),
        "Columns": _integer(dataset.get("Columns")),
        "NumberOfFrames": _integer(dataset.get("NumberOfFrames")) or (1 if offset is not None else None),
        "BitsStored": _integer(dataset.get("BitsStored")),
        "PhotometricInterpretation": _text(dataset, "PhotometricInterpretation"),
        "LossyImageCompression": _text(dataset, "LossyImageCompression"),
        "ImageOrientationPatient": _numbers(_find(dataset, "ImageOrientationPatient")),
        "ImagePositionPatient": _numbers(dataset.get("ImagePositionPatient")),
        "references_series": series,
        "references_instances": instances,
        "deid_option_codes": [str(item.get("CodeValue", "")) for item in dataset.get("DeidentificationMethodCodeSequence", [])],
        "BurnedInAnnotation": _text(dataset, "BurnedInAnnotation"),
        "RecognizableVisualFeatures": _text(dataset, "RecognizableVisualFeatures"),
        "LongitudinalTemporalInformationModified": _text(dataset, "LongitudinalTemporalInformationModified"),
        "pixels_examined": pixels.examined if pixels else False,
        "blanked_regions": pixels.blanked_regions if pixels else 0,
        "face_verdict": face.verdict if face else None,
        "face_in_fov": face.face_in_fov if face else None,
        "defacing_method": face.method if face else None,
    }


def sha256_of(path: Path) -> str:
    """Return the hex SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def age_in_years(age: str | None) -> int | None:
    """Return whole years of an AS value ("034Y", "007M"), or None when it is absent or malformed."""
    if not age or len(age) != 4 or not age[:3].isdigit():
        return None
    days = {"D": 1.0, "W": 7.0, "M": 30.4375, "Y": 365.25}.get(age[3])
    return int(age[:3]) if age[3] == "Y" else (int(int(age[:3]) * days / 365.25) if days else None)


def _pixel_place(path: Path, size_bytes: int, syntax: UID) -> tuple[int | None, int | None]:
    if syntax.is_private or not syntax.is_transfer_syntax:
        syntax = ExplicitVRLittleEndian  # PS3.5 10.4: a private syntax is encoded so before its pixel data
    if syntax.is_deflated:
        return None, None
    with path.open("rb") as file:
        read_partial(file, stop_when=lambda tag, _vr, _length: tag in _PIXEL_TAGS)
        start = file.tell()
        header = file.read(12)
    if len(header) < 8:
        return None, None
    order: Literal["little", "big"] = "little" if syntax.is_little_endian else "big"
    group = int.from_bytes(header[:2], order)
    if group != 0x7FE0:
        return None, None
    value_at = start + (8 if syntax.is_implicit_VR else 12)
    length = int.from_bytes(header[4:8] if syntax.is_implicit_VR else header[8:12], order)
    return value_at, (size_bytes - value_at if length == _UNDEFINED_LENGTH else length)


def _find(dataset: Dataset, keyword: str) -> Any:
    """Return an attribute of the object, or of its shared or first per-frame functional groups."""
    if keyword in dataset:
        return dataset.get(keyword)
    for groups in _MULTIFRAME_GROUPS:
        for item in list(dataset.get(groups, []))[:1]:
            for element in item:
                if element.VR == "SQ" and element.value and keyword in element.value[0]:
                    return element.value[0].get(keyword)
    return None


def _references(dataset: Dataset) -> tuple[list[str], list[str]]:
    series: set[str] = set()
    instances: set[str] = set()
    for item, depth in _items(dataset):
        if depth:
            if uid := item.get("SeriesInstanceUID"):
                series.add(str(uid))
            if uid := item.get("ReferencedSOPInstanceUID"):
                instances.add(str(uid))
    return sorted(series), sorted(instances)


def _items(dataset: Dataset, depth: int = 0) -> Iterator[tuple[Dataset, int]]:
    yield dataset, depth
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value or ():
                yield from _items(item, depth + 1)


def _text(dataset: Dataset, keyword: str) -> str | None:
    value = dataset.get(keyword)
    if value is None or value == "":
        return None
    return "\\".join(str(v) for v in value) if not isinstance(value, str) and hasattr(value, "__iter__") else str(value)


def _texts(value: Any) -> list[str] | None:
    if value is None or value == "":
        return None
    return [value] if isinstance(value, str) else [str(v) for v in value]


def _number(value: Any) -> float | None:
    if value is not None and not isinstance(value, (str, int, float)):
        value = next(iter(value), None) if hasattr(value, "__iter__") else value
    try:
        return float(value) if value not in (None, "") else None
    except (TypeError, ValueError):
        return None


def _numbers(value: Any) -> list[float]:
    if value is None or value == "":
        return []
    try:
        return [float(v) for v in value] if hasattr(value, "__iter__") and not isinstance(value, str) else [float(value)]
    except (TypeError, ValueError):
        return []


def _integer(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and abs(number) < 2**31 else None


def _date(value: str | None) -> date | None:
    try:
        return date(int(value[:4]), int(value[4:6]), int(value[6:8])) if value and len(value) == 8 else None
    except ValueError:
        return None
