"""The patient's own identifiers, read out of the source headers at every depth, for cleaning text with.

How the values are looked for in text does not belong here (tasks/deidentify/text), nor does pseudonymisation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

NO_VALUES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PatientIdentifiers:
    """What the sources say of one patient and of the people and places around (identified; never shown by `repr`).

    Names are PN strings, one per component group, with their carets; dates are `YYYYMMDD`, or `YYYYMM`/`YYYY` when the
    source says no more; everything else is the value as it stands, without padding.
    """

    patient_names: frozenset[str] = field(repr=False, default=NO_VALUES)
    other_names: frozenset[str] = field(repr=False, default=NO_VALUES)
    ids: frozenset[str] = field(repr=False, default=NO_VALUES)
    birth_dates: frozenset[str] = field(repr=False, default=NO_VALUES)
    dates: frozenset[str] = field(repr=False, default=NO_VALUES)
    places: frozenset[str] = field(repr=False, default=NO_VALUES)  # institutions, departments, addresses
    contacts: frozenset[str] = field(repr=False, default=NO_VALUES)  # phones, e-mail, account names
    devices: frozenset[str] = field(repr=False, default=NO_VALUES)  # station names, AE titles, serial numbers

    def __or__(self, other: PatientIdentifiers) -> PatientIdentifiers:
        """Return the identifiers of both: all studies of one patient know each other's values."""
        return PatientIdentifiers(**{f.name: getattr(self, f.name) | getattr(other, f.name) for f in fields(self)})


# Which of our fields an attribute feeds, by keyword; PN, DA and DT are recognised by their VR wherever they stand.
_FIELDS: dict[str, tuple[str, ...]] = {
    "ids": (
        "PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID", "AdmissionID",
        "ServiceEpisodeID", "FillerOrderNumberImagingServiceRequest", "PlacerOrderNumberImagingServiceRequest",
        "FillerOrderNumberProcedure", "PlacerOrderNumberProcedure", "RequestedProcedureID", "ScheduledProcedureStepID",
        "PerformedProcedureStepID", "MedicalRecordLocator", "InsurancePlanIdentification", "SpecimenIdentifier",
        "ContainerIdentifier", "SpecimenAccessionNumber", "OtherStudyNumbers",
        "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID", "PersonIdentificationCode", "PatientCareProviderID",
    ),
    "places": (
        "InstitutionName", "InstitutionAddress", "InstitutionalDepartmentName", "PatientAddress", "RequestingService",
        "ReferringPhysicianAddress", "PersonAddress", "CurrentPatientLocation", "PatientInstitutionResidence",
        "RegionOfResidence", "VerifyingOrganization", "IssuerOfPatientID", "IssuerOfAdmissionID", "ResponsibleOrganization",
        "OrderEntererLocation", "CustodialOrganizationName", "ScheduledPerformedLocation", "PerformedLocation",
        "ScheduledProcedureStepLocation", "ClinicalTrialSiteName", "ClinicalTrialSiteID", "InstitutionalDepartmentTypeName",
        "SecondaryReviewerName", "BranchOfService",
    ),
    "contacts": (
        "PatientTelephoneNumbers", "PatientTelecomInformation", "ReferringPhysicianTelephoneNumbers", "PersonTelephoneNumbers",
        "PersonTelecomInformation", "OrderCallbackPhoneNumber", "OrderCallbackTelecomInformation",
    ),
    "devices": (
        "StationName", "DeviceSerialNumber", "ScheduledStationName", "PerformedStationName", "StationAETitle", "GantryID",
        "ScheduledStationAETitle", "PerformedStationAETitle", "SecondaryCaptureDeviceID", "HardcopyDeviceID", "DetectorID",
        "PlateID", "CassetteID", "GeneratorID", "TreatmentMachineName", "UniqueDeviceIdentifier", "NetworkID",
        "RetrieveAETitle", "ScheduledStudyLocationAETitle", "RequestingAE", "SourceApplicationEntityTitle", "XRaySourceID",
        "PrintQueueID", "ReceivingApplicationEntityTitle", "SendingApplicationEntityTitle", "ScannerID",
    ),
}  # fmt: skip
# Initials and account names stand in PN and in these; a person's code meaning is a name as well.
_PERSON_SEQUENCE_WORDS = ("PersonIdentification", "PhysicianIdentification", "PhysiciansOfRecordIdentification", "OperatorIdentification",
                          "ObserverIdentification", "PhysiciansReadingStudyIdentification")  # fmt: skip
