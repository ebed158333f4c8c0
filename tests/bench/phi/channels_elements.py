# ruff: noqa: E501 - tables of channels, a row each
"""Channels in data elements: every VR, three depths, private, UN, functional groups, SR, numeric strings, character sets.

Channels in the bytes around and inside values are in `channels_bytes`, sentences in `channels_text`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.bench.phi.key import Build

DIRECT = "direct identifiers"
BLIND = "blind spots"
NESTED = "nested"
PRIVATE = "private"
UIDS = "UIDs"
DATES = "dates"
SR = "structured reports"
CHARSETS = "character sets"
NUMBERS = "numeric and coded strings"

# keyword -> what is planted there; every one of them at depth 0, 1 and 2
_DIRECT: dict[str, str] = {
    "PatientName": "pn", "PatientID": "id", "OtherPatientIDs": "id", "OtherPatientNames": "pn", "PatientBirthName": "pn", "PatientMotherBirthName": "pn",
    "PatientAddress": "word", "PatientTelephoneNumbers": "phone", "MedicalRecordLocator": "id", "MilitaryRank": "word", "BranchOfService": "word",
    "CountryOfResidence": "word", "RegionOfResidence": "word", "Occupation": "own", "PatientReligiousPreference": "word", "IssuerOfPatientID": "word",
    "InsurancePlanIdentification": "id", "ResponsiblePerson": "pn", "ResponsibleOrganization": "word", "AccessionNumber": "id", "StudyID": "id",
    "ReferringPhysicianName": "pn", "ReferringPhysicianAddress": "word", "ReferringPhysicianTelephoneNumbers": "phone", "ConsultingPhysicianName": "pn",
    "PerformingPhysicianName": "pn", "NameOfPhysiciansReadingStudy": "pn", "PhysiciansOfRecord": "pn", "OperatorsName": "pn", "RequestingPhysician": "pn",
    "RequestingService": "word", "ScheduledPerformingPhysicianName": "pn", "InstitutionName": "word", "InstitutionAddress": "word",
    "InstitutionalDepartmentName": "word", "StationName": "word", "DeviceSerialNumber": "id", "GantryID": "word", "PlateID": "id", "DetectorID": "id",
    "CassetteID": "id", "GeneratorID": "id", "ScheduledStationName": "word", "PerformedStationName": "word", "ScheduledStationAETitle": "word",
    "PerformedStationAETitle": "word", "AdmissionID": "id", "ServiceEpisodeID": "id", "CurrentPatientLocation": "word", "PatientInstitutionResidence": "word",
    "PlacerOrderNumberImagingServiceRequest": "id", "FillerOrderNumberImagingServiceRequest": "id", "OrderCallbackPhoneNumber": "phone",
    "OrderEnteredBy": "pn", "OrderEntererLocation": "word", "RequestedProcedureID": "id", "ScheduledProcedureStepID": "id", "PerformedProcedureStepID": "id",
    "NamesOfIntendedRecipientsOfResults": "pn", "PersonName": "pn", "VerifyingObserverName": "pn", "VerifyingOrganization": "word", "ContentCreatorName": "pn",
    "HumanPerformerName": "pn", "HumanPerformerOrganization": "word", "PersonAddress": "word", "PersonTelephoneNumbers": "phone", "SpecimenIdentifier": "id",
    "ContainerIdentifier": "id", "UniqueDeviceIdentifier": "word", "SecondaryCaptureDeviceID": "word", "ClinicalTrialSiteName": "word",
    "DistributionName": "pn", "PatientComments": "own", "AdditionalPatientHistory": "own", "ImageComments": "own", "StudyComments": "own",
}  # fmt: skip
_BLIND: dict[str, str] = {
    "PatientBirthDateInAlternativeCalendar": "word", "PatientDeathDateInAlternativeCalendar": "word", "SecondaryReviewerName": "pn", "RetrieveURL": "url",
    "OverlayDescription": "word", "OverlayLabel": "word", "ReviewerName": "pn", "InterpretationAuthor": "pn", "InterpretationRecorder": "pn",
    "InterpretationTranscriber": "pn", "PhysicianApprovingInterpretation": "pn", "EvaluatorName": "pn", "AuthorName_": "word", "RTPlanName": "own",
    "TextComments": "own", "PersonIdentificationCodeSequence_": "word", "RetrieveURI": "url", "PatientTelecomInformation": "word", "EncapsulatedDocument_": "word",
    "ContactURI": "url", "ContactDisplayName": "word", "ReferencedPatientAliasSequence_": "word", "TreatmentMachineName": "word", "PatientAlternativeCalendar": "word",
    "StorageURL": "url", "StudyIDIssuer": "word", "InsurancePlanIdentification": "id", "ReceivingAE": "word", "RequestingAE": "word", "ScheduledStudyLocation": "word",
    "ScheduledStudyLocationAETitle": "word", "StudyPriorityID": "word", "RetrieveAETitle": "word", "NetworkID": "word", "FilterMaterial": "word", "ScannerSettings_": "word",
}  # fmt: skip
# names typed where a defined term belongs, text where a number belongs
_CODED = ("BodyPartExamined", "Laterality", "PatientSex", "ScanOptions", "ScanningSequence", "SequenceVariant", "ImageType", "PatientPosition", "Modality",
          "ConversionType", "RotationDirection", "ExposureModulationType", "AnatomicRegionCode_", "PhotometricInterpretation_", "PresentationIntentType")  # fmt: skip
_NUMERIC = ("InstanceNumber", "SeriesNumber", "AcquisitionNumber", "PatientWeight", "PatientSize", "SliceThickness", "KVP", "TemporalPositionIndex_", "ExposureTime",
            "NumberOfAverages", "HeartRate", "ImagesInAcquisition", "StageNumber", "PatientAge", "WindowCenter", "GantryDetectorTilt")  # fmt: skip
_DATE_ELEMENTS = ("PatientBirthDate", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "AcquisitionDateTime", "AdmittingDate", "ScheduledProcedureStepStartDate",
                  "PerformedProcedureStepStartDate", "InstanceCreationDate", "DateOfLastCalibration", "LastMenstrualDate", "DateOfSecondaryCapture", "IssueDateOfImagingServiceRequest",
                  "FrameAcquisitionDateTime", "PatientDeathDateInAlternativeCalendar_", "ContentCreationDate_", "StructureSetDate", "RTPlanDate", "ReviewDate", "TreatmentDate")  # fmt: skip


def planted(build: Build) -> Iterator[Callable[[], None]]:
    """Yield the channels that fit any dataset; calling one plants it."""
    for depth in range(3):
        for keyword, kind in _DIRECT.items():
            yield lambda k=keyword, d=depth, t=kind: _element(build, k, t, d, DIRECT if d == 0 else NESTED)  # type: ignore[misc]
        for keyword, kind in _BLIND.items():
            if not keyword.endswith("_"):
                yield lambda k=keyword, d=depth, t=kind: _element(build, k, t, d, BLIND)  # type: ignore[misc]
        for keyword in _CODED:
            if not keyword.endswith("_"):
                yield lambda k=keyword, d=depth: _element(build, k, "word", d, NUMBERS)  # type: ignore[misc]
        for keyword in _NUMERIC:
            if not keyword.endswith("_"):
                yield lambda k=keyword, d=depth: _element(build, k, "word", d, NUMBERS)  # type: ignore[misc]
        for keyword in _DATE_ELEMENTS:
            if not keyword.endswith("_"):
                yield lambda k=keyword, d=depth: _date(build, k, d)  # type: ignore[misc]
    for special in (_private_text, _private_known, _private_item, _private_nested_standard, _private_ob, _private_date, _un_public, _un_sequence, _original_attributes,
                    _functional_groups, _uids, _uid_text, _multi_dates, _date_elsewhere, _malformed_dates, _datetime_with_zone, _code_meaning, _unknown_public,
                    _curve, _signature, _graphic_annotation, _request_attributes, _modified_attributes, _person_codes, _multi_names, _long_text, _url_text, _ae,
                    _utf8_name, _latin_name, _greek_name, _cyrillic_name, _hebrew_name, _arabic_name, _japanese_name, _korean_name, _chinese_name, _wrong_charset,
                    _sr_name, _sr_text, _sr_date, _sr_uid, _dialog_private_creator, _retired, _empty_padded, _backslash_name, _tab_text, _context_group, _file_set,
                    _contributing, _acquisition_context, _series_text_id, _station_in_text, _time_zone, _command_group):  # fmt: skip
        yield lambda s=special: s(build)  # type: ignore[misc]


def _value(build: Build, channel: str, category: str, kind: str) -> str:
    people = build.people
    match kind:
        case "pn":
            family, given = people.surname(), people.given()
            return build.says(channel, category, family, given) and f"{family}^{given}" if build.active(channel) else ""
        case "id":
            return build.says(channel, category, people.digits(8))
        case "phone":
            return build.says(channel, category, people.phone())
        case "url":
            word = build.says(channel, category, people.word())
            return f"https://pacs.example.org/{word}" if word else ""
        case _:
            return build.says(channel, category, people.word())


def level(build: Build, depth: int) -> Any:
    """Return the dataset at a depth: the object, an item, an item of an item."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    here = build.dataset
    for keyword in ("RequestAttributesSequence", "ScheduledProtocolCodeSequence", "ProtocolContextSequence")[:depth]:
        if keyword not in here:
            setattr(here, keyword, Sequence([Dataset()]))
        here = getattr(here, keyword)[0]
    return here


