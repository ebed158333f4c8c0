# ruff: noqa: E501 - a row of the table is one promise
"""Names in text: the patient's own in all spellings, other people's when something gives them away; eponyms stay."""

from __future__ import annotations

import pytest

from tasks.deidentify.identity import PatientIdentifiers
from tasks.deidentify.text import TextCleaner

SPELLINGS = [
    ("Smith^John", ["Smith, John", "John Smith", "SMITH JOHN", "SMITH^JOHN", "J. Smith", "Smith, J.", "Mr. Smith", "john.smith", "jsmith", "smithj", "JohnSmith", "Smith_John",
                    "Smith-John", "Sm1th", "Smyth John", "john smith"]),
    ("Müller-Lüdenscheidt^Jürgen", ["Mueller-Luedenscheidt", "MULLER LUDENSCHEIDT", "Jürgen Müller", "Juergen Mueller", "Müller‐Lüdenscheidt"]),
    ("O'Brien^Sean", ["O'Brien", "OBrien", "O’Brien", "OBRIEN SEAN", "sobrien"]),
    ("Vandekerckhove^Wouter", ["Vandekerkhove", "Vandekerckhov", "Vandekerckhove's", "VANDEKERCKHOVE"]),
    ("山田^太郎", ["山田太郎", "山田 太郎", "山田さん", "太郎"]),
    ("王^小东", ["王小东", "王先生", "小东"]),
    ("홍^길동", ["홍길동", "길동"]),
    ("Люксембургский^Всеволод", ["Люксембургский", "ЛЮКСЕМБУРГСКИЙ", "Всеволода", "Lyuksemburgskii"]),
    ("Διονυσόπουλος^Ευστάθιος", ["Διονυσόπουλος", "ΔΙΟΝΥΣΟΠΟΥΛΟΣ"]),
    ("القباني^لنزار", ["القباني", "لنزار"]),
    ("שרון^דבורה", ["שרון", "דבורה"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "written"), [(name, written) for name, forms in SPELLINGS for written in forms])
def test_the_patients_own_name_goes_in_every_spelling(name: str, written: str) -> None:
    cleaner = TextCleaner(PatientIdentifiers(patient_names=frozenset({name})), None, "remove")
    left = cleaner.clean(f"CT chest of {written} : no nodule", "PatientComments").text
    assert (
        "".join(c for c in left if c.isalpha() and c not in "'’").replace("Mr", "").replace("さん", "").replace("ofs", "of")
        == "CTchestofnonodule"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("May^Theresa", "findings may represent scar, follow-up in May"),
        ("Hip^Anna", "left hip pain, pelvis and hip AP"),
        ("Head^Anthony", "CT head without contrast"),
        ("Parkinson^Michael", "known Parkinson disease, Parkinson's"),
        ("Baker^Tom", "Baker cyst of the left knee"),
        ("Young^Grace", "young adult with knee pain"),
        ("Foot^Philippa", "MR FOOT LEFT"),
    ],
)
def test_words_stay_words_whatever_the_patient_is_called(name: str, value: str) -> None:
    assert TextCleaner(PatientIdentifiers(patient_names=frozenset({name})), None, "remove").clean(value, "StudyDescription").text == value


cleaner = TextCleaner(PatientIdentifiers(), None, "remove")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("seen by Dr. Quimblethwaite today", "seen by Dr.  today"),
        ("Dr. med. Tauvksen bittet um MRT", "Dr. med.  bittet um MRT"),
        ("Technologist: Brandovich, positioning difficult", "Technologist: , positioning difficult"),
        ("tech: JKD", "tech: "),
        ("Read by Zogglethwaite MD, no fracture", "Read by  MD, no fracture"),
        ("electronically signed by: Mauthail, Laugrala", "electronically signed by: "),
        ("mother (Stestei Beivuchi) gave consent", "mother () gave consent"),
        ("called to K. Brandovich RN at 09:15", "called to  RN at 09:15"),
        ("Maria Lindqvist returned for delayed images", " returned for delayed images"),
        ("Vu par le Dr Dubreuilh, pas de fracture", "Vu par le Dr , pas de fracture"),
        ("DR CHEST 2 VIEWS", "DR CHEST 2 VIEWS"),
        ("MR BRAIN W/WO", "MR BRAIN W/WO"),
    ],
)
def test_announced_people_go(before: str, after: str) -> None:
    assert cleaner.clean(before, "PatientComments").text == after


def test_unannounced_names_go_from_prose() -> None:
    assert (
        cleaner.clean("results and images were given to Kowaldrich after the scan", "PatientComments").text
        == "results and images were given to  after the scan"
    )


