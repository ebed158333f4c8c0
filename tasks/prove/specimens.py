"""Specimens: made patients, their source objects, and the same objects de-identified by the pipeline's own header stage.

Invented names, ids and dates only. Planting something in a specimen is in `leaks`, `tables` and `images`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tasks.errors import ReleaseError
from tasks.model import FaceOutcome, Instance, PixelOutcome, PulledFile
from tasks.policy import Policy
from tasks.sample import SamplePatient
from tasks.sample import objects as made
from tasks.sample.archive import write_object
from tasks.scan import SourceIdentity, collect_identity
from tasks.secret import Secret

_SYLLABLES = (
    "bar",
    "dol",
    "fen",
    "gri",
    "hul",
    "jor",
    "kas",
    "lem",
    "mir",
    "nov",
    "ost",
    "pel",
    "quin",
    "ras",
    "sved",
    "tor",
    "ulv",
    "vig",
)
_ENDINGS = ("sson", "owicz", "aldi", "enko", "quist", "ardt", "escu", "ova", "ington", "azzi", "heim", "uaga", "önen", "ález")
_GIVEN = ("Aurelija", "Bogdan", "Casilda", "Dragomir", "Eufemia", "Fredegar", "Gudrun", "Hildur", "Iseult", "Jovanka", "Kyrill", "Lioba")


@dataclass(frozen=True, slots=True)
class Specimen:
    """One made object: the identified source, the de-identified bytes as staged, and what the scanner read of the source."""

    patient: SamplePatient = field(repr=False)
    source: Path = field(repr=False)
    written: Path
    identity: SourceIdentity = field(repr=False)
    sop_instance_uid: str
    patient_id: str


def make_patient(number: int) -> SamplePatient:
    """Return one of any number of invented patients."""
    chance = random.Random(f"specimen {number}")
    family = (chance.choice(_SYLLABLES) + chance.choice(_SYLLABLES) + chance.choice(_ENDINGS)).capitalize()
    age, year = chance.randint(20, 84), chance.randint(2009, 2025)
    return SamplePatient(
        patient_id=chance.choice(("{:08d}", "MR{:07d}", "{:07d}", "PAT-{:06d}")).format(chance.randint(100_000, 9_999_999)),
        family=family,
        given=chance.choice(_GIVEN),
        sex=chance.choice("FM"),
        birth_date=f"{year - age - 1}{chance.randint(1, 12):02}{chance.randint(1, 28):02}",
        age_years=age,
        study_date=f"{year}{chance.randint(1, 12):02}{chance.randint(1, 28):02}",
        accession=f"A{chance.randint(10**7, 10**8 - 1)}",
        physician=f"{chance.choice(_SYLLABLES).capitalize()}{chance.choice(_ENDINGS)}^{chance.choice(_GIVEN)}",
        phone=f"+49 {chance.randint(200, 999)} {chance.randint(1000, 9999)} {chance.randint(100, 999)}",
    )


def make_specimens(count: int, folder: Path, policy: Policy, secret: Secret, objects_each: int = 1) -> Iterator[Specimen]:
    """Yield `objects_each` specimens of each of `count` patients, written below `folder`; the same on every machine."""
    for number in range(count):
        yield from _specimens_of(make_patient(number), folder / f"{number:05d}", policy, secret, objects_each)


def _specimens_of(patient: SamplePatient, folder: Path, policy: Policy, secret: Secret, count: int) -> Iterator[Specimen]:
    from tasks import deidentify
    from tasks.intake import examine_files

    folder.mkdir(parents=True)
    files = []
    for index, dataset in enumerate(made.ct_series(patient, count)):
        path = folder / f"source-{index}"
        write_object(dataset, path)
        files.append(PulledFile(path, path.name, path.stat().st_size))
    intake = examine_files(files, policy.headers.max_nesting)
    context = deidentify.study_context(intake, policy.headers, secret, "specimens", {}, "")
    identity = collect_identity(files)
    for series in intake.series:
        for source in series.files:
            instance = deidentify.deidentify_object(source, context)
            if not isinstance(instance, Instance):
                raise ReleaseError("prove", f"a specimen was not de-identified ({instance})", "mend the header stage first")
            outcomes = PixelOutcome(instance, None, examined=True), FaceOutcome(instance, None, "no face", face_in_fov=False)
            declared = deidentify.declare(instance, *outcomes, context)
            path = folder / f"{declared.sop_instance_uid}.dcm"
            deidentify.write_object(declared, path)
            yield Specimen(patient, source.file.path, path, identity, declared.sop_instance_uid, str(declared.dataset.PatientID))
