"""One study through all of it, in one scratch directory: what one Dask worker runs; returns a receipt.

Also the whole of `sallyport deidentify`. Finding studies, judging candidates and publishing do not belong here.
"""

from __future__ import annotations

import errno
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from tasks import deface, deidentify, pixels, scan, utility
from tasks.describe import describe_object
from tasks.errors import ReleaseError
from tasks.face_rounds import deface_until_clear
from tasks.guard import guarded, whole
from tasks.intake import Refused, SeriesFiles, SourceFile, examine_files
from tasks.model import FaceOutcome, Finding, Instance, InstanceOutcome, PixelOutcome, PulledFile, Reason, Receipt, Status, StudyRef
from tasks.policy import Policy
from tasks.secret import Secret

T = TypeVar("T")

# PRIVACY: pydicom's warnings and debug messages carry values (tests/leaks/test_canaries.py).
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
logging.getLogger("pydicom").propagate = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides how a study is de-identified: the same rules and the same study give the same bytes."""

    dataset: str
    policy: Policy
    secret: Secret = field(repr=False)
    aliases: Mapping[tuple[str, str], tuple[str, str]] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class CleanObject:
    """One input object at its end. `path` is the written object in scratch, None when nothing could be written."""

    outcome: InstanceOutcome
    path: Path | None
    pixels: PixelOutcome | None = None
    face: FaceOutcome | None = None
    findings: tuple[Finding, ...] = ()
    detail: str = ""  # the class of an unexpected exception

    def described(self, study_key: str) -> dict[str, Any] | None:
        """Return the object's INSTANCES row without its place; None when nothing was written, or it cannot be read back."""
        if self.path is None:
            return None
        path = self.path
        row, _ = guarded(lambda: describe_object(path, study_key, "", self.outcome, self.pixels, self.face), Reason.INVALID_OBJECT)
        return None if isinstance(row, Reason) else row


def clean_study(
    files: Sequence[PulledFile],
    rules: Rules,
    scratch: Path,
    last_study_date: str = "",
    *,
    learn: Callable[[scan.SourceIdentity], None] | None = None,
    spoil: Callable[[Path], None] | None = None,
) -> Iterator[CleanObject]:
    """De-identify the pulled objects of one study, one series in memory at a time; every file comes out exactly once.

    `learn` is told the source's identity, for the searches over whole candidates. `spoil` changes every written object before it
    is searched: a canary must be caught. Raises OSError when the machine fails (disk) and ReleaseError when an engine is absent;
    anything else that goes wrong with an object is a reason in its outcome.
    """
    policy = rules.policy
    intake = examine_files(files, policy.headers.max_nesting)
    for refused in intake.refused:
        yield _refused(refused)
    if not intake.series:
        return
    context = deidentify.study_context(intake, policy.headers, rules.secret, rules.dataset, rules.aliases, last_study_date)
    identity = _answer(lambda: scan.collect_identity([f.file for s in intake.series for f in s.files]), Reason.SCAN_FAILED)
    if learn is not None and identity is not None:
        learn(identity)
    plan = _answer(lambda: deface.plan_faces(intake.series, policy.faces), Reason.FACE_NOT_EXAMINED)
    pairs = utility.StudyPairs()
    folder = scratch / "clean"
    folder.mkdir(exist_ok=True)
    for series in intake.series:
        yield from _clean_series(series, context, identity, plan, pairs, policy, folder, spoil)


