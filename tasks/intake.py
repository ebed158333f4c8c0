"""Intake: which pulled files are DICOM objects that can be worked on, grouped into series.

Reads headers with bounds and decides nothing about PHI. Every file ends either in a series or in `refused`.
"""

from __future__ import annotations

import mmap
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import cast

from tasks.elements import PIXEL_DATA, Encoding, ObjectBytes, Unreadable, fragments, open_object, top_level
from tasks.model import PulledFile, Reason

MAX_DECODED_RATIO = 2000  # decoded bytes for one stored byte: beyond what any codec reaches on a large image
ALWAYS_PLAUSIBLE_BYTES = 1 << 26
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_FLOAT_PIXELS = (0x7FE00008, 0x7FE00009)
_PIXEL_FACTS = frozenset((0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280100))
_FACTS = _PIXEL_FACTS | {0x00080005, 0x00080016, 0x00080018, 0x00080060, 0x00100020, 0x00100021, 0x0020000D, 0x0020000E, 0x00200052}
# Text that may name the patient or someone near, and sequences that hold it: what the identifiers of a study are collected from.
_IDENTITY_VRS = frozenset(("PN", "LO", "SH", "DA", "AE", "LT", "ST", "UT", "UC", "AS", "DT", "SQ"))


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


IdentityValue = tuple[int, str, bytes, bytes, Encoding]  # tag, VR, value, Specific Character Set, encoding


@dataclass(frozen=True, slots=True)
class Intake:
    """`identity` holds every distinct text value and sequence of the headers; None when nobody collected them."""

    series: tuple[SeriesFiles, ...]
    refused: tuple[Refused, ...]
    identity: frozenset[IdentityValue] | None = field(repr=False, default=None)


def examine_files(files: Sequence[PulledFile], max_nesting: int = 32) -> Intake:
    """Read every file's header once and group the readable objects into series (sorted by UID).

    Memory stays bounded by one header; pixel data is mapped, never copied.
    """
    sources: list[SourceFile] = []
    refused: list[Refused] = []
    reader = _HeaderReader(max_nesting)
    for file in files:
        try:
            sources.append(reader.read(file))
        except _Refusal as refusal:
            refused.append(Refused(file, refusal.reason, refusal.known))
    kept, doubles = _without_doubles(sources)
    series: dict[tuple[str, str], list[SourceFile]] = defaultdict(list)
    for source in kept:
        series[source.study_instance_uid, source.series_instance_uid].append(source)
    grouped = tuple(
        SeriesFiles(uid, members[0].modality, tuple(sorted(members, key=lambda s: s.sop_instance_uid)))
        for (_, uid), members in sorted(series.items())
    )
    return Intake(grouped, (*refused, *doubles), frozenset(reader.identity))


class _Refusal(Exception):  # noqa: N818  # a verdict on data
    def __init__(self, reason: Reason, known: SourceFile | None = None) -> None:
        super().__init__(reason.value)
        self.reason, self.known = reason, known


class _HeaderReader:
    """Reads one header after the other and remembers the distinct identity values of all of them."""

    def __init__(self, max_nesting: int) -> None:
        self.max_nesting = max_nesting
        self.identity: set[IdentityValue] = set()

    def read(self, file: PulledFile) -> SourceFile:
        if file.size_bytes == 0:
            raise _Refusal(Reason.EMPTY_FILE)
        with file.path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            try:
                return self._read(file, cast(bytes, mapped))
            except Unreadable as unreadable:
                raise _Refusal(unreadable.reason) from None
            except RecursionError:
                raise _Refusal(Reason.NESTED_TOO_DEEP) from None

    def _read(self, file: PulledFile, raw: bytes) -> SourceFile:
        opened = open_object(raw)
        facts, trouble = self._facts(opened)
        if not facts and trouble:
            raise Unreadable(trouble)
        source = _source(file, facts, opened)
        reason = trouble or _identity_trouble(source) or _size_trouble(facts, opened)
        if reason:
            raise _Refusal(reason, source if source.study_instance_uid else None)
        return source

    def _facts(self, opened: ObjectBytes) -> tuple[dict[int, bytes], Reason | None]:
        """Return the grouping facts of a header, and what stopped the reading."""
        facts: dict[int, bytes] = {}
        buffer, charset, depth = opened.buffer, b"", self.max_nesting
        dictionary = _dictionary_vr()
        try:
            for tag, vr, start, stop, undefined in top_level(opened, depth):
                if tag in _FACTS:
                    facts[tag] = buffer[start:stop]
                    charset = facts.get(0x00080005, b"")
                elif tag == PIXEL_DATA or tag in _FLOAT_PIXELS:
                    facts[tag] = b"%d %d %d" % (start, stop, undefined)
                    continue
                vr = vr or dictionary(tag)
                if vr in _IDENTITY_VRS and stop - start <= 1 << 20:
                    self.identity.add((tag, vr, buffer[start:stop], charset, opened.encoding))
        except Unreadable as unreadable:
            if unreadable.reason is Reason.TRUNCATED and not facts:
                return {}, Reason.NOT_DICOM if opened.start == 0 and opened.buffer[128:132] != b"DICM" else Reason.TRUNCATED
            return facts, unreadable.reason
        return facts, None


