"""What the scan must not mind: words of the trade, numbers of the trade, dates that were moved, codecs' own comments."""

from __future__ import annotations

import pytest
from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO

from tasks.scan.container import _is_encoder_name
from tasks.scan.dates import spelled_dates
from tasks.scan.direct import direct_identifiers
from tasks.scan.domains import strays
from tasks.scan.fuzzy import near_misses, within_one_slip
from tasks.scan.identity import SourceIdentity
from tasks.scan.needles import spellings
from tasks.scan.patterns import shapes
from tasks.scan.search import automaton
from tasks.scan.vocabulary import is_placeholder
from tasks.scan.walk import Walk, walk


def kinds_in(text: str) -> set[str]:
    return {shape.kind for shape in shapes(text)}


@pytest.mark.parametrize(
    "text",
    [
        "Head^Brain",
        "Clinical^Neuro^Routine",
        "CT THORAX W/O 5.0 B31f",
        "T2 20140",
        "7F sheath",
        "Parkinson protocol",
        "ep2d_diff_mddw_30_p2",
        "1.2.3.4",
        "Hodgkin FU",
        "May 2 mm",
        "Foley in situ",
        "DLP 412.5 mGy*cm",
        "TR 2000 TE 30",
        "ISO 9001",
        "V1.2.3 build 20",
        "3-5 mm",
        "12-345",
        "0.625 mm 512x512",
        "http://www.nema.org/x",
        "Dr head coil",
        "AX T1 +C",
        "120/80",
        "5/8 phases",
        "CTA Chest (PE) 1.0 I30f 3",
        "LOCALIZER 3-PL",
        "kVp 120 mAs 200-400",
    ],
)
def test_descriptions_of_the_trade_have_no_shape_of_phi(text: str) -> None:
    assert kinds_in(text) == set()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("call 555-867-5309", "phone"),
        ("+49 30 1234 567", "phone"),
        ("mail x.y@clinic.example.org", "email"),
        ("see https://pacs.example.com/1", "url"),
        ("\\\\fileserver\\share$ export", "url"),
        ("SSN 219-09-9999", "national_id"),
        ("943 476 5919", "national_id"),
        ("host 10.1.2.3", "ip_address"),
        ("00:1B:44:11:3A:B7", "mac_address"),
        ("MRN 4471823", "identifier"),
        ("Dr. Okonkwo", "person_name"),
        ("read by Halvorsen", "person_name"),
        ("Okonkwo^Ada", "person_name"),
        ("12 Elm Tree Road", "address"),
        ("48.85837, 2.29448 E", "gps"),
        ("prior of 2019-03-05", "date"),
        ("3. March 2019", "date"),
    ],
)
def test_shapes_of_phi_are_seen(text: str, kind: str) -> None:
    assert kind in kinds_in(text)


def test_a_patient_called_head_does_not_hold_every_description() -> None:
    machine = automaton(SourceIdentity(frozenset({("patient_name", "Head^Long"), ("patient_id", "12")})))
    spelled = set(machine.keys()) if machine else set()
    assert not spelled & {"head", "long", "12"}


def test_make_and_model_are_nobodys_name() -> None:
    identity = SourceIdentity(
        frozenset({("station", "aquilion-77"), ("person_name", "Aquilion^Service")}), technical=frozenset({"aquilion-77", "aquilion"})
    )
    assert "aquilion-77" not in {n.spelling for n in spellings(identity)}
    assert "aquilion" not in {n.spelling for n in spellings(identity)}


def test_every_day_has_its_spellings() -> None:
    spelled = set(spelled_dates("20190305"))
    assert {
        "20190305",
        "2019-03-05",
        "05.03.2019",
        "03/05/2019",
        "5/3/2019",
        "5 mar 2019",
        "march 5, 2019",
        "05-mar-2019",
        "05mar2019",
    } <= spelled
    assert len(spelled) >= 17


@pytest.mark.parametrize(
    ("first", "second", "near"),
    [
        ("meier", "meier", True),
        ("meier", "meyer", True),
        ("meier", "miere", False),
        ("meier", "meire", True),
        ("meier", "meiers", True),
        ("meier", "eier", True),
        ("meier", "maler", False),
        ("7712345", "7712354", True),
        ("abc", "abcde", False),
    ],
)
def test_one_slip(first: str, second: str, near: bool) -> None:
    assert within_one_slip(first, second) is near
    assert within_one_slip(second, first) is near


