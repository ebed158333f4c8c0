"""The sample archive as a folder: what a hospital's export looks like, junk and broken files included."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from tasks.sample import objects
from tasks.sample.patients import PATIENTS, SamplePatient

_SHIPPED_WITH_PYDICOM = ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "test-SR.dcm", "DICOMDIR")


@dataclass(frozen=True, slots=True)
class SampleArchive:
    """Where the archive is, how many files it holds, and whose values were planted in it."""

    folder: Path
    files: int
    patients: tuple[SamplePatient, ...]


def make_archive(folder: Path, patients: tuple[SamplePatient, ...] = PATIENTS) -> SampleArchive:
    """Write the sample archive into a new folder; the same bytes on every machine."""
    folder.mkdir(parents=True)
    count = 0
    for number, patient in enumerate(patients):
        place = folder / f"{patient.family}_{patient.given}" / patient.study_date  # names in paths, as exports have them
        place.mkdir(parents=True)
        made = objects.ct_series(patient) if number % 4 < 3 else objects.mr_series(patient)
        if number % 8 == 0:
            made.append(objects.ultrasound(patient))
        if number % 8 == 4:
            made += [objects.dose_page(patient), objects.structured_report(patient)]
        if number == 1:
            made.append(objects.encapsulated_pdf(patient))
        for index, dataset in enumerate(made):
            write_object(dataset, place / f"IM{index:05d}")
        count += len(made)
    return SampleArchive(folder, count + _odd_files(folder, patients[0]), patients)


def _odd_files(folder: Path, patient: SamplePatient) -> int:
    """Add what archives hold beside good objects: shipped test files, a zip, a truncated file, an empty one, a note."""
    odd = folder / "export (copy)"
    odd.mkdir()
    count = 0
    for name in _SHIPPED_WITH_PYDICOM:
        source = get_testdata_file(name, download=False)
        if source:
            (odd / name).write_bytes(Path(str(source)).read_bytes())
            count += 1
    whole = folder / f"{patient.family}_{patient.given}" / patient.study_date / "IM00000"
    (odd / "truncated.dcm").write_bytes(whole.read_bytes()[:900])
    (odd / "empty.dcm").write_bytes(b"")
    (odd / "notes.txt").write_text(f"{patient.person_name} wants a copy on CD\n", "utf-8")
    with zipfile.ZipFile(odd / "cd.zip", "w") as archive:
        archive.writestr("disc/readme.htm", "<html>viewer</html>")
    return count + 4


def write_object(dataset: Dataset, path: Path) -> None:
    """Write a made object as a DICOM file (PS3.10)."""
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.preamble = b"\0" * 128
    dataset.save_as(path, enforce_file_format=True)
