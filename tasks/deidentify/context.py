"""What is known of one study before its first object is rebuilt: pseudonyms, offsets, the patients' own identifiers.

Everything here is identified and lives in one worker's memory; nothing of it is shown by `repr`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.deidentify.charsets import encodings_of
from tasks.deidentify.pseudonyms import PatientKey, Pseudonyms
from tasks.deidentify.rebuild import Rebuilder
from tasks.deidentify.rules import RuleBook
from tasks.deidentify.values import CleanText, Patient, ValueRules
from tasks.elements import Encoding
from tasks.policy.headers import HeaderPolicy
from tasks.secret import Secret

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from tasks.intake import Intake, SourceFile


@dataclass(frozen=True, slots=True)
class StudyContext:
    """The study's rules, bound to its patients. One rebuilder per patient: what it remembers serves all slices."""

    policy: HeaderPolicy
    pseudonyms: Pseudonyms = field(repr=False)
    rules: RuleBook = field(repr=False)
    own_values: frozenset[str] = field(repr=False)
    clean_text: CleanText | None = field(repr=False, default=None)
    last_study_date: str = field(repr=False, default="")
    _rebuilders: dict[PatientKey, Rebuilder] = field(repr=False, default_factory=dict)

    def patient_key(self, source: SourceFile) -> PatientKey:
        """Return the identity of an object's patient; an object without patient id is a patient of its own study."""
        if not source.patient_id:
            return "\x00study", source.study_instance_uid
        return self.pseudonyms.resolved(source.issuer_of_patient_id, source.patient_id)

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
            patient = Patient(self.pseudonyms.patient_id(key), self.pseudonyms.shift_days(key))
            values = ValueRules(self.policy, self.pseudonyms, patient, self.clean_text)
            found = self._rebuilders[key] = Rebuilder(self.rules, values)
        return found


def study_context(
    intake: Intake,
    policy: HeaderPolicy,
    secret: Secret,
    dataset: str,
    aliases: Mapping[PatientKey, PatientKey] | None = None,
    patient_last_study_date: str = "",
) -> StudyContext:
    """Bind the rules to one study: its patients' pseudonyms and offsets, and their identifiers from all its headers."""
    from tasks.deidentify.identity import collect

    identifiers = collect(_identity_datasets(intake))
    values = frozenset().union(identifiers.patient_names, identifiers.other_names, identifiers.ids, identifiers.birth_dates)
    return StudyContext(policy, Pseudonyms(secret, dataset, aliases), RuleBook(policy), values, None, patient_last_study_date)


def _identity_datasets(intake: Intake) -> Iterator[Dataset]:
    """Yield datasets that hold every distinct identity value of a study once, whatever the number of its objects."""
    from pydicom.dataelem import DataElement, RawDataElement
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

    groups: dict[tuple[bytes, Encoding], dict[int, list[tuple[str, bytes]]]] = {}
    for tag, vr, value, charset, encoding in sorted(intake.identity or ()):
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
