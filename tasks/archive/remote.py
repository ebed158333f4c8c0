"""An archive behind a network: ask for a cohort, pull a study, and account for every instance that the archive said it has.

How a question or a retrieval is put is the protocol's matter (dicomweb, dimse); how often and when is `pace`'s.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Protocol

from tasks.archive.cohort import CohortFilter, StudyFacts, read_cohort
from tasks.archive.header import read_header
from tasks.archive.pace import Pace, PassingError
from tasks.archive.remote_index import Answers, StudyAnswer, open_answers
from tasks.errors import ReleaseError
from tasks.model import PulledFile, StudyRef
from tasks.secret import Secret
from tasks.spec import Cohort

Query = dict[str, str]
"""Attribute keyword -> value to match, as in C-FIND and QIDO-RS (PS3.4 C.2.2.2)."""

_EARLIEST = date(1900, 1, 1)
_MOST_LIST_QUERIES = 20_000  # a longer list is asked for by date and matched here


class TooManyMatchesError(Exception):
    """The archive did not give every match of a query; ask for less at once."""


class OutsideStudyError(Exception):
    """The archive sent an object of another study: the pull stops at once."""


@dataclass(frozen=True, slots=True)
class ListedInstance:
    """One instance that the archive says a study has."""

    sop_uid: str = field(repr=False)
    series_uid: str = field(repr=False)
    sop_class_uid: str


class Inbox:
    """Where the objects of one study arrive: one numbered file each, of this study only, every SOP Instance UID once."""

    def __init__(self, folder: Path, study_uid: str, pace: Pace) -> None:
        self._folder, self._study_uid, self._pace = folder, study_uid, pace
        self._numbers, self._lock = count(), Lock()  # an archive may send over several associations at once
        self.files: dict[str, PulledFile] = {}

    def put(self, data: bytes) -> None:
        """Keep one object given as a whole DICOM file. Raises OutsideStudyError."""
        part = self.new_part()
        part.write_bytes(data)
        self.take(part)

    def new_part(self) -> Path:
        """Return where the next object may be written before it is taken."""
        return self._folder / f"{next(self._numbers):06d}.part"

    def take(self, part: Path) -> None:
        """Keep a written object, when it is one of this study. Raises OutsideStudyError and leaves nothing of it."""
        with part.open("rb") as file:
            header = read_header(lambda offset, count: os.pread(file.fileno(), count, offset))
        size = part.stat().st_size
        if header is None or header.study_uid != self._study_uid:
            part.unlink()
            if header is None:
                raise PassingError("sent an object that cannot be read")
            raise OutsideStudyError
        with self._lock:
            if header.sop_instance_uid in self.files:
                part.unlink()
            else:
                path = part.with_suffix("")
                part.rename(path)
                self.files[header.sop_instance_uid] = PulledFile(path, f"{header.series_uid}/{header.sop_instance_uid}", size)
        self._pace.received(size)


class Wire(Protocol):
    """What a protocol must be able to do. Failures that may pass are PassingError; ReleaseError is final."""

    def find(self, query: Query) -> Iterable[StudyAnswer]:
        """Yield every study that matches. Raises TooManyMatchesError when the archive kept some to itself."""
        ...

    def modalities(self, study_uid: str) -> tuple[str, ...]:
        """Return the modalities of a study's series, sorted."""
        ...

    def instances(self, study_uid: str) -> list[ListedInstance]:
        """Return every instance of a study."""
        ...

    def retrieve(self, study_uid: str, missing: Mapping[str, ListedInstance], inbox: Inbox, *, whole: bool) -> None:
        """Bring the missing instances into the inbox; the whole study at once, or just these. Fewer may come."""
        ...

    def close(self) -> None:
        """Hang up. The next question dials again."""
        ...


