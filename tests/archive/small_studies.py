"""Many small studies that pass every gate: made patients with two studies each, a few tiny radiographs a study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ComputedRadiographyImageStorage

from tasks.sample import PATIENTS, objects
from tests.archive.made import to_bytes

INSTANCES = 3
_SIDE = 32  # pixels: small enough that two thousand studies are de-identified in minutes


def small_study(number: int, instances: int = INSTANCES) -> list[Dataset]:
    """Return the objects of study `number`; two studies in a row are of one patient, and no two objects have the same pixels."""
    like = PATIENTS[number // 2 % len(PATIENTS)]
    day = f"{2020 + number % 5}{number % 12 + 1:02d}{number % 28 + 1:02d}"
    patient = replace(like, patient_id=f"{6_000_000 + number // 2:08d}", accession=f"ACC{number:08d}", study_date=day)
    made = []
    for index in range(instances):
        ds = objects._object(patient, "CR", ComputedRadiographyImageStorage, "small", index + 1)
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study_uid(number), objects.uid("small series", number)
        ds.SOPInstanceUID = objects.uid("small", number, index)
        ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
        down, across = 13 + number % 29, 13 + number // 29 % 29
        ramp = np.add.outer(np.arange(_SIDE) * down, np.arange(_SIDE) * across) + number // 841 * 250 + 61 * index
        made.append(objects._with_pixels(ds, ramp.astype(np.uint16)))
    return made


def study_uid(number: int) -> str:
    """Return the Study Instance UID of study `number`."""
    return objects.uid("small study", number)


def small_files(numbers: range, instances: int = INSTANCES) -> Iterator[bytes]:
    """Yield the files of some studies."""
    for number in numbers:
        for ds in small_study(number, instances):
            yield to_bytes(ds)