@pytest.mark.parametrize(
    "value",
    [
        "Parkinson disease, Hodgkin lymphoma, Foley catheter", "Hill-Sachs and Bankart", "May-Thurner syndrome", "Salter-Harris II", "Le Fort I", "Whipple 2 weeks ago",
        "Wells score 4.5", "Crohn disease, Graves ophthalmopathy", "Xyrthon sign positive", "Port-A-Cath tip", "TIRADS 4, BI-RADS 2", "MeVisLab segmentation",
    ],
)  # fmt: skip
def test_eponyms_and_terms_stay(value: str) -> None:
    assert cleaner.clean(value, "PatientComments").text == value


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Transferred from Brandovich General Hospital with hematoma", "Transferred from  General Hospital with hematoma"),
        ("Klinikum Großhadern, Befund folgt", "Klinikum , Befund folgt"),
        ("vue à l'Hôpital Lariboisière", "vue à l'Hôpital "),
        ("lives at 319 Brandovich Ave", "lives at "),
        ("call 617-555-0123 with results", "call  with results"),
        ("mail to j.doe@example.org please", "mail to  please"),
        ("MRN: 12345 chest", "MRN:  chest"),
        ("host 10.1.2.3 and https://pacs.example.org/x", "host  and "),
        ("94 y/o male, age 93", "90 y/o male, age 90"),
        ("740 MBq Tc-99m MDP, SUVmax 8.4. Deauville 4", "740 MBq Tc-99m MDP, SUVmax 8.4. Deauville 4"),
        ("94F fell, 91 yo M", "90F fell, 90 yo M"),
        ("SSN 123-45-6789 on file", "SSN  on file"),
        ("outpatient clinic visit, stroke unit", "outpatient clinic visit, stroke unit"),
        ("7F sheath, T2 20140, 120 kV, 1.5 mm, 10/12 fractions", "7F sheath, T2 20140, 120 kV, 1.5 mm, 10/12 fractions"),
    ],
)
def test_contacts_places_and_numbers(before: str, after: str) -> None:
    assert cleaner.clean(before, "PatientComments").text == after


def test_ids_of_the_headers_go_with_other_zeros_and_separators() -> None:
    own = TextCleaner(PatientIdentifiers(ids=frozenset({"00704177", "RJN-7889-3652"}), devices=frozenset({"CT99XYZ1"})), None, "remove")
    assert own.clean("id 704177, 000704177, 704-177 and RJN78893652 on CT99XYZ1", "StudyDescription").text.replace(" ", "") == "id,,andon"


def test_strict_removes_what_nobody_knows() -> None:
    strict = TextCleaner(PatientIdentifiers(), None, "remove", "remove")
    assert strict.clean("CT chest blorptang 123456 with contrast 1.5 mm", "StudyDescription").text == "CT chest   with contrast 1.5 mm"


@pytest.mark.parametrize("word", ["qdenucukoma", "zvagitis", "kwrosis", "brxelung"])
def test_an_ending_alone_makes_no_clinical_word(word: str) -> None:
    from tasks.deidentify.text.vocabulary import is_clinical

    assert not is_clinical(word)


# Each row is one mechanism; the names are invented or rare, so that no list decides.
GIVEN_AWAY = [
    ("rejected by kowaldr, rotation", "rejected by , rotation"),
    ("line started by tembisa okwuosa RN", "line started by   RN"),
    ("JQ 14:22 repeated lateral", " 14:22 repeated lateral"),
    ("no change per VQJ", "no change per "),
    ("confirmed by HB at noon", "confirmed by  at noon"),
    ("performed by CT", "performed by CT"),
    ("verified by MRI", "verified by MRI"),
    ("Fermi wants thin slices", " wants thin slices"),
    ("Fermi filter 0.5", "Fermi filter 0.5"),
    ("Ordered: TREBLINSKI,OKAWE B", "Ordered: "),
    ("paciente Trebl Dallaram, sospecha", "paciente , sospecha"),
    ("welder at Treblin PLC", "welder at  PLC"),
    ("lives in San Treblino, cough", "lives in , cough"),
    ("teacher at Treblinski High School", "teacher at  High School"),
    ("GP SURGERY 4 WEEKS AGO", "GP SURGERY 4 WEEKS AGO"),
    ("bleep 5642 if positive", "bleep  if positive"),
    ("Aadhaar 7189 1685 3417 USG", "Aadhaar  USG"),
    ("kovacsbr22 locked the study", " locked the study"),
    ("sent from ws-radio7", "sent from "),
    ("image 0012, series 3", "image 0012, series 3"),
    ("9489 Trebl Streets Apt. 064", ""),
    ("12 Lead ECG", "12 Lead ECG"),
    ("Ms. X is 102 and frail", "Ms. X is 90 and frail"),
    ("iDose4 level 3, 80/Sn140 kV", "iDose4 level 3, 80/Sn140 kV"),
    ("Sister Mary Joseph nodule", "Sister Mary Joseph nodule"),
    ("Bland-Altman plot, Trebl-Okawe clinic", "Bland-Altman plot,  clinic"),
]


@pytest.mark.parametrize(("before", "after"), GIVEN_AWAY)
def test_what_gives_a_person_away(before: str, after: str) -> None:
    assert cleaner.clean(before, "PatientComments").text == after


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("Burns^Ann", "ROOM 4112B BURNS CHEST PORTABLE", "ROOM 4112B  CHEST PORTABLE"),
        ("Short^Ann", "28111989SHORT", ""),
        ("Long^Jack", "jack complained of tingling", " complained of tingling"),
        ("Hope^Ann", "Hope came back for delayed images", " came back for delayed images"),
        ("Klausen-Johnson^Ann", "Klausen-Johnson shoulder arthrogram", "- shoulder arthrogram"),
        ("Lê^Ann", "Lê shoulder arthrogram", " shoulder arthrogram"),
        ("Young^Ann", "Young adult, long bones", "Young adult, long bones"),
        ("Treblin^Karla", "KarlaTreblin1988 dental", " dental"),
    ],
)
def test_a_patients_name_that_is_a_word_goes_where_it_is_a_name(name: str, before: str, after: str) -> None:
    own = TextCleaner(PatientIdentifiers(patient_names=frozenset({name}), birth_dates=frozenset({"19891128"})), None, "remove")
    assert own.clean(before, "StudyDescription").text == after
