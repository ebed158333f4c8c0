# ruff: noqa: E501 - tables of channels, a row each
"""Build a planted corpus on real headers: planted files, their clean twins, and the key.

Bases are the files that pydicom ships, and those of the shared folder when it is there; what is planted is in `channels_*`.
"""

from __future__ import annotations

import copy
import io
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.bench.phi import channels_bytes, channels_elements, keeps
from tests.bench.phi.key import Build, Case
from tests.bench.phi.people import People
from tests.bench.phi.scorer import _found
from tests.bench.phi.texts import sentences, traps

BASES = (
    "CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "SC_rgb_jpeg_dcmtk.dcm", "examples_palette.dcm", "waveform_ecg.dcm", "rtplan.dcm", "rtdose_1frame.dcm",
    "reportsi.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_RLE.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "JPGExtended.dcm", "rtstruct.dcm", "SC_rgb_small_odd.dcm",
)  # fmt: skip
CHANNELS_PER_FILE = 16
_CHARSETS_ALONE = "charset "


def build(folder: Path, seed: int = 1, files_per_base: int = 4, split: str = "held out", limit_bases: int | None = None) -> list[Case]:
    """Write planted files and twins under `folder` and return the key. Same seed: same corpus."""
    warnings.simplefilter("ignore")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    people = People(seed)
    cases: list[Case] = []
    for base in _bases(limit_bases):
        channels = _channel_names(base)
        people.random.shuffle(channels)
        groups = [channels[i::files_per_base] for i in range(files_per_base)]
        for number, wanted in enumerate(groups):
            cases += _cases(folder, base, number, set(wanted), people, seed)
    for number in range(max(1, files_per_base)):
        cases += _text_cases(folder, number, people, split)
    return cases


def _bases(limit: int | None) -> list[Any]:
    from pydicom import dcmread
    from pydicom.data import get_testdata_file

    paths = [Path(str(get_testdata_file(name, download=False))) for name in BASES]
    if shared := os.environ.get("SALLYPORT_SHARED"):
        paths += _shared(Path(shared) / "data" / "dicom")
    found = []
    for path in paths:
        try:
            dataset = dcmread(path)
            dataset.walk(lambda *_: None)
        except Exception:  # a base that pydicom cannot read whole cannot be planted in
            continue
        found.append(dataset)
    return found[:limit]


def _shared(folder: Path) -> list[Path]:
    """Return a varied selection of real files: small ones, one per repository, modality and transfer syntax."""
    import csv

    catalog = folder / "CATALOG.csv"
    if not catalog.is_file():
        return []
    seen: set[tuple[str, ...]] = set()
    paths = []
    for row in csv.DictReader(catalog.open(encoding="utf-8")):
        kind = (row["repo"], row["modality"], row["transfer_syntax"])
        if row["readable"] == "yes" and int(row["bytes"] or 0) < 200_000 and kind not in seen and row["sop_class"]:
            seen.add(kind)
            paths.append(folder / row["path"])
    return paths


def _fresh(base: Any, people: People) -> Any:
    """Return a copy of a base that is a patient of its own, with the dates whose intervals have to stay."""
    dataset = copy.deepcopy(base)
    if not getattr(dataset, "file_meta", None) or "TransferSyntaxUID" not in dataset.file_meta:
        from pydicom.dataset import FileMetaDataset
        from pydicom.uid import ImplicitVRLittleEndian

        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    for keyword in ("OtherPatientNames", "OtherPatientIDs", "PatientBirthDate", "OtherPatientIDsSequence"):
        if keyword in dataset:
            del dataset[keyword]
    dataset.PatientName, dataset.PatientID = f"Base{people.word()}^Case", "B" + people.digits(9)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID = people.uid(), people.uid(), people.uid()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    day = date(2019, 1, 1) + timedelta(days=people.random.randrange(300))
    for keyword, days in (("StudyDate", 0), ("SeriesDate", 1), ("AcquisitionDate", 1), ("ContentDate", 3)):
        setattr(dataset, keyword, f"{day + timedelta(days=days):%Y%m%d}")
    dataset.StudyTime, dataset.SeriesTime = "235500", "000500"
    return dataset


def _encoded(dataset: Any, edits: Sequence[Any]) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    data = buffer.getvalue()
    for edit in edits:
        data = edit(data)
    return data


class _Spy(Build):
    """A build that writes nothing and only learns which channels there are."""

    def active(self, channel: str) -> bool:
        self.seen.add(channel)  # type: ignore[attr-defined]
        return False


def _channel_names(base: Any) -> list[str]:
    spy = _Spy(copy.deepcopy(base), People(0), True)
    spy.seen = set()  # type: ignore[attr-defined]
    for module in (channels_elements, channels_bytes):
        for plant in module.planted(spy):
            plant()
    return sorted(spy.seen)  # type: ignore[attr-defined]


