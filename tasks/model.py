"""The values that travel between steps: study references, receipts, findings, verdicts.

No behaviour beyond construction and counting belongs here, and no value of a patient may be shown by `repr`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


class Status(StrEnum):
    """Where an input object ended. Exactly one per object, and one per study (the gravest of its objects)."""

    RELEASED = "released"  # clean: eligible for a release, once the candidate is approved
    QUARANTINED = "quarantined"  # de-identified, not proven clean; stays on the private side
    REJECTED = "rejected"  # cannot be made safe
    FAILED = "failed"  # machine trouble; the next run tries again


class Reason(StrEnum):
    """Why an object did not pass. The code is public vocabulary: it appears in receipts, reports and the crosswalk."""

    # rejected: cannot be made safe
    NOT_DICOM = "not_dicom"
    EMPTY_FILE = "empty_file"
    TRUNCATED = "truncated"
    UNREADABLE_HEADER = "unreadable_header"
    UNSUPPORTED_SOP_CLASS = "unsupported_sop_class"
    MISSING_IDENTITY = "missing_identity"
    INVALID_UID = "invalid_uid"
    DUPLICATE_UID_CONFLICT = "duplicate_uid_conflict"
    DUPLICATE_COPY = "duplicate_copy"
    NESTED_TOO_DEEP = "nested_too_deep"
    DECOMPRESSION_BOMB = "decompression_bomb"
    IMPLAUSIBLE_SIZE = "implausible_size"
    MEDIA_DIRECTORY = "media_directory"
    ENCAPSULATED_DOCUMENT = "encapsulated_document"
    ENCRYPTED = "encrypted"
    INVALID_OBJECT = "invalid_object"
    WITHDRAWN = "withdrawn"
    OPTED_OUT = "opted_out"
    OUTSIDE_COHORT = "outside_cohort"
    # quarantined: not proven clean
    PIXELS_NOT_EXAMINED = "pixels_not_examined"
    PIXELS_UNREADABLE = "pixels_unreadable"
    TEXT_LEFT = "text_left"
    TEXT_UNCERTAIN = "text_uncertain"
    PHOTOGRAPH = "photograph"
    SCREEN_CAPTURE = "screen_capture"
    FACE_NOT_EXAMINED = "face_not_examined"
    FACE_NOT_ASSESSABLE = "face_not_assessable"
    FACE_LEFT = "face_left"
    FACE_IN_SISTER = "face_in_sister"
    LEFTOVER_PHI = "leftover_phi"
    SCAN_FAILED = "scan_failed"
    CONTENT_NOT_CLEANED = "content_not_cleaned"
    INCOMPLETE_STUDY = "incomplete_study"
    HELD_BY_GATE = "held_by_gate"
    SUSPECTED_WORKER_KILLER = "suspected_worker_killer"
    # failed: machine trouble
    PULL_FAILED = "pull_failed"
    OUT_OF_DISK = "out_of_disk"
    TIMED_OUT = "timed_out"
    ENGINE_FAILED = "engine_failed"
    INTERNAL_ERROR = "internal_error"

    @property
    def status(self) -> Status:
        """The status that this reason brings with it."""
        if self in _QUARANTINE:
            return Status.QUARANTINED
        return Status.FAILED if self in _FAILURE else Status.REJECTED


_QUARANTINE = frozenset(
    {
        Reason.PIXELS_NOT_EXAMINED,
        Reason.PIXELS_UNREADABLE,
        Reason.TEXT_LEFT,
        Reason.TEXT_UNCERTAIN,
        Reason.PHOTOGRAPH,
        Reason.SCREEN_CAPTURE,
        Reason.FACE_NOT_EXAMINED,
        Reason.FACE_NOT_ASSESSABLE,
        Reason.FACE_LEFT,
        Reason.FACE_IN_SISTER,
        Reason.LEFTOVER_PHI,
        Reason.SCAN_FAILED,
        Reason.CONTENT_NOT_CLEANED,
        Reason.INCOMPLETE_STUDY,
        Reason.HELD_BY_GATE,
        Reason.SUSPECTED_WORKER_KILLER,
    }
)
_FAILURE = frozenset({Reason.PULL_FAILED, Reason.OUT_OF_DISK, Reason.TIMED_OUT, Reason.ENGINE_FAILED, Reason.INTERNAL_ERROR})


@dataclass(frozen=True, slots=True)
class StudyRef:
    """One study that an archive says it has. `study_key` is opaque (keyed) and the only name that may be logged."""

    study_key: str
    fingerprint: str  # changes when the archive's copy of the study changes; computed without reading pixels
    instance_count: int
    source_study_uid: str = field(repr=False)  # "" for files that belong to no study
    locator: Mapping[str, str] = field(repr=False, default_factory=dict)  # the archive's own way back to the study
    patient_last_study_date: str = field(repr=False, default="")  # latest StudyDate (DA) of this patient in the archive: caps ages
    source_patient_ids: tuple[str, ...] = field(repr=False, default=())  # of whom the archive says it is
    withdrawn_series: frozenset[str] = field(repr=False, default=frozenset())  # source UIDs: not to be kept again


@dataclass(frozen=True, slots=True)
class PulledFile:
    """One file in scratch (identified bytes). `source_path` is what the archive calls it."""

    path: Path = field(repr=False)
    source_path: str = field(repr=False)
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Instance:
    """One de-identified object in memory, on its way through the pixel stages.

    `dataset` is rebuilt from allowed elements only; stages that change pixels return a new Instance. `source` is the
    identified file in scratch: stages may read its pixels and never its header values into anything that leaves.
    """

    source: PulledFile = field(repr=False)
    dataset: Dataset = field(repr=False)
    sop_instance_uid: str  # released values, here and below
    series_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    modality: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that looks like PHI: where and by which rule, never what it said."""

    sop_instance_uid: str  # released value; "" for findings about a whole study or a key
    place: str  # "(0010,4000)", "(0040,A730)[3].(0040,A160)", "pixels frame 4 [x,y,w,h]", "trailing bytes", …
    kind: str  # patient_name, patient_id, date, phone, uid, …
    rule: str  # the rule's stable id: "T1.exact", "D6.shifted", …
    score: float  # 0..1


