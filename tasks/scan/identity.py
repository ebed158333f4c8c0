"""What the source objects of one study say of their people: the values to look for, read by the scanner's own walk.

How a value may be spelled is in `needles`; nothing here is ever shown or written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from tasks.model import PulledFile
from tasks.scan.charset import decode
from tasks.scan.vocabulary import is_placeholder
from tasks.scan.walk import Walk, implied_vr, read_walk

_KIND = {
    0x00100010: "patient_name",
    0x00101001: "patient_name",
    0x00101005: "patient_name",
    0x00101060: "person_name",
    0x00100020: "patient_id",
    0x00101000: "patient_id",
    0x00100021: "organization",
    0x00101050: "record_number",
    0x00101090: "record_number",
    0x00080050: "accession_number",
    0x00200010: "study_id",
    0x00380010: "record_number",
    0x00380060: "record_number",
    0x00402016: "record_number",
    0x00402017: "record_number",
    0x00401001: "record_number",
    0x00400009: "record_number",
    0x00400253: "record_number",
    0x00101040: "address",
    0x00080081: "address",
    0x00080092: "address",
    0x00102154: "phone",
    0x00102155: "phone",
    0x00080094: "phone",
    0x00400006: "person_name",
    0x00080080: "organization",
    0x00081040: "organization",
    0x00081010: "station",
    0x00080055: "station",
    0x00020016: "station",
    0x00181000: "device_serial",
    0x0018700A: "device_serial",
    0x00181004: "device_serial",
    0x00181008: "device_serial",
}
"""Attributes whose values name a patient, a person, a record, a place or one device (PS3.6)."""

_BIRTH_DATE = 0x00100030
_STUDY_DATE = 0x00080020
PUBLIC_DATES = frozenset((0x0008010D, 0x00080106, 0x00080107, 0x00181022))  # versions of context groups: public constants
_CLASS_UIDS = frozenset(
    (
        0x00020002, 0x00020010, 0x00020012, 0x00080016, 0x0008001A, 0x0008001B, 0x00080062, 0x0008010C, 0x00080117, 0x00080118, 0x00081150,
        0x0008115A, 0x00041510, 0x00041512, 0x0004151A, 0x04000010, 0x04000510, 0x00020102,
    )
)  # fmt: skip
"""UI attributes that name a class, a scheme or software, not a thing of this patient."""

_TECHNICAL = frozenset((0x00080060, 0x00080070, 0x00081090, 0x00181020))
_NO_DAY = "19000101"  # what software writes when it knows no date
_DICOM_ROOT = "1.2.840.10008."
_PUBLIC_BRANCHES = ("1.2.840.10008.6.1.", "1.2.840.10008.9.", "1.2.840.10008.2.", "1.2.840.10008.1.")


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """What the source objects of one study say of their patient: the values to look for (identified)."""

    values: frozenset[tuple[str, str]] = field(repr=False, default=frozenset())  # (kind, value)
    uids: frozenset[str] = field(repr=False, default=frozenset())  # instance, series, study, frame of reference … of the source
    dates: frozenset[str] = field(repr=False, default=frozenset())  # YYYYMMDD, every DA and DT of the source
    study_dates: frozenset[str] = field(repr=False, default=frozenset())  # StudyDate (0008,0020)
    technical: frozenset[str] = field(repr=False, default=frozenset())  # modality, make, model, software: not specific; lower case


def collect_identity(files: Iterable[PulledFile]) -> SourceIdentity:
    """Read every identifying value out of the source objects of one study; unreadable files add what can still be read."""
    values: set[tuple[str, str]] = set()
    uids: set[str] = set()
    dates: set[str] = set()
    study_dates: set[str] = set()
    technical: set[str] = set()
    seen: set[tuple[int, str, bytes]] = set()
    for file in files:
        try:
            source = read_walk(file.path)
        except (OSError, ValueError):
            continue
        character_set = next((source.value(e).decode("ascii", "replace") for e in source.elements if e.tag == 0x00080005), "")
        for tag, vr, raw in _header_values(source):
            if (tag, vr, raw) in seen:
                continue
            seen.add((tag, vr, raw))
            if vr == "UI":
                uids.update(_instance_uids(tag, raw))
            elif vr in ("DA", "DT"):
                found = tuple(_days(raw)) if tag not in PUBLIC_DATES else ()
                dates.update(found)
                if tag == _STUDY_DATE:
                    study_dates.update(found)
                if tag == _BIRTH_DATE:
                    values.update(("birth_date", day) for day in found)
            else:
                values.update(_named_values(tag, vr, raw, character_set))
                if tag in _TECHNICAL:
                    technical.update(part.strip().lower() for part in raw.decode("latin-1").split("\\"))
    return SourceIdentity(frozenset(values), frozenset(uids), frozenset(dates), frozenset(study_dates), frozenset(technical))


def _header_values(source: Walk) -> Iterator[tuple[int, str, bytes]]:
    data = source.data
    for tag, vr, start, end, _, _ in source.elements:
        vr = implied_vr(tag) if vr == "UN" else vr
        if (vr in ("UI", "DA", "DT", "PN") or tag in _KIND or tag in _TECHNICAL) and 0 < end - start <= 65536:
            yield tag, vr, data[start:end]


def _instance_uids(tag: int, raw: bytes) -> Iterator[str]:
    if tag in _CLASS_UIDS:
        return
    for part in raw.decode("latin-1").split("\\"):
        uid = part.strip(" \0")
        if len(uid) >= 3 and not is_public_uid(uid):
            yield uid


@lru_cache(maxsize=4096)
def is_public_uid(uid: str) -> bool:
    """Say whether a UID is the standard's own (PS3.6 A, PS3.16 context groups and templates), not some vendor's below its root."""
    if not uid.startswith(_DICOM_ROOT):
        return False
    from pydicom._uid_dict import UID_dictionary

    return uid in UID_dictionary or (uid.startswith(_PUBLIC_BRANCHES) and len(uid) <= 32)


def _days(raw: bytes) -> Iterator[str]:
    for part in raw.decode("latin-1").split("\\"):
        day = part.strip(" \0")[:10].replace(".", "").replace("-", "").replace("/", "")[:8]
        if (
            len(day) == 8
            and day.isdigit()
            and "1800" <= day[:4] <= "2100"  # what is not known here is held as a day of nobody (T10.offset)
            and day != "19000101"
            and "01" <= day[4:6] <= "12"
            and "01" <= day[6:] <= "31"
        ):
            yield day


def _named_values(tag: int, vr: str, raw: bytes, character_set: str) -> Iterator[tuple[str, str]]:
    kind = _KIND.get(tag) or ("person_name" if vr == "PN" else "")
    if not kind:
        return
    multiple = vr not in ("ST", "LT", "UT")
    text = decode(raw, character_set)
    for part in text.split("\\") if multiple else [text]:
        value = part.strip(" \0\r\n\t")
        if not is_placeholder(value):
            yield kind, value
    if not raw.isascii() or b"\x1b" in raw:
        yield f"{kind}_bytes", raw.strip(b" \0").decode("latin-1")
