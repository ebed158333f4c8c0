"""Canaries: unique made values in every kind of place PHI can live, and a sweep that searches every channel for them."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from pydicom import config
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from tasks.sample import PATIENTS, objects

_TEXT_PLACES = {
    "AE": "StationAETitle",
    "CS": "BodyPartExamined",
    "LO": "InstitutionalDepartmentName",
    "LT": "AdditionalPatientHistory",
    "PN": "PerformingPhysicianName",
    "SH": "StationName",
    "ST": "InstitutionAddress",
    "UC": "LongCodeValue",
    "UR": "RetrieveURL",
    "UT": "TextValue",
    "DS": "PatientWeight",
    "IS": "AcquisitionNumber",
}
_PRIVATE_VRS = ("LO", "LT", "PN", "SH", "UT", "UN", "OB", "OW", "OF", "OD", "OL", "OV", "ST", "AE", "CS")
_BYTES = frozenset({"UN", "OB", "OW", "OF", "OD", "OL", "OV"})


@dataclass(frozen=True)
class Canary:
    place: str
    value: str


class Nest:
    """Hands out canaries and remembers where each sits."""

    def __init__(self) -> None:
        self.canaries: list[Canary] = []

    def new(self, place: str, form: str = "text") -> str:
        number = len(self.canaries) + 1
        value = {
            "text": f"ZQXCANARY{number:04d}",
            "short": f"ZQXC{number:04d}",
            "date": f"18{number % 90 + 10:02d}0719",
            "datetime": f"18{number % 90 + 10:02d}0817031415",
            "uid": f"1.2.826.0.1.424242.{number}.99.7",
        }[form]
        self.canaries.append(Canary(place, value))
        return value


def plant(folder: Path) -> list[Canary]:
    """Write a small archive of CT objects with a canary in every kind of place; returns the complete key."""
    nest = Nest()
    place = folder / nest.new("folder name")
    place.mkdir(parents=True)
    patient = PATIENTS[2]
    config.settings.writing_validation_mode = config.IGNORE
    try:
        for index, dataset in enumerate(objects.ct_series(patient, slices=10)):
            if index == 0:
                _plant_elements(dataset, nest, "top level")
                _plant_private(dataset, nest, "top level")
                first = Dataset()
                _plant_elements(first, nest, "depth 1")
                _plant_private(first, nest, "depth 1")
                second = Dataset()
                _plant_elements(second, nest, "depth 2")
                _plant_private(second, nest, "depth 2")
                first.ModifiedAttributesSequence = Sequence([second])
                dataset.OriginalAttributesSequence = Sequence([first])
                _plant_identity(dataset, nest)
            _save(dataset, place / (nest.new("file name") if index == 0 else f"{index}"), nest if index == 0 else None)
    finally:
        config.settings.writing_validation_mode = config.WARN
    return nest.canaries


def _plant_identity(dataset: Dataset, nest: Nest) -> None:
    dataset.PatientComments = f"seen by {nest.new('free text')} on 3 May"
    dataset.SeriesDescription = f"Thorax {dataset.PatientID} {nest.new('descriptor', 'date')}"
    dataset.PatientBirthDate = nest.new("DA", "date")
    dataset.FrameOfReferenceUID = nest.new("UI", "uid")
    dataset.AcquisitionDateTime = nest.new("DT", "datetime")


def _plant_elements(dataset: Dataset, nest: Nest, depth: str) -> None:
    for vr, keyword in _TEXT_PLACES.items():
        value = nest.new(f"{vr} {depth}", "short" if vr in ("SH", "AE", "CS", "DS", "IS") else "text")
        if vr in ("DS", "IS"):  # text where a number belongs: only reachable behind the constructor's back
            setattr(dataset, keyword, "1")
            dataset[keyword]._value = value
        else:
            setattr(dataset, keyword, value)
    dataset.add(DataElement(0x00204000, "UN", _bytes(nest.new(f"standard element as UN {depth}"))))
    dataset.add(DataElement(0x00189999, "LO", nest.new(f"unknown standard tag {depth}")))


def _plant_private(dataset: Dataset, nest: Nest, depth: str) -> None:
    block = dataset.private_block(0x0099, nest.new(f"private creator {depth}"), create=True)
    for offset, vr in enumerate(_PRIVATE_VRS, 0x10):
        value = nest.new(f"private {vr} {depth}", "short" if vr in ("SH", "AE", "CS") else "text")
        block.add_new(offset, vr, _bytes(value, pad=24) if vr in _BYTES else value)


def _save(dataset: Dataset, path: Path, nest: Nest | None) -> None:
    meta = dataset.file_meta
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    dataset.preamble = b"\0" * 128
    if nest:
        meta.SourceApplicationEntityTitle = nest.new("file meta AE", "short")
        meta.PrivateInformationCreatorUID = nest.new("file meta UI", "uid")
        meta.PrivateInformation = _bytes(nest.new("file meta private"))
        dataset.preamble = nest.new("preamble").encode().ljust(128, b"\0")
        dataset.add(DataElement(0xFFFCFFFC, "OB", _bytes(nest.new("data set trailing padding"))))
        dataset.PixelData += _bytes(nest.new("bytes after the last frame"))
    dataset.save_as(path, enforce_file_format=True)
    if nest:
        with path.open("ab") as file:
            file.write(_bytes(nest.new("bytes after the data set")))


def _bytes(value: str, pad: int = 2) -> bytes:
    raw = value.encode()
    return raw + b" " * (-len(raw) % pad)


def sweep(places: list[Path], canaries: list[Canary]) -> list[str]:
    """Return "canary place found in file" for every canary found in names, bytes, Parquet cells and metadata, or databases."""
    needles = {form: canary.place for canary in canaries for form in _forms(canary.value)}
    hits = []
    for place in places:
        for path in [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file()):
            for channel, data in _channels(path):
                hits += [f"{where} in {channel} of {path.name}" for needle, where in needles.items() if needle in data]
    return hits


def _forms(value: str) -> Iterator[bytes]:
    yield value.encode()
    yield value.lower().encode()
    yield value.encode("utf-16-le")
    yield base64.b64encode(value.encode())[:-4]
    yield value.encode().hex().encode()


def _channels(path: Path) -> Iterator[tuple[str, bytes]]:
    yield "name", str(path).encode()
    yield "bytes", path.read_bytes()
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield "cells", repr(table.to_pydict()).encode()
        yield "metadata", repr(pq.read_metadata(path).to_dict()).encode() + repr(table.schema.metadata).encode()
    if path.suffix == ".db":
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            yield "rows", "\n".join(database.iterdump()).encode()
