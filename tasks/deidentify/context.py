"""What is known of one study before its first object is rebuilt: pseudonyms, offsets, the patients' own identifiers.

Everything here is identified and lives in one worker's memory; nothing of it is shown by `repr`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.deidentify import dates
from tasks.deidentify.charsets import encodings_of
from tasks.deidentify.identity import PatientIdentifiers, collect
from tasks.deidentify.pseudonyms import PatientKey, Pseudonyms
from tasks.deidentify.rebuild import Rebuilder
from tasks.deidentify.rules import RuleBook
from tasks.deidentify.text import TextCleaner
from tasks.deidentify.values import Patient, ValueRules
from tasks.elements import Encoding
from tasks.policy.headers import HeaderPolicy
from tasks.secret import Secret

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from tasks.intake import IdentityValue, Intake, SourceFile


@dataclass(frozen=True, slots=True)
class StudyContext:
    """The study's rules, bound to its patients. One rebuilder per patient: what it remembers serves all slices."""

    policy: HeaderPolicy
    pseudonyms: Pseudonyms = field(repr=False)
    rules: RuleBook = field(repr=False)
    identifiers: PatientIdentifiers = field(repr=False)
    older_than_cap: bool = field(repr=False, default=False)
    constants: frozenset[str] = field(repr=False, default=dates.CONSTANTS)
    issuers: Mapping[str, str] = field(repr=False, default_factory=dict)  # patient id -> the one issuer that the study names for it
    _rebuilders: dict[PatientKey, Rebuilder] = field(repr=False, default_factory=dict)

    @property
    def own_values(self) -> frozenset[str]:
        """Return the patient's own identifiers as text, for matching what is burned into pixels."""
        own = self.identifiers
        return frozenset().union(own.patient_names, own.other_names, own.ids, own.birth_dates, own.dates, own.places)

    def patient_key(self, source: SourceFile) -> PatientKey:
        """Return the identity of an object's patient; an object without patient id is a patient of its own study.

        Derived objects often lack the issuer that the images name: within one study the id then means the same person.
        """
        if not source.patient_id:
            return "\x00study", source.study_instance_uid
        issuer = source.issuer_of_patient_id.strip(" \x00") or self.issuers.get(source.patient_id.strip(" \x00"), "")
        return self.pseudonyms.resolved(issuer, source.patient_id)

    def patient_id(self, source: SourceFile) -> str:
        """Return the released PatientID of an object."""
        return self.pseudonyms.patient_id(self.patient_key(source))

    def shift_days_of(self, source: SourceFile) -> int | None:
        """Return the date offset of an object's patient, None under a policy that shifts no dates."""
        return self.pseudonyms.shift_days(self.patient_key(source)) if self.policy.dates == "shift" else None

    def rebuilder(self, source: SourceFile) -> Rebuilder:
        """Return the rebuilder of an object's patient."""
        key = self.patient_key(source)
        found = self._rebuilders.get(key)
        if found is None:
            days = self.pseudonyms.shift_days(key)
            patient = Patient(
                self.pseudonyms.patient_id(key), days, self.older_than_cap, self.constants, self._own_codes(), self._own_numbers()
            )
            cleaner = TextCleaner(
                self.identifiers, days if self.policy.dates == "shift" else None, self.policy.dates, self.policy.unknown_tokens
            )
            found = self._rebuilders[key] = Rebuilder(self.rules, ValueRules(self.policy, self.pseudonyms, patient, cleaner))
        return found

    def _own_numbers(self) -> frozenset[bytes]:
        """Return the numbers of six digits and more that are the patient's: ids, dates of birth, dates of the study."""
        own = self.identifiers
        digits = {value.lstrip("0") for value in own.ids | own.birth_dates | own.dates if value.isascii() and value.isdigit()}
        return frozenset(value.encode() for value in digits if len(value) >= 6)

    def _own_codes(self) -> frozenset[str]:
        """Return what of the patient could stand where a code stands: ids, and the parts of names."""
        own = self.identifiers
        parts = {part for name in own.patient_names | own.other_names for part in re.split(r"[\^= ,.]+", name) if len(part) > 1}
        return frozenset(value.casefold() for value in parts | own.ids | own.contacts | own.devices)