@dataclass(frozen=True, slots=True)
class PixelOutcome:
    """What the text stage did to one object. `reason` is None when the pixels are clean (examined and, if needed, blanked)."""

    instance: Instance
    reason: Reason | None
    examined: bool  # someone looked at every frame (or the plan that is proven to be as good did)
    blanked_regions: int = 0
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class FaceOutcome:
    """What the face stage did to one object. `reason` is None when no face can be seen in it any more."""

    instance: Instance
    reason: Reason | None
    verdict: str  # "no face" | "defaced" | "already defaced" | "not assessable" | "face left" | "not applicable"
    face_in_fov: bool | None  # None: nobody can tell
    method: str = ""  # "sallyport-replace 3" …, "" when nothing was changed
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class InstanceOutcome:
    """Where one input object ended; becomes one crosswalk row (private) and, if written, one INSTANCES row."""

    source_path: str = field(repr=False)
    status: Status
    reason: Reason | None = None
    source_patient_id: str = field(repr=False, default="")
    source_study_instance_uid: str = field(repr=False, default="")
    source_series_instance_uid: str = field(repr=False, default="")
    source_sop_instance_uid: str = field(repr=False, default="")
    patient_id: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    sop_instance_uid: str = ""
    object_path: str | None = None
    date_shift_days: int | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was done to one study: exactly one per study asked for. Counts only; small enough to return from a worker."""

    study_key: str
    fingerprint: str
    work_id: str  # digest of (fingerprint, policy, version, key id): the same work gives the same receipt
    status: Status
    reason: Reason | None
    instance_count: int
    outcomes: tuple[tuple[str, str, int], ...]  # (status, reason or "", count), sorted; counts add up to instance_count
    released_bytes: int = 0
    finding_count: int = 0
    seconds: float = 0.0
    detail: str = ""  # exception class name at most, never its message
    rules_id: str = ""  # digest of policy, version and key: what a study that left the archive is still worth
    tables_sha256: str = ""  # digest of the study's tables on the private side: a later run that broke off may have changed them


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """One row of the verdict table: one gate, one unit, one measure against one threshold."""

    gate: str
    version: str
    policy_sha256: str
    unit: str  # instance | series | study | patient | release
    key: str  # released identifier of the unit, "" for the release
    measure: str
    threshold: str
    verdict: str  # pass | quarantine | block | ask | info | broken
    n: int
    ci_low: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Approved, or held with reasons, over exactly the bytes whose root digest it names."""

    candidate_root: str
    approved: bool
    reasons: tuple[str, ...]
    policy_sha256: str
    suites: tuple[str, ...]  # the suites that ran to the end
