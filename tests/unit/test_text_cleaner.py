"""Free text: the patient goes, the residue stays byte for byte."""

from __future__ import annotations

import pytest

from tasks.deidentify.identity import PatientIdentifiers
from tasks.deidentify.text import TextCleaner

PATIENT = PatientIdentifiers(
    patient_names=frozenset({"Müller-Lüdenscheidt^Anna Katharina"}),
    other_names=frozenset({"Okonkwo^Chidi^^Dr"}),
    ids=frozenset({"00704177", "RJN78893652"}),
    birth_dates=frozenset({"19620110"}),
    dates=frozenset({"20140131"}),
    places=frozenset({"SGH SPRINGFIELD GENERAL HOSPITAL"}),
    contacts=frozenset({"209-319-8430x161"}),
    devices=frozenset({"SGHCT01A"}),
)


@pytest.fixture(scope="module")
def cleaner() -> TextCleaner:
    return TextCleaner(PATIENT, -17, "shift")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Mueller-Luedenscheidt, Anna K. 704-177 seen 31.01.2014", ",   seen 14.01.2014"),
        ("A. Muller had scan 3 March 2013 and 2013-03-03", " had scan 14 February 2013 and 2013-02-14"),
        ("Monday, 3 March 2014 at 10:32", "Friday, 14 February 2014 at 10:32"),
        ("MULLER^ANNA CHEST CT 20140131", " CHEST CT 20140114"),
        ("Dr. Smith reviewed; discussed with Dr Jane Doe at 617-555-1234", "Dr.  reviewed; discussed with Dr  at "),
        ("DOB 10.01.1962, 92 y/o male", "DOB , 90 y/o male"),
        ("Befund Herr Schmidt, geb. 10.01.1962, Klinikum Großhadern", "Befund Herr , geb. , Klinikum "),
    ],
)
def test_the_patient_goes_and_the_rest_stays(cleaner: TextCleaner, before: str, after: str) -> None:
    assert cleaner.clean(before, "StudyDescription").text == after


@pytest.mark.parametrize(
    "value",
    [
        "CT chest w/o contrast",
        "Parkinson disease, r/o Hodgkin lymphoma, Foley catheter in place", "Chiari I malformation, Hill-Sachs lesion",
        "Baker cyst, Graves disease, Wells score", "hip may be fractured; T2 20140; 7F sheath", "t2_tse_sag_p4_DRB", "*sSSH/FB/4mm SENSE",
        "MRT oberes Abdomen", "Lossless JPEG compression, selection value 1, point transform 0, compression ratio 1.9974",
    ],
)  # fmt: skip
def test_clinical_text_is_left_alone(cleaner: TextCleaner, value: str) -> None:
    cleaned = cleaner.clean(value, "StudyDescription")
    assert (cleaned.text, cleaned.changed, cleaned.kinds) == (value, False, ())


def test_a_repr_shows_no_value(cleaner: TextCleaner) -> None:
    assert "Anna" not in repr(PATIENT) + repr(cleaner.clean("Anna", "PatientComments")) + repr(cleaner)


@pytest.mark.slow
def test_time_grows_with_length_alone(cleaner: TextCleaner) -> None:
    import time

    started = time.process_time()
    for stretch in ("1", " ", "1-", "a", "ab12", "Smith^John^", "tech:\n", "Dr. ", "12 rue de la "):
        cleaner.clean((stretch * 200_000)[:200_000], "TextValue")
    assert time.process_time() - started < 60


def test_a_long_report_is_cleaned_in_every_part(cleaner: TextCleaner) -> None:
    report = "No nodule in the left lung.\n" * 300 + "Seen by Dr. Quimblethwaite. MULLER ANNA.\n" + "Liver normal. " * 300
    left = cleaner.clean(report, "TextValue").text
    assert left == report.replace("Quimblethwaite", "").replace("MULLER ANNA", " ")


def test_a_line_too_long_to_examine_is_not_kept(cleaner: TextCleaner) -> None:
    assert cleaner.clean("x" * 9000, "TextValue").text == ""