def test_near_misses_leave_words_of_the_trade_alone() -> None:
    identity = SourceIdentity(frozenset({("patient_name", "Cheston^Brainard")}))
    assert near_misses("CHEST AND BRAIN", identity) == set()
    assert near_misses("chestom", identity) == {"patient_name"}


@pytest.mark.parametrize(
    ("tag", "vr", "raw", "minds"),
    [
        (0x00200013, "IS", b"12", False),
        (0x00200013, "IS", b"12 Meier", True),
        (0x00180050, "DS", b"1.25\\-3e-2", False),
        (0x00180050, "DS", b"1,25", True),
        (0x00080020, "DA", b"20190305", False),
        (0x00080020, "DA", b"20191305", True),
        (0x00080030, "TM", b"093015.5", False),
        (0x00080030, "TM", b"Meier", True),
        (0x00101010, "AS", b"045Y", False),
        (0x00101010, "AS", b"090Y", False),
        (0x00101010, "AS", b"091Y", True),
        (0x00100040, "CS", b"M ", False),
        (0x00100040, "CS", b"MARIA", True),
        (0x0020000D, "UI", b"1.2.3\0", False),
        (0x0020000D, "UI", b"1.2.x", True),
        (0x00280010, "LO", b"Meier", True),
        (0x00280010, "US", b"\x10\x00", False),
        (0x00180050, "DS", b"", False),
        (0x30060050, "DS", b"\\".join([b"1.5"] * 900), False),
        (0x30060050, "DS", b"\\".join([b"1.5"] * 900) + b"\\Meier", True),
    ],
)
def test_values_stay_in_their_domain(tag: int, vr: str, raw: bytes, minds: bool) -> None:
    assert bool(strays(tag, vr, raw)) is minds


@pytest.mark.parametrize(
    ("comment", "harmless"),
    [
        (b"Created by OpenJPEG version 2.5", True),
        (b"Created by GDCM/OpenJPEG version 2.0.0", True),
        (b"Created by Dr. Meier", False),
        (b"MEIER^ANNA", False),
    ],
)
def test_a_codec_may_sign_its_work(comment: bytes, harmless: bool) -> None:
    assert _is_encoder_name(comment) is harmless


@pytest.mark.parametrize(
    ("value", "placeholder"), [("UNKNOWN", True), ("^^^^", True), ("0000", True), ("Deidentified^Patient", True), ("Doe^Jane", False)]
)
def test_placeholders_stand_for_nobody(value: str, placeholder: bool) -> None:
    assert is_placeholder(value) is placeholder


@pytest.mark.parametrize(
    ("keyword", "value", "minded"),
    [
        ("AccessionNumber", "3fa94c0ed1b277aa", False),
        ("AccessionNumber", "19000101", False),
        ("AccessionNumber", "Q-55120", True),
        ("OtherPatientIDs", "QX118", True),
        ("PatientBirthTime", "0715", True),
    ],
)
def test_a_pseudonym_may_stand_where_a_record_stood(keyword: str, value: str, minded: bool) -> None:
    dataset = Dataset()
    setattr(dataset, keyword, value)
    assert bool(list(direct_identifiers(_walked(dataset)))) is minded


@pytest.mark.parametrize(("other", "minded"), [("SPGMOBCGCSEHO4YD", False), ("SPABMOBCGCSEHO4YDH", False), ("", False), ("Q8812334", True)])
def test_an_id_in_an_item_is_the_patients_pseudonym_or_another_one(other: str, minded: bool) -> None:
    dataset, item = Dataset(), Dataset()
    dataset.PatientID, item.PatientID = "SPGMOBCGCSEHO4YD", other
    dataset.ReferencedPatientSequence = [item]
    assert bool(list(direct_identifiers(_walked(dataset)))) is minded


@pytest.mark.parametrize(("code", "minded"), [("113110", False), ("113107", True)])
def test_a_day_in_a_uid_is_minded_unless_uids_are_declared_as_retained(code: str, minded: bool) -> None:
    dataset, method = Dataset(), Dataset()
    method.CodeValue = code
    dataset.DeidentificationMethodCodeSequence = [method]
    dataset.FrameOfReferenceUID = "1.2.826.0.1.20240213.7"
    assert bool(list(direct_identifiers(_walked(dataset)))) is minded


def _walked(dataset: Dataset) -> Walk:
    buffer = DicomBytesIO()
    dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True)
    return walk(buffer.getvalue())
