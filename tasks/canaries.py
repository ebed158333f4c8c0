"""Canaries: made patients, known to the vault, that a run takes along; the gates must hold them, or nothing is published.

A canary goes through the whole pipeline like anybody, but one of its own identifiers is put back into every written object
before the search for leftovers. If it reaches a staged manifest all the same, the gates are not working: publishing rolls back
(`tasks/publish/release.py`). Nothing here is a patient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.model import PulledFile, StudyRef
from tasks.policy.gates import MOST_CANARIES
from tasks.publish.store import Store
from tasks.secret import Secret

if TYPE_CHECKING:
    from tasks.sample import SamplePatient

_LOCATOR = "canary"
_OBJECTS = 2


def canary_refs(count: int, secret: Secret) -> list[StudyRef]:
    """Return the references of `count` canaries: the same ones in every run of a dataset."""
    return [_ref(number, secret) for number in range(count)]


def canary_keys(secret: Secret) -> frozenset[str]:
    """Return the study keys of every canary that a dataset can ever have taken along."""
    return frozenset(ref.study_key for ref in canary_refs(MOST_CANARIES, secret))


def is_canary(ref: StudyRef) -> bool:
    """Say whether a reference is a canary's and not a study of the archive."""
    return _LOCATOR in ref.locator


def make_canary(ref: StudyRef, secret: Secret, into: Path) -> list[PulledFile]:
    """Write the source objects of one canary, as an archive would have sent them."""
    from tasks.sample.archive import write_object
    from tasks.sample.objects import ct_series

    files = []
    for number, dataset in enumerate(ct_series(_patient(ref, secret), _OBJECTS)):
        path = into / f"{number:06d}"
        write_object(dataset, path)
        files.append(PulledFile(path, f"canary-{number}", path.stat().st_size))
    return files


def spoil_canary(ref: StudyRef, secret: Secret) -> Callable[[Path], None]:
    """Return what puts an identifier of this canary back into one of its written objects."""
    patient = _patient(ref, secret)

    def spoil(path: Path) -> None:
        from pydicom import dcmread

        dataset = dcmread(path)
        dataset.SeriesDescription = f"{patient.family}^{patient.given}"
        dataset.save_as(path, enforce_file_format=True)

    return spoil


def canary_patients(private: Store, refs: Iterable[StudyRef]) -> frozenset[str]:
    """Return the released PatientIDs of these canaries, as the vault's crosswalk knows them."""
    from tasks import private as keys
    from tasks.schemas import CROSSWALK

    found: set[str] = set()
    for ref in refs:
        found.update(keys.get_table(private, keys.crosswalk_key(ref.study_key), CROSSWALK)["patient_id"].drop_null().to_pylist())
    return frozenset(found)


def _ref(number: int, secret: Secret) -> StudyRef:
    name = f"canary {number}"
    key = secret.digest("canary", name).hex()
    return StudyRef(key[:32], f"canary-{key[32:]}", _OBJECTS, "", {_LOCATOR: str(number)})


def _patient(ref: StudyRef, secret: Secret) -> SamplePatient:
    from tasks.prove.specimens import make_patient

    number = int.from_bytes(secret.digest("canary-patient", ref.locator[_LOCATOR])[:6], "big")
    return make_patient(number)