def _source(file: PulledFile, facts: dict[int, bytes], opened: ObjectBytes) -> SourceFile:
    def text(tag: int) -> str:
        return facts.get(tag, b"").decode("latin-1").strip(" \x00")

    def readable(tag: int) -> str:
        value = facts.get(tag, b"")
        return text(tag) if value.isascii() else (_decoded(value, facts.get(0x00080005, b"")) or text(tag)).strip(" \x00")

    return SourceFile(
        file=file,
        patient_id=readable(0x00100020),
        issuer_of_patient_id=readable(0x00100021),
        study_instance_uid=text(0x0020000D),
        series_instance_uid=text(0x0020000E),
        sop_instance_uid=text(0x00080018),
        sop_class_uid=text(0x00080016) if _UID.fullmatch(text(0x00080016)) else "",
        transfer_syntax_uid=opened.transfer_syntax_uid,
        modality=text(0x00080060) if re.fullmatch(r"[A-Z]{2,16}", text(0x00080060)) else "",
        frame_of_reference_uid=text(0x00200052),
    )


def _decoded(value: bytes, character_set: bytes) -> str | None:
    from tasks.deidentify.charsets import decoded, encodings_of

    return decoded(value, encodings_of(character_set), "LO")


def _identity_trouble(source: SourceFile) -> Reason | None:
    uids = (source.study_instance_uid, source.series_instance_uid, source.sop_instance_uid)
    if not source.sop_class_uid and not any(uids):
        return Reason.NOT_DICOM
    if not all(uids):
        return Reason.MISSING_IDENTITY
    # PRIVACY: an input UID is never part of a path, and one that is no UID is not guessed at (tests/unit/test_intake.py).
    if not all(len(uid) <= 64 and _UID.fullmatch(uid) for uid in uids):
        return Reason.INVALID_UID
    if source.sop_class_uid not in storage_classes():
        return Reason.UNSUPPORTED_SOP_CLASS
    return None


def _size_trouble(facts: dict[int, bytes], opened: ObjectBytes) -> Reason | None:
    """Compare what the header claims about its pixels with the bytes that are there."""
    place = facts.get(PIXEL_DATA)
    if place is None:
        return None
    start, stop, undefined = (int(part) for part in place.split())
    order = "little" if opened.encoding.little else "big"

    def number(tag: int, otherwise: int) -> int:
        value = facts.get(tag, b"")
        return int.from_bytes(value[:2], order) if len(value) >= 2 else otherwise  # type: ignore[arg-type]  # one of two literals

    frames_text = facts.get(0x00280008, b"").strip(b" \x00")
    frames = int(frames_text) if frames_text.isdigit() else 1
    samples, bits = number(0x00280002, 1), number(0x00280100, 0)
    pixels = number(0x00280010, 0) * number(0x00280011, 0) * max(frames, 1)
    decoded = (pixels * samples * bits + 7) // 8
    stored = stop - start
    if decoded > ALWAYS_PLAUSIBLE_BYTES and decoded > MAX_DECODED_RATIO * stored:
        return Reason.IMPLAUSIBLE_SIZE
    if undefined:
        return None if len(fragments(opened.buffer, start, stop)) > 1 or decoded == 0 else Reason.TRUNCATED
    if facts.get(0x00280004, b"").startswith(b"YBR_FULL_422") and samples == 3:
        decoded = decoded * 2 // 3
    return Reason.TRUNCATED if stored < decoded else None


def _without_doubles(sources: list[SourceFile]) -> tuple[list[SourceFile], list[Refused]]:
    """Keep one of several identical copies; objects that share a UID and differ are all refused."""
    by_uid: dict[str, list[SourceFile]] = defaultdict(list)
    for source in sources:
        by_uid[source.sop_instance_uid].append(source)
    kept: list[SourceFile] = []
    refused: list[Refused] = []
    for members in by_uid.values():
        if len(members) == 1:
            kept.append(members[0])
            continue
        if len({_content_digest(member) for member in members}) == 1:
            kept.append(members[0])
            refused.extend(Refused(member.file, Reason.DUPLICATE_COPY, member) for member in members[1:])
        else:
            refused.extend(Refused(member.file, Reason.DUPLICATE_UID_CONFLICT, member) for member in members)
    return kept, refused


def _content_digest(source: SourceFile) -> bytes:
    import hashlib

    with source.file.path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


@cache
def storage_classes() -> frozenset[str]:
    """Return the SOP Class UIDs of the standard's storage classes (PS3.4 B.5, PS3.6 A)."""
    from pydicom._uid_dict import UID_dictionary

    from tasks.deidentify.iod import storage_classes as known_iods

    return known_iods() | {
        uid
        for uid, entry in UID_dictionary.items()
        if entry[1] == "SOP Class" and "Storage" in entry[0] and "Commitment" not in entry[0] and "Directory" not in entry[0]
    }


@cache
def _dictionary_vr():  # type: ignore[no-untyped-def]  # a bound dict method behind a default
    from pydicom._dicom_dict import DicomDictionary

    vrs = {tag: entry[0] for tag, entry in DicomDictionary.items()}
    return lambda tag: vrs.get(tag, "")