class _Chosen(Build):
    """A build that plants the channels of `wanted` only."""

    def active(self, channel: str) -> bool:
        return self.plant and channel in self.wanted  # type: ignore[attr-defined]

    def says(self, channel: str, category: str, needle: str, *more: str, clean: str = "") -> str:
        return super().says(channel, category, needle, *more, clean=clean) if self.active(channel) else clean


def _cases(folder: Path, base: Any, number: int, wanted: set[str], people: People, seed: int) -> Iterator[Case]:
    """Yield files that plant the wanted channels, at most so many a file; a channel overwritten by another gets a file more."""
    left = sorted(wanted)
    people.random.shuffle(left)
    tries = dict.fromkeys(left, 0)
    turn = 0
    while left:
        chosen: list[str] = []
        charset = False
        for channel in left:
            alone = channel.startswith(_CHARSETS_ALONE) or channel.startswith("name in another")
            if len(chosen) < CHANNELS_PER_FILE and not (alone and charset):
                chosen.append(channel)
                charset = charset or alone
        case = _one(folder, base, f"{_label(base)}-{number}-{turn}", set(chosen), people)
        turn += 1
        done = {plant.channel for plant in case.plants} if case is not None else set()
        for channel in chosen:
            tries[channel] += 1
        left = [c for c in left if c not in done and tries[c] < 3]
        people.random.shuffle(left)
        if case is not None and done:
            yield case


def _label(base: Any) -> str:
    return f"{base.get('Modality', 'XX')}-{str(base.SOPClassUID)[-6:]}-{str(base.SOPInstanceUID)[-5:]}"


def _one(folder: Path, base: Any, name: str, wanted: set[str], people: People) -> Case | None:
    fresh = _fresh(base, people)
    made = _Chosen(copy.deepcopy(fresh), people, True)
    made.wanted = wanted  # type: ignore[attr-defined]
    for module in (channels_elements, channels_bytes):
        for plant in module.planted(made):
            plant()
    try:
        data, twin = _encoded(made.dataset, made.edits), _encoded(_twin(fresh), ())
    except Exception:  # a base and a channel that cannot be written together
        return None
    written = folder / "planted" / f"{name}.dcm", folder / "twins" / f"{name}.dcm"
    for path, content in zip(written, (data, twin), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    there = _found(data, made.plants)
    plants = tuple(p for p in made.plants if p in there)
    return Case(name, written[0], written[1], plants, tuple(keeps.of_object(fresh, made.dataset)))


def _twin(fresh: Any) -> Any:
    """Return the object as a perfect tool would release it, as far as the key is concerned."""
    dataset = copy.deepcopy(fresh)
    dataset.PatientName, dataset.PatientID = "TWIN", "TWIN"
    return dataset


_TEXT_ELEMENTS = ("AdditionalPatientHistory", "PatientComments", "ImageComments", "DerivationDescription", "AcquisitionComments")
_SHORT_ELEMENTS = (
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "RequestedProcedureDescription",
    "PerformedProcedureStepDescription",
)


def _text_cases(folder: Path, number: int, people: People, split: str) -> Iterator[Case]:
    """Yield objects with one sentence per text element, in headers that know the patient."""
    base = _bases(1)[0]
    pool = [*sentences(people, "tune" if split == "tune" else "held out")]
    people.random.shuffle(pool)
    lures = [*traps()]
    people.random.shuffle(lures)
    for turn, sentence in enumerate(pool):
        fresh = _fresh(base, people)
        own = sentence.own
        fresh.PatientName, fresh.PatientID, fresh.AccessionNumber = f"{own['last']}^{own['first']}", own["id"], own["acc"]
        fresh.PatientBirthDate = own["dob"]
        made = Build(copy.deepcopy(fresh), people, True)
        keyword = _SHORT_ELEMENTS[turn % 5] if len(sentence.text) <= 64 and turn % 2 else _TEXT_ELEMENTS[turn % 5]
        lure = lures[turn % len(lures)]
        for dataset in (made.dataset,):
            setattr(dataset, keyword, sentence.text)
            setattr(dataset, "VisitComments", lure.text)
        for needle in sentence.needles:
            made.says(f"{split} template {sentence.template}", "free text", needle)
        twin = _twin(fresh)
        setattr(twin, keyword, " ".join(sentence.residue))
        twin.VisitComments = lure.text
        for gone in ("PatientBirthDate", "AccessionNumber"):
            delattr(twin, gone)
        name = f"text-{number}-{turn}"
        paths = folder / "planted" / f"{name}.dcm", folder / "twins" / f"{name}.dcm"
        for path, dataset in zip(paths, (made.dataset, twin), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_encoded(dataset, ()))
        kept = [*keeps.words(keyword, sentence.residue, "text residue"), *keeps.words("VisitComments", lure.residue, "traps")]
        yield Case(name, paths[0], paths[1], tuple(made.plants), tuple(kept), held_out=split != "tune")


def with_only(case: Case, channel: str) -> Case:
    """Return the case with the part of its key that belongs to one channel."""
    return replace(case, plants=tuple(p for p in case.plants if p.channel == channel))
