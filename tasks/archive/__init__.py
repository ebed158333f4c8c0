"""Archives: where studies come from. One contract, four kinds: folder, dicomweb, dimse, s3.

An archive is read-only to us. De-identification does not belong here; every value here is identified.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tasks.archive_spec import Archive as ArchiveSpec
from tasks.model import PulledFile, StudyRef
from tasks.secret import Secret
from tasks.spec import Cohort


class Archive(Protocol):
    """What every archive can do. Raises ReleaseError (exit 1) when it cannot be reached or read at all."""

    def find_studies(self, cohort: Cohort) -> Iterator[StudyRef]:
        """Yield one reference per study of the cohort, in a stable order, without reading pixels.

        Files that belong to no study (not DICOM, no StudyInstanceUID, DICOMDIR) are accounted for too: references with
        an empty `source_study_uid`, so that files in = files accounted for.
        """
        ...

    def pull_study(self, ref: StudyRef, into: Path) -> list[PulledFile]:
        """Copy every object of the study into the empty folder `into`, under names of our own; never by source names."""
        ...


def study_key(secret: Secret, study_uid: str) -> str:
    """Return the opaque name of a study: keyed, the same in every run."""
    return secret.digest("study-key", study_uid).hex()[:32]


def open_archive(spec: ArchiveSpec, secret: Secret, index_folder: Path) -> Archive:
    """Return the archive that the spec names. `index_folder` is private: the archive may keep its index there."""
    if spec.kind == "dicomweb":
        from tasks.archive.dicomweb import open_dicomweb

        return open_dicomweb(spec, secret, index_folder)
    if spec.kind == "dimse":
        from tasks.archive.dimse import open_dimse

        return open_dimse(spec, secret, index_folder)
    if spec.kind == "s3":
        from tasks.archive.s3 import S3Archive

        return S3Archive(spec, secret, index_folder)
    from tasks.archive.folder import FolderArchive

    return FolderArchive(Path(spec.path), secret, index_folder)