_EMPTY = frozenset({"", "none", "unknown", "n/a", "na", "null", "0", "anonymous", "anonymized", "anon", "deidentified", "unspecified"})
_PATIENT_NAME_KEYWORDS = frozenset({"PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName", "ResponsiblePerson"})
_BIRTH_KEYWORDS = frozenset({"PatientBirthDate", "PatientBirthDateInAlternativeCalendar"})


def collect(datasets: Iterable[Dataset]) -> PatientIdentifiers:
    """Return what these objects of one patient say of the patient, staff, places and devices, at every depth.

    An element that cannot be decoded contributes nothing: it is no reason to fail, since the rules for elements do not
    depend on it.
    """
    found: dict[str, set[str]] = {f.name: set() for f in fields(PatientIdentifiers)}
    seen: set[tuple[int, object]] = set()
    for dataset in datasets:
        _walk(dataset, found, seen, person=False, depth=0)
    return PatientIdentifiers(**{name: frozenset(values) for name, values in found.items()})


def _walk(dataset: Dataset, found: dict[str, set[str]], seen: set[tuple[int, object]], *, person: bool, depth: int) -> None:
    if depth > 64:
        return
    kinds = _kinds_by_tag()
    for tag, raw in list(dataset._dict.items()):
        kind = kinds.get(int(tag), "")
        vr = raw.VR or ("" if not tag.is_private else "UN")
        if not kind and vr not in _VRS_OF_INTEREST and not (person and int(tag) in _CODE_TAGS):
            continue
        if isinstance(raw.value, bytes) and not person:
            if (int(tag), raw.value) in seen:
                continue
            seen.add((int(tag), raw.value))
        try:
            element = dataset[tag]
            keyword = element.keyword
            if element.VR == "SQ":
                inner = any(word in keyword for word in _PERSON_SEQUENCE_WORDS)
                for item in element.value or ():
                    _walk(item, found, seen, person=inner, depth=depth + 1)
            else:
                _take(element, kind, found, person=person)
        except Exception:  # noqa: S112 - an undecodable element holds no value that we could look for
            continue


def _take(element: Any, kind: str, found: dict[str, set[str]], *, person: bool) -> None:
    keyword, vr = element.keyword, element.VR
    for value in _values(element.value):
        if value.casefold() in _EMPTY:
            continue
        if vr == "PN":
            name = "patient_names" if keyword in _PATIENT_NAME_KEYWORDS else "other_names"
            found[name].update(group for group in value.split("=") if group.strip("^ "))
        elif vr in ("DA", "DT"):
            digits = "".join(c for c in value.split("+")[0] if c.isdigit())[:8]
            if len(digits) >= 4:
                found["birth_dates" if keyword in _BIRTH_KEYWORDS else "dates"].add(digits)
        elif kind in found:
            found[kind].add(value)
        elif person:
            found["other_names" if keyword == "CodeMeaning" else "ids"].add(value)


def _values(value: object) -> Iterator[str]:
    if value is None or isinstance(value, bytes):
        return
    values = value if not isinstance(value, str) and isinstance(value, Iterable) and not hasattr(value, "components") else (value,)
    for one in values:
        text = str(one).strip(" \0")
        if text:
            yield text


_VRS_OF_INTEREST = frozenset({"PN", "DA", "DT", "SQ", "UN"})
_CODE_TAGS = frozenset({0x00080100, 0x00080104})
_TAGS: dict[int, str] = {}


def _kinds_by_tag() -> dict[int, str]:
    """Return tag -> field for every attribute that we read: those named above and all PN, DA, DT, SQ of the dictionary."""
    if not _TAGS:
        from pydicom._dicom_dict import DicomDictionary

        by_keyword = {keyword: name for name, keywords in _FIELDS.items() for keyword in keywords}
        for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
            if keyword in by_keyword:
                _TAGS[tag] = by_keyword[keyword]
            elif vr in ("PN", "DA", "DT", "SQ"):
                _TAGS[tag] = vr
    return _TAGS