def _clean_series(
    series: SeriesFiles,
    context: Any,
    identity: scan.SourceIdentity | None,
    plan: deface.FacePlan | None,
    pairs: utility.StudyPairs,
    policy: Policy,
    folder: Path,
    spoil: Callable[[Path], None] | None,
) -> Iterator[CleanObject]:
    sources: list[SourceFile] = []
    instances: list[Instance] = []
    for source in series.files:
        done, detail = guarded(lambda source=source: deidentify.deidentify_object(source, context), Reason.INVALID_OBJECT)  # type: ignore[misc]  # bound now
        if isinstance(done, Reason):
            yield CleanObject(_outcome(source, done, None, context), None, detail=detail)
        else:
            sources.append(source)
            instances.append(done)
    texts = _text_stage(instances, context, policy)
    written = [folder / f"{i.sop_instance_uid}.dcm" for i in instances]

    def write(n: int, text: PixelOutcome, face: FaceOutcome) -> None:
        deidentify.write_object(deidentify.declare(face.instance, text, face, context), written[n])

    def write_all(faces: Sequence[FaceOutcome]) -> Sequence[Path]:
        for n, (text, face) in enumerate(zip(texts, faces, strict=True)):
            write(n, text, face)
        return written

    rounds = deface_until_clear([t.instance for t in texts], plan, policy.faces, write_all)
    faces, seen = rounds.judged, _look_again(written, texts, policy)
    for n, (was, text, before, face) in enumerate(zip(texts, seen, rounds.written, faces, strict=True)):
        if was.reason != text.reason or before.reason != face.reason:
            write(n, text, face)  # without the claim that a judge withdrew
    texts = seen
    if spoil is not None:
        for path in written:
            spoil(path)
    deep = _deep_stage(sources, written, faces)
    for source, path, text, face in zip(sources, written, texts, faces, strict=True):
        leftovers, reason = _scan_stage(source, path, text, face, identity, pairs, policy)
        reason = text.reason or face.reason or reason
        if isinstance(deep, Reason):
            reason = reason or deep
        else:
            leftovers += [f for f in deep if f.sop_instance_uid == face.instance.sop_instance_uid]
            reason = reason or scan.hold_reason(leftovers, policy.gates)
        found = (*_settled(text.findings, text.reason), *_settled(face.findings, face.reason), *leftovers)
        yield CleanObject(_outcome(source, reason, face.instance, context), path, text, face, found)


def _text_stage(instances: Sequence[Instance], context: Any, policy: Policy) -> list[PixelOutcome]:
    """Run the text stage on a series; whatever fails there leaves the whole series unexamined (fail closed)."""
    done, _ = guarded(lambda: pixels.clean_text(instances, policy.pixels, context.own_values), Reason.PIXELS_NOT_EXAMINED)
    return whole(done, len(instances)) or [PixelOutcome(i, Reason.PIXELS_NOT_EXAMINED, examined=False) for i in instances]


def _look_again(written: Sequence[Path], texts: Sequence[PixelOutcome], policy: Policy) -> list[PixelOutcome]:
    """Have the text stage look at the written objects; what it cannot confirm gets a reason."""
    seen: list[PixelOutcome] = []
    for path, text in zip(written, texts, strict=True):
        reason, _ = guarded(lambda path=path, text=text: pixels.look_again(path, text, policy.pixels), Reason.PIXELS_NOT_EXAMINED)  # type: ignore[misc]  # bound now
        seen.append(replace(text, reason=text.reason or reason))
    return seen


def _scan_stage(
    source: SourceFile,
    path: Path,
    text: PixelOutcome,
    face: FaceOutcome,
    identity: scan.SourceIdentity | None,
    pairs: utility.StudyPairs,
    policy: Policy,
) -> tuple[list[Finding], Reason | None]:
    """Search one written object and compare it with its source; without the source's identity, or on failure, nothing is proven."""
    if identity is None:
        return [], Reason.SCAN_FAILED
    uid = face.instance.sop_instance_uid
    leftovers, _ = guarded(lambda: scan.scan_object(path, identity, policy.gates, uid), Reason.SCAN_FAILED)
    changes, _ = guarded(lambda: utility.compare_object(source.file.path, path, pairs, text, face, uid), Reason.SCAN_FAILED)
    if not isinstance(leftovers, list) or not isinstance(changes, list):
        return [], Reason.SCAN_FAILED
    findings = [*leftovers, *changes]
    return findings, scan.hold_reason(findings, policy.gates)