class RemoteArchive:
    """The archive contract over any protocol. Workers need nothing but the reference."""

    def __init__(self, protocol: Wire, pace: Pace, secret: Secret, index: Path, *, compare_instances: bool) -> None:
        self._protocol, self._pace, self._secret, self._index = protocol, pace, secret, index
        self._compare_instances = compare_instances

    def find_studies(self, cohort: Cohort) -> Iterator[StudyRef]:
        """Yield the cohort's studies in the order of their UIDs; the archive does the choosing where its protocol can."""
        wanted = read_cohort(cohort)
        with open_answers(self._index) as answers, closing(self._protocol):
            self._collect(answers, wanted)
            answers.learn_from_answers()
            if _leaves_studies_out(wanted):
                self._learn_patients(answers)
            for study in answers.studies():
                fingerprint, number = self._fingerprint(study)
                yield StudyRef(
                    study_key=self._secret.digest("study-key", study.study_uid).hex()[:32],
                    fingerprint=fingerprint,
                    instance_count=number,
                    source_study_uid=study.study_uid,
                    patient_last_study_date=answers.last_date(study.issuer, study.patient_id),
                    source_patient_ids=(study.patient_id,),
                )

    def pull_study(self, ref: StudyRef, into: Path) -> list[PulledFile]:
        """Bring every instance that the archive lists into `into`; ReleaseError when one of them does not come."""
        self._pace.check_hours()
        with self._pace.pull(), closing(self._protocol):
            listed = {i.sop_uid: i for i in self._pace.patiently(lambda: self._protocol.instances(ref.source_study_uid))}
            if not listed:
                raise ReleaseError("archive", "says that the study has no instances any more", "nothing; the next run asks again")
            inbox = Inbox(into, ref.source_study_uid, self._pace)

            def step() -> None:
                missing = {uid: i for uid, i in listed.items() if uid not in inbox.files}
                try:
                    self._protocol.retrieve(ref.source_study_uid, missing, inbox, whole=not inbox.files)
                except OutsideStudyError:
                    raise PassingError("sent an object of another study, and the pull was stopped") from None
                still = sum(uid not in inbox.files for uid in listed)
                if still:
                    raise PassingError(f"did not send {still} of {len(listed)} instances")

            self._pace.patiently(step)
        return [inbox.files[uid] for uid in sorted(inbox.files)]

    def count_studies(self, cohort: Cohort) -> int:
        """Ask one query and count its answers: does the archive answer us at all? For `sallyport doctor`."""
        first = next(iter(_queries(read_cohort(cohort))))
        with closing(self._protocol):
            return self._pace.patiently(lambda: sum(1 for _ in self._protocol.find(first)))

    # --- asking

    def _collect(self, answers: Answers, wanted: CohortFilter) -> None:
        for query in _queries(wanted):
            self._ask(answers, wanted, query, None)

    def _ask(self, answers: Answers, wanted: CohortFilter, query: Query, span: tuple[date, date] | None) -> None:
        """Ask one query; halve its dates until the archive gives every match."""
        if span is not None:
            query = {**query, "StudyDate": f"{span[0]:%Y%m%d}-{span[1]:%Y%m%d}"}
        found: list[StudyAnswer] = []

        def step() -> None:
            found.clear()
            found.extend(self._protocol.find(query))
            if self._pace.limits.max_matches and len(found) >= self._pace.limits.max_matches:
                raise TooManyMatchesError

        try:
            self._pace.patiently(step)
        except TooManyMatchesError:
            for half in _halves(span or _whole_span(wanted)):
                self._ask(answers, wanted, query, half)
            return
        # Archives ignore keys that they do not know (PS3.4 C.2.2.1.3): every answer is matched again here.
        if wanted.modalities:
            found = [a if a.modalities else replace(a, modalities=self._modalities(a.study_uid)) for a in found]
        answers.add([a for a in found if a.study_uid and wanted.admits(_facts(a))])

    def _modalities(self, study_uid: str) -> tuple[str, ...]:
        return self._pace.patiently(lambda: self._protocol.modalities(study_uid))

    def _learn_patients(self, answers: Answers) -> None:
        for issuer, patient_id in answers.unknown_patients():
            query = {"PatientID": _literal(patient_id)}
            same = [
                a.study_date
                for a in self._pace.patiently(lambda query=query: list(self._protocol.find(query)))  # type: ignore[misc]  # bound now
                if a.patient_id == patient_id and a.issuer in ("", issuer)
            ]
            answers.learn(issuer, patient_id, same)

    def _fingerprint(self, study: StudyAnswer) -> tuple[str, int]:
        number = study.instance_count
        listed: list[str] = []
        if self._compare_instances or number < 0:
            instances = self._pace.patiently(lambda: self._protocol.instances(study.study_uid))
            listed = sorted(i.sop_uid for i in instances)
            number = len(listed)
        return self._secret.digest("archive-fingerprint", study.said(), *listed).hex(), number


def _queries(wanted: CohortFilter) -> Iterator[Query]:
    """Yield the questions that together cover the cohort, the narrowest kind first."""
    query: Query = {}
    if wanted.since or wanted.until:
        query["StudyDate"] = f"{wanted.since}-{wanted.until}"
    lists = {"AccessionNumber": wanted.accessions, "PatientID": wanted.patient_ids}
    for keyword, values in sorted(lists.items(), key=lambda item: len(item[1] or ())):
        if values is not None and len(values) <= _MOST_LIST_QUERIES:
            for value in sorted(values):
                yield {**query, keyword: _literal(value)}
            return
    for modality in sorted(wanted.modalities) or [""]:
        for description in wanted.descriptions or ("",):
            more = {"ModalitiesInStudy": modality, "StudyDescription": description}
            yield {**query, **{keyword: value for keyword, value in more.items() if value}}


def _leaves_studies_out(wanted: CohortFilter) -> bool:
    """Say whether later studies of a patient of the cohort may lie outside of it."""
    return bool(wanted.until or wanted.modalities or wanted.descriptions or wanted.accessions is not None)


def _literal(value: str) -> str:
    """Return a value that matches no more than itself: `*` and `?` of an id match by the pattern, and again here."""
    return value.replace("\\", "?")


def _facts(answer: StudyAnswer) -> StudyFacts:
    return StudyFacts(
        answer.study_date,
        frozenset(answer.modalities),
        frozenset({answer.accession}),
        frozenset({(answer.issuer, answer.patient_id)}),
        frozenset({answer.description}),
    )


def _whole_span(wanted: CohortFilter) -> tuple[date, date]:
    first = date.fromisoformat(wanted.since) if wanted.since else _EARLIEST
    last = date.fromisoformat(wanted.until) if wanted.until else date.today() + timedelta(days=2)
    return first, max(first, last)


def _halves(span: tuple[date, date]) -> tuple[tuple[date, date], ...]:
    first, last = span
    if first == last:
        raise ReleaseError("archive", "gives no complete answer even for one day", "raise limits.max_matches, or the archive's own limit")
    middle = first + (last - first) // 2
    return (first, middle), (middle + timedelta(days=1), last)