def _set(dataset: Any, keyword_or_tag: Any, vr: str, value: Any) -> None:
    from pydicom.datadict import tag_for_keyword
    from pydicom.dataelem import DataElement

    tag = tag_for_keyword(keyword_or_tag) if isinstance(keyword_or_tag, str) else keyword_or_tag
    if tag is None:
        raise KeyError(keyword_or_tag)
    dataset[tag] = DataElement(tag, vr, value, validation_mode=0)


def _element(build: Build, keyword: str, kind: str, depth: int, category: str) -> None:
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    tag = tag_for_keyword(keyword)
    if tag is None:
        return
    channel = f"{keyword}@{depth}"
    if not build.active(channel):
        return
    if kind == "own":  # the patient's own name, typed into a comment
        own = build.people.surname()
        build.plants.append(_plant(channel, category, own))
        _alias(build, own)
        value = f"Spoke to {own} before the scan"
    else:
        value = _value(build, channel, category, kind)
    vr = dictionary_VR(tag)
    if vr in ("IS", "DS", "AS", "US", "FD", "FL", "SS", "UL", "OB", "SQ", "UI", "DA", "TM"):
        _raw(level(build, depth), tag, vr, value)
        return
    _set(level(build, depth), tag, vr, value)


def _plant(channel: str, category: str, *needles: str) -> Any:
    from tests.bench.phi.key import Plant

    return Plant(channel, category, needles)


