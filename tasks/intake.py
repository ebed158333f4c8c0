"""Intake: which pulled files are DICOM objects that can be worked on, grouped into series.

Reads headers with bounds and decides nothing about PHI. Every file ends either in a series or in `refused`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tasks.model import PulledFile, Reason


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One readable object in scratch with the header facts that grouping needs (identified values)."""

    file: PulledFile = field(repr=False)
    patient_id: str = field(repr=False)
    issuer_of_patient_id: str = field(repr=False)
    study_instance_uid: str = field(repr=False)
    series_instance_uid: str = field(repr=False)
    sop_instance_uid: str = field(repr=False)
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str
    frame_of_reference_uid: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SeriesFiles:
    """The objects of one series of one study, in the order of their SOP Instance UIDs."""

    series_instance_uid: str = field(repr=False)
    modality: str
    files: tuple[SourceFile, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that cannot be worked on, with what could still be read of its identity (`known` may be None)."""

    file: PulledFile = field(repr=False)
    reason: Reason
    known: SourceFile | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Intake:
    series: tuple[SeriesFiles, ...]
    refused: tuple[Refused, ...]


def examine_files(files: Sequence[PulledFile], max_nesting: int = 32) -> Intake:
    """Read every file's header once and group the readable objects into series (sorted by UID)."""
    raise NotImplementedError
