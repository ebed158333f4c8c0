# ruff: noqa: E501 - tables of channels, a row each
"""What has to stay in an object: pixels, geometry, acquisition, rescale, dose, intervals, descriptions, words.

What has to go does not belong here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from tests.bench.phi.key import Keep

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_GROUPS = {
    "geometry": ("Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness", "SpacingBetweenSlices", "PatientPosition",
                 "SliceLocation", "NumberOfFrames", "GridFrameOffsetVector", "ImagerPixelSpacing"),
    "acquisition": ("Modality", "KVP", "ExposureTime", "XRayTubeCurrent", "Exposure", "RepetitionTime", "EchoTime", "FlipAngle", "MagneticFieldStrength",
                    "ScanningSequence", "SequenceVariant", "ConvolutionKernel", "BodyPartExamined", "ImageType", "MRAcquisitionType", "EchoTrainLength",
                    "InversionTime", "NumberOfAverages", "ImagingFrequency", "GantryDetectorTilt", "ReconstructionDiameter"),
    "rescale and display": ("RescaleIntercept", "RescaleSlope", "RescaleType", "WindowCenter", "WindowWidth", "BitsAllocated", "BitsStored", "HighBit",
                            "PixelRepresentation", "PhotometricInterpretation", "SamplesPerPixel", "PlanarConfiguration"),
    "dose": ("DoseUnits", "DoseType", "DoseGridScaling", "DoseSummationType", "CTDIvol"),
    "device model": ("Manufacturer", "ManufacturerModelName", "SoftwareVersions"),
    "descriptions": ("StudyDescription", "SeriesDescription", "ProtocolName"),
    "patient characteristics": ("PatientSex", "PatientSize", "PatientWeight"),
    "instance numbers": ("SeriesNumber", "AcquisitionNumber", "InstanceNumber"),
}  # fmt: skip


def of_object(dataset: Any, planted: Any) -> Iterator[Keep]:
    """Yield the checks for everything that this object has, that nothing was planted in, and that a tool must keep."""
    for category, keywords in _GROUPS.items():
        for keyword in keywords:
            if keyword in dataset and dataset[keyword].value not in (None, "") and _untouched(dataset, planted, keyword):
                yield Keep(keyword, category, _same(keyword))
    if "PixelData" in dataset:
        yield Keep("decoded pixels", "pixels", _pixels)
    yield Keep("days between dates", "intervals", _intervals)


def words(keyword: str, residue: tuple[str, ...], category: str) -> Iterator[Keep]:
    """Yield one check that counts how many words are still in an element."""

    def check(output: Dataset, _: Dataset) -> tuple[int, int]:
        text = str(output.get(keyword, ""))
        return sum(word in text for word in residue), len(residue)

    if residue:
        yield Keep(keyword, category, check)


def _untouched(dataset: Any, planted: Any, keyword: str) -> bool:
    try:
        return bool(dataset[keyword].value == planted[keyword].value)
    except Exception:  # what was planted cannot be decoded under this VR
        return False


def _same(keyword: str) -> Callable[[Any, Any], tuple[int, int]]:
    def check(output: Any, clean: Any) -> tuple[int, int]:
        return int(keyword in output and _plain(output[keyword].value) == _plain(clean[keyword].value)), 1

    return check


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip()
    if hasattr(value, "__iter__") and not isinstance(value, bytes):
        return [_plain(v) for v in value]
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _pixels(output: Any, clean: Any) -> tuple[int, int]:
    import numpy

    try:
        expected = clean.pixel_array
    except Exception:  # the twin itself cannot be decoded here: the bytes have to be equal
        return int(output.PixelData == clean.PixelData), 1
    return int(numpy.array_equal(output.pixel_array, expected)), 1


def _intervals(output: Any, clean: Any) -> tuple[int, int]:
    def days(dataset: Any) -> list[int]:
        values = [str(dataset.get(k, "")) for k in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")]
        found = [date(int(v[:4]), int(v[4:6]), int(v[6:8])).toordinal() for v in values]
        return [b - a for a, b in itertools.pairwise(found)]

    return int(days(output) == days(clean)), 1