def study_context(
    intake: Intake,
    policy: HeaderPolicy,
    secret: Secret,
    dataset: str,
    aliases: Mapping[PatientKey, PatientKey] | None = None,
    patient_last_study_date: str = "",
) -> StudyContext:
    """Bind the rules to one study: its patients' pseudonyms and offsets, and their identifiers from all its headers."""
    if intake.identity is None:
        raise ValueError("intake without identity values: examine_files collects them")
    identifiers = collect(_identity_datasets(intake.identity))
    study_dates = frozenset(v.strip(b" \x00").decode("latin-1") for tag, _, v, _, _ in intake.identity if tag == 0x00080020)
    older = _reaches_cap(intake.identity, study_dates, patient_last_study_date, policy.age_cap_years)
    pseudonyms = Pseudonyms(secret, dataset, aliases, keep_uids=policy.retain_uids)
    constants = dates.constants_beside(study_dates)
    return StudyContext(policy, pseudonyms, RuleBook(policy), identifiers, older, constants, _issuers(intake))


def _issuers(intake: Intake) -> dict[str, str]:
    """Return the issuer of every patient id that has exactly one in this study; two issuers are two patients."""
    found: dict[str, set[str]] = {}
    for series in intake.series:
        for source in series.files:
            if issuer := source.issuer_of_patient_id.strip(" \x00"):
                found.setdefault(source.patient_id.strip(" \x00"), set()).add(issuer)
    return {patient: issuers.pop() for patient, issuers in found.items() if len(issuers) == 1}


def _reaches_cap(identity: frozenset[IdentityValue], study_dates: frozenset[str], last_study_date: str, cap_years: int) -> bool:
    """Say whether the patient is that old anywhere on the timeline: what is capped once is capped everywhere.

    PRIVACY: 89 in this study and 092Y in the next would tell the age that the cap hides (tests/spec/test_dates.py).
    """
    days = [day for day in (dates.day(text) for text in (*study_dates, last_study_date)) if day is not None]
    last, first = max(days, default=None), min(days, default=None)
    for tag, _, value, _, _ in identity:
        text = value.strip(b" \x00").decode("latin-1")
        born = dates.day(text) if tag == 0x00100030 and text not in dates.CONSTANTS else None
        if born is not None and last is not None:
            if (last.year - born.year) - ((last.month, last.day) < (born.month, born.day)) >= cap_years:
                return True
        elif tag == 0x00101010 and dates.age_years(text):
            later = (last - first).days / 365.25 if last is not None and first is not None else 0.0
            if dates.age_years(text) + later >= cap_years:
                return True
    return False


def _identity_datasets(identity: frozenset[IdentityValue]) -> Iterator[Dataset]:
    """Yield datasets that hold every distinct identity value of a study once, whatever the number of its objects."""
    from pydicom.dataelem import DataElement, RawDataElement
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

    groups: dict[tuple[bytes, Encoding], dict[int, list[tuple[str, bytes]]]] = {}
    for tag, vr, value, charset, encoding in sorted(identity):
        groups.setdefault((charset, encoding), {}).setdefault(tag, []).append((vr, value))
    for (charset, encoding), by_tag in groups.items():
        for turn in range(max(len(values) for values in by_tag.values())):
            elements: dict[BaseTag, DataElement | RawDataElement] = {}
            for tag, values in by_tag.items():
                if turn < len(values):
                    vr, value = values[turn]
                    elements[BaseTag(tag)] = RawDataElement(BaseTag(tag), vr, len(value), value, 0, encoding[0], encoding[1])
            found = Dataset(elements)
            found.set_original_encoding(encoding[0], encoding[1], list(encodings_of(charset) or ("iso8859",)))
            yield found