def _deep_stage(sources: Sequence[SourceFile], written: Sequence[Path], faces: Sequence[FaceOutcome]) -> list[Finding] | Reason:
    """Look whether defacing changed what lies deep in the head; where nobody can look, the defaced series is not proven whole.

    Where all but the brain was cut on purpose, what lies deep in nose and neck had to change.
    """
    defaced = [n for n, face in enumerate(faces) if face.method and face.method != deface.METHOD.format(action="brain")]
    if not defaced:
        return []
    pairs = {sources[n].file.path: written[n] for n in defaced}
    uids = [faces[n].instance.sop_instance_uid for n in defaced]
    done, _ = guarded(lambda: utility.changes_deep_inside(pairs, faces[defaced[0]].instance.modality == "CT", uids), Reason.SCAN_FAILED)
    return done


def _settled(findings: Sequence[Finding], reason: Reason | None) -> list[Finding]:
    """Return a stage's findings as what is left of them: a finding that its stage removed, and looked at again, scores 0."""
    return list(findings) if reason else [replace(f, rule=f"{f.rule}.removed", score=0.0) for f in findings]


def _answer(step: Callable[[], T], reason: Reason) -> T | None:
    """Run one step of the whole study; None when it failed, which holds every object that needed it."""
    done, _ = guarded(step, reason)
    return None if isinstance(done, Reason) else done


def _refused(refused: Refused) -> CleanObject:
    known = refused.known
    return CleanObject(
        InstanceOutcome(
            refused.file.source_path,
            refused.reason.status,
            refused.reason,
            known.patient_id if known else "",
            known.study_instance_uid if known else "",
            known.series_instance_uid if known else "",
            known.sop_instance_uid if known else "",
        ),
        None,
    )


def _outcome(source: SourceFile, reason: Reason | None, instance: Instance | None, context: Any) -> InstanceOutcome:
    dataset = instance.dataset if instance else None
    return InstanceOutcome(
        source.file.source_path,
        reason.status if reason else Status.RELEASED,
        reason,
        source.patient_id,
        source.study_instance_uid,
        source.series_instance_uid,
        source.sop_instance_uid,
        str(dataset.get("PatientID", "")) if dataset else "",
        str(dataset.get("StudyInstanceUID", "")) if dataset else "",
        instance.series_instance_uid if instance else "",
        instance.sop_instance_uid if instance else "",
        date_shift_days=context.shift_days_of(source) if instance else None,
    )


def count_outcomes(outcomes: Sequence[InstanceOutcome]) -> tuple[tuple[str, str, int], ...]:
    """Return (status, reason or "", count) triples, sorted."""
    counts = Counter((o.status.value, o.reason.value if o.reason else "") for o in outcomes)
    return tuple(sorted((status, reason, n) for (status, reason), n in counts.items()))


def gravest(outcomes: Sequence[InstanceOutcome]) -> tuple[Status, Reason | None]:
    """Return the status and reason of a study: failed if any object failed, released if any can be, else the commonest."""
    for status in (Status.FAILED, Status.RELEASED, Status.QUARANTINED, Status.REJECTED):
        reasons = Counter(o.reason for o in outcomes if o.status is status)
        if reasons:
            return status, (None if status is Status.RELEASED else min(reasons, key=lambda r: (-reasons[r], str(r))))
    return Status.REJECTED, Reason.INCOMPLETE_STUDY


def failure_of(error: BaseException) -> Reason:
    """Return the reason code of machine trouble."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Reason.OUT_OF_DISK
    if isinstance(error, ReleaseError):
        return Reason.ENGINE_FAILED
    return Reason.TIMED_OUT if isinstance(error, TimeoutError) else Reason.INTERNAL_ERROR


def failed_receipt(ref: StudyRef, work_id: str, reason: Reason, detail: str = "") -> Receipt:
    """Return the receipt of a study that ended as a whole, with every object counted."""
    outcomes = ((reason.status.value, reason.value, ref.instance_count),)
    return Receipt(ref.study_key, ref.fingerprint, work_id, reason.status, reason, ref.instance_count, outcomes, detail=detail)