def _alias(build: Build, name: str) -> None:
    """Make a name one of the patient's own: it stands in (0010,1001)."""
    old = build.dataset.get("OtherPatientNames")
    names = (
        []
        if old is None
        else [str(n) for n in (old if not isinstance(old, str) and hasattr(old, "__iter__") and not hasattr(old, "components") else [old])]
    )
    build.dataset.OtherPatientNames = [*names, f"{name}^{build.people.given()}"]


def _raw(dataset: Any, tag: Any, vr: str, value: str) -> None:
    """Put a text under a VR that has no text, as bytes."""
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    data = value.encode("ascii")
    data += b" " * (len(data) % 2)
    tag = Tag(tag)
    dataset._dict[tag] = RawDataElement(tag, vr, len(data), data, 0, False, True)


def _date(build: Build, keyword: str, depth: int) -> None:
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    channel = f"{keyword}@{depth}"
    if (
        tag_for_keyword(keyword) is None
        or not build.active(channel)
        or (depth == 0 and keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"))
    ):
        return
    day = f"{build.people.day():%Y%m%d}"
    build.says(channel, DATES, day)
    _set(level(build, depth), keyword, dictionary_VR(keyword), day + ("101112.000000" if dictionary_VR(keyword) == "DT" else ""))


def _word(build: Build, channel: str, category: str) -> str:
    return build.says(channel, category, build.people.word()) if build.active(channel) else ""


def _private_text(build: Build) -> None:
    if word := _word(build, "private LO", PRIVATE):
        block = build.dataset.private_block(0x0031, "ACME HEALTH 1.1", create=True)
        block.add_new(0x10, "LO", word)


def _private_known(build: Build) -> None:
    if word := _word(build, "private, known creator, unsafe row", PRIVATE):
        block = build.dataset.private_block(0x0009, "GEMS_IDEN_01", create=True)
        block.add_new(0x30, "SH", word[:16])


def _private_item(build: Build) -> None:
    if word := _word(build, "private in an item", PRIVATE):
        block = level(build, 1).private_block(0x0011, "ACME ITEM", create=True)
        block.add_new(0x01, "LO", word)


def _private_nested_standard(build: Build) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    if build.active("standard element in a private sequence"):
        inner = Dataset()
        inner.PatientName = build.says("standard element in a private sequence", PRIVATE, build.people.surname()) + "^A"
        build.dataset.private_block(0x0033, "ACME SEQ", create=True).add_new(0x01, "SQ", Sequence([inner]))


def _private_ob(build: Build) -> None:
    if word := _word(build, "private OB blob", PRIVATE):
        build.dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(
            0x10, "OB", b"SV10\x04\x03\x02\x01" + word.encode() + b"\0" * 20
        )


def _private_date(build: Build) -> None:
    if build.active("private DA"):
        day = build.says("private DA", PRIVATE, f"{build.people.day():%Y%m%d}")
        build.dataset.private_block(0x0019, "ACME DATES", create=True).add_new(0x02, "DA", day)


def _un_public(build: Build) -> None:
    if word := _word(build, "PN written as UN", BLIND):
        _raw(build.dataset, 0x00101005, "UN", word)


def _un_sequence(build: Build) -> None:
    if word := _word(build, "sequence hidden in UN", BLIND):
        data = word.encode() + b" " * (len(word) % 2)
        element = b"\x10\x00\x10\x00" + len(data).to_bytes(4, "little") + data
        item = b"\xfe\xff\x00\xe0" + len(element).to_bytes(4, "little") + element
        _raw_bytes(build.dataset, 0x00081120, "UN", item)


def _raw_bytes(dataset: Any, tag: int, vr: str, data: bytes) -> None:
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import Tag

    t = Tag(tag)
    dataset._dict[t] = RawDataElement(t, vr, len(data), data, 0, False, True)


def _original_attributes(build: Build) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    if build.active("OriginalAttributesSequence"):
        inner, item = Dataset(), Dataset()
        inner.PatientName = build.says("OriginalAttributesSequence", BLIND, build.people.surname()) + "^A"
        inner.PatientID = build.says("OriginalAttributesSequence", BLIND, build.people.digits(9))
        item.ModifiedAttributesSequence = Sequence([inner])
        item.ReasonForTheAttributeModification = "COERCE"
        build.dataset.OriginalAttributesSequence = Sequence([item])


def _functional_groups(build: Build) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    if build.active("functional groups"):
        content, frame = Dataset(), Dataset()
        content.FrameComments = f"seen by Dr. {build.says('functional groups', BLIND, build.people.surname())}"
        content.FrameAcquisitionDateTime = build.says("functional groups", BLIND, f"{build.people.day():%Y%m%d}") + "101500"
        frame.FrameContentSequence = Sequence([content])
        build.dataset.PerFrameFunctionalGroupsSequence = Sequence([frame])


def _uids(build: Build) -> None:
    for keyword in ("FrameOfReferenceUID", "SynchronizationFrameOfReferenceUID", "TargetFrameOfReferenceUID", "DeviceUID", "IrradiationEventUID", "ConcatenationUID",
                    "DimensionOrganizationUID", "TrackingUID", "ObservationUID", "RequestedProcedureDescription_"):  # fmt: skip
        for depth in range(2):
            if not keyword.endswith("_") and build.active(f"{keyword}@{depth}"):
                from pydicom.datadict import tag_for_keyword

                if tag_for_keyword(keyword):
                    _set(level(build, depth), keyword, "UI", build.says(f"{keyword}@{depth}", UIDS, build.people.uid()))


def _uid_text(build: Build) -> None:
    if word := _word(build, "text in a UI element", UIDS):
        _raw(build.dataset, 0x00200200, "UI", "1.2.3." + word)


def _multi_dates(build: Build) -> None:
    if build.active("multi-valued date"):
        days = [build.says("multi-valued date", DATES, f"{build.people.day():%Y%m%d}") for _ in range(3)]
        _raw(build.dataset, 0x00181200, "DA", "\\".join(days))


def _date_elsewhere(build: Build) -> None:
    for tag, vr in ((0x00081030, "LO"), (0x00181030, "LO"), (0x00200011, "IS"), (0x00201041, "DS"), (0x00180050, "DS"), (0x00200052, "UI")):
        channel = f"date in {vr} {tag:08x}"
        if build.active(channel):
            day = build.says(channel, DATES, f"{build.people.day():%Y%m%d}")
            _raw(level(build, 1), tag, vr, f"1.2.{day}" if vr == "UI" else day)


def _malformed_dates(build: Build) -> None:
    for n, form in enumerate(("%Y-%m-%d", "%d.%m.%Y", "%Y%m%d ?", "~%Y%m%d", "%m/%d/%Y", "%Y.%m.%d")):
        channel = f"malformed date {n}"
        if build.active(channel):
            day = build.people.day()
            build.plants.append(_plant(channel, DATES, f"{day:{form}}".strip("~? ")))
            _raw(level(build, 1), (0x00080024, 0x00080025, 0x00100030, 0x00400244, 0x00400250, 0x00380020)[n], "DA", f"{day:{form}}")


def _datetime_with_zone(build: Build) -> None:
    if build.active("DT with zone"):
        day = build.says("DT with zone", DATES, f"{build.people.day():%Y%m%d}")
        _set(build.dataset, "AcquisitionDateTime", "DT", day + "235959.123456-0930")


def _code_meaning(build: Build) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    if build.active("physician identification code"):
        code, item = Dataset(), Dataset()
        code.CodeValue, code.CodingSchemeDesignator = build.says("physician identification code", NESTED, build.people.digits(7)), "L"
        code.CodeMeaning = build.says("physician identification code", NESTED, build.people.surname())
        item.PersonIdentificationCodeSequence = Sequence([code])
        item.InstitutionName = build.says("physician identification code", NESTED, build.people.word())
        build.dataset.ReferringPhysicianIdentificationSequence = Sequence([item])


def _unknown_public(build: Build) -> None:
    if word := _word(build, "public tag of no dictionary", BLIND):
        _raw(build.dataset, 0x00187F7E, "LO", word)


def _curve(build: Build) -> None:
    if word := _word(build, "curve 50xx", BLIND):
        _raw(build.dataset, 0x50002500, "LO", word)
        _raw(build.dataset, 0x50003000, "OW", word + word)


def _signature(build: Build) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    if word := _word(build, "digital signature", BLIND):
        item = Dataset()
        _raw(item, 0x04000115, "OB", word)
        _raw(item, 0x04000120, "OB", word)
        build.dataset.DigitalSignaturesSequence = Sequence([item])


def _graphic_annotation(build: Build) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    if build.active("graphic annotation text"):
        own = build.people.surname()
        build.plants.append(_plant("graphic annotation text", BLIND, own))
        _alias(build, own)
        text, item = Dataset(), Dataset()
        text.UnformattedTextValue = own
        item.TextObjectSequence = Sequence([text])
        build.dataset.GraphicAnnotationSequence = Sequence([item])


def _request_attributes(build: Build) -> None:
    if build.active("requested procedure comments"):
        own = build.people.surname()
        build.plants.append(_plant("requested procedure comments", NESTED, own))
        _alias(build, own)
        level(build, 1).RequestedProcedureComments = f"CT chest {own} contrast"
        level(build, 1).ReasonForTheRequestedProcedure = f"pain, {own}"


def _modified_attributes(build: Build) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    if word := _word(build, "nonconforming attribute value", BLIND):
        item = Dataset()
        _raw(item, 0x04000552, "UN", word)
        build.dataset.NonconformingModifiedAttributesSequence = Sequence([item])


def _person_codes(build: Build) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    if word := _word(build, "operator identification", NESTED):
        item = Dataset()
        item.InstitutionAddress, item.PersonTelephoneNumbers = word, word
        build.dataset.OperatorIdentificationSequence = Sequence([item])


def _multi_names(build: Build) -> None:
    if build.active("several operators"):
        names = [build.says("several operators", DIRECT, build.people.surname()) for _ in range(4)]
        build.dataset.OperatorsName = [f"{n}^A" for n in names]


def _long_text(build: Build) -> None:
    if word := _word(build, "value longer than allowed", DIRECT):
        _raw(build.dataset, 0x00080080, "LO", "X" * 90 + word)


def _url_text(build: Build) -> None:
    if word := _word(build, "URL in a description", BLIND):
        build.dataset.SeriesDescription = f"https://pacs.example.org/{word}"


def _ae(build: Build) -> None:
    if word := _word(build, "AE in private group of file", BLIND):
        _set(build.dataset, "RetrieveAETitle", "AE", word)


def _charset(build: Build, channel: str, charset: list[str] | str, name: str) -> None:
    if build.active(channel):
        build.plants.append(_plant(channel, CHARSETS, *[p for p in name.replace("=", "^").split("^") if len(p) > 1]))
        build.dataset.SpecificCharacterSet = charset
        build.dataset.PatientName = name
        build.dataset.StudyDescription = f"CT {name.rsplit('=', maxsplit=1)[-1].split('^', maxsplit=1)[0]} chest"


def _utf8_name(build: Build) -> None:
    _charset(build, "charset ISO_IR 192", "ISO_IR 192", f"Ñ{build.people.surname()}ß^Åsa{build.people.given()}")


def _latin_name(build: Build) -> None:
    _charset(build, "charset ISO_IR 100", "ISO_IR 100", f"Ö{build.people.surname()}é^Ç{build.people.given()}")


def _greek_name(build: Build) -> None:
    _charset(build, "charset ISO_IR 126", "ISO_IR 126", "Διονυσόπουλος^Ευστάθιος")


def _cyrillic_name(build: Build) -> None:
    _charset(build, "charset ISO_IR 144", "ISO_IR 144", "Люксембургский^Всеволод")


def _hebrew_name(build: Build) -> None:
    _charset(build, "charset ISO_IR 138", "ISO_IR 138", "שרוןבוים^דבורהלה")


def _arabic_name(build: Build) -> None:
    _charset(build, "charset ISO_IR 127", "ISO_IR 127", "القباني^لنزاروف")


def _japanese_name(build: Build) -> None:
    _charset(build, "charset ISO 2022 IR 87", ["", "ISO 2022 IR 87"], "Yamadanouchi^Taroubei=山田之内^太郎兵衛=やまだのうち^たろうべえ")


def _korean_name(build: Build) -> None:
    _charset(build, "charset ISO 2022 IR 149", ["", "ISO 2022 IR 149"], "Hongbyung^Gildongae=洪炳^吉洞=홍병수^길동애")


def _chinese_name(build: Build) -> None:
    _charset(build, "charset GB18030", "GB18030", "Wangxiao^Dongming=王小东明^晓冬")


def _wrong_charset(build: Build) -> None:
    if build.active("name in another character set than declared"):
        name = f"Grö{build.people.surname()}".encode("latin-1")
        build.plants.append(_plant("name in another character set than declared", CHARSETS, name.decode("latin-1")[3:]))
        build.dataset.SpecificCharacterSet = "ISO_IR 192"
        _raw_bytes(build.dataset, 0x00100010, "PN", name + b" " * (len(name) % 2))


def _content(build: Build, value_type: str, meaning: str, code: str) -> Any:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    concept, item = Dataset(), Dataset()
    concept.CodeValue, concept.CodingSchemeDesignator, concept.CodeMeaning = code, "DCM", meaning
    item.RelationshipType, item.ValueType, item.ConceptNameCodeSequence = "CONTAINS", value_type, Sequence([concept])
    if "ContentSequence" not in build.dataset:
        build.dataset.ContentSequence = Sequence([])
    build.dataset.ContentSequence.append(item)
    return item


def _sr_name(build: Build) -> None:
    if build.active("SR PNAME"):
        _content(build, "PNAME", "Person Observer Name", "121008").PersonName = build.says("SR PNAME", SR, build.people.surname()) + "^B"


def _sr_text(build: Build) -> None:
    if build.active("SR TEXT"):
        own = build.people.surname()
        build.plants.append(_plant("SR TEXT", SR, own))
        _alias(build, own)
        _content(build, "TEXT", "Finding", "121071").TextValue = f"{own} has a nodule in the left lung"


def _sr_date(build: Build) -> None:
    if build.active("SR DATE"):
        _content(build, "DATE", "Subject Birth Date", "121031").Date = build.says("SR DATE", SR, f"{build.people.day():%Y%m%d}")


def _sr_uid(build: Build) -> None:
    if build.active("SR UIDREF"):
        _content(build, "UIDREF", "Device Observer UID", "121012").UID = build.says("SR UIDREF", SR, build.people.uid())


def _dialog_private_creator(build: Build) -> None:
    if word := _word(build, "name as private creator", PRIVATE):
        build.dataset.private_block(0x0035, word, create=True).add_new(0x01, "LO", "x")


def _retired(build: Build) -> None:
    for tag, vr in (
        (0x00324000, "LT"),
        (0x40080114, "LO"),
        (0x40080102, "LO"),
        (0x00104000, "LT"),
        (0x00080010, "SH"),
        (0x00080042, "LO"),
        (0x40000010, "LT"),
    ):
        if word := _word(build, f"retired {tag:08x}", BLIND):
            own = word.capitalize()
            _alias(build, own)
            _raw(build.dataset, tag, vr, own)


def _empty_padded(build: Build) -> None:
    if word := _word(build, "name after NULs", DIRECT):
        _raw_bytes(build.dataset, 0x00080090, "PN", b"\0" * 10 + word.encode() + b"\0" * (len(word) % 2))


def _backslash_name(build: Build) -> None:
    if build.active("caret and backslash"):
        own = build.people.surname()
        build.plants.append(_plant("caret and backslash", DIRECT, own))
        _alias(build, own)
        _raw(build.dataset, 0x00081030, "LO", f"CHEST\\{own}^X\\ROUTINE")


def _tab_text(build: Build) -> None:
    if build.active("name between control characters"):
        own = build.people.surname()
        build.plants.append(_plant("name between control characters", DIRECT, own))
        _alias(build, own)
        _raw(build.dataset, 0x00204000, "LT", f"scan\r\n\t{own}\r\nof chest")


def _context_group(build: Build) -> None:
    if word := _word(build, "text in a defined term of an item", NUMBERS):
        _set(level(build, 1), "CodingSchemeDesignator", "SH", word)


def _file_set(build: Build) -> None:
    if word := _word(build, "file-set text", BLIND):
        _raw(build.dataset, 0x00041130, "CS", word)


def _contributing(build: Build) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    if build.active("contributing equipment"):
        item = Dataset()
        item.InstitutionName = build.says("contributing equipment", NESTED, build.people.word())
        item.StationName = build.says("contributing equipment", NESTED, build.people.word())
        item.OperatorsName = build.says("contributing equipment", NESTED, build.people.surname()) + "^C"
        item.Manufacturer = "ACME"
        build.dataset.ContributingEquipmentSequence = Sequence([item])


def _acquisition_context(build: Build) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    if build.active("acquisition context"):
        item = Dataset()
        item.ValueType, item.PersonName = "PNAME", build.says("acquisition context", NESTED, build.people.surname()) + "^D"
        build.dataset.AcquisitionContextSequence = Sequence([item])


def _series_text_id(build: Build) -> None:
    if build.active("patient id in a series description"):
        own = build.says("patient id in a series description", DIRECT, build.people.digits(8))
        build.dataset.OtherPatientIDs = own
        build.dataset.SeriesDescription = f"T1 AX {own[:4]}-{own[4:]}"


def _station_in_text(build: Build) -> None:
    if word := _word(build, "station name in a protocol name", DIRECT):
        build.dataset.StationName = word
        build.dataset.ProtocolName = f"ABDOMEN {word}"


def _time_zone(build: Build) -> None:
    if word := _word(build, "text in a time", DATES):
        _raw(build.dataset, 0x00080031, "TM", word)


def _command_group(build: Build) -> None:
    if word := _word(build, "group 0006", BLIND):
        _raw(build.dataset, 0x00060010, "LO", word)
