"""Who is one patient: issuer and id, however padded and composed; not the name, not the spelling of the id's letters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.model import Instance
from tests.spec.made import ct_bytes, deidentified, element

ISSUER, ID, NAME = 0x00100021, 0x00100020, 0x00100010


def pseudonyms(folder: Path, *patients: tuple[str, str]) -> list[str]:
    """Return the released ids of one study with an object per (issuer, id), in that order."""
    contents = [
        ct_bytes(element(ISSUER, "LO", issuer), element(ID, "LO", patient), sop_uid=f"1.2.3.4.{number}")
        for number, (issuer, patient) in enumerate(patients)
    ]
    done = [d for d in deidentified(folder, *contents) if isinstance(d, Instance)]
    assert len(done) == len(patients)
    by_file = {Path(d.source.path).name: str(d.dataset.PatientID) for d in done}
    return [by_file[f"f{number}"] for number in range(len(patients))]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("H1", "0042"), ("H1", "0042 "), True),
        (("H1 ", "0042"), ("H1", "0042"), True),
        (("", "Mu\u0308ller7"), ("", "M\u00fcller7"), True),  # two ways to compose one character
        (("H1", "0042"), ("", "0042"), True),  # the issuer left out in one object of a study that names it
        (("H1", "0042"), ("H2", "0042"), False),  # two hospitals count alike
        (("H1", "0042"), ("H1", "42"), False),  # a zero may be a digit: merged ids are the alias file's business
        (("H1", "ab42"), ("H1", "AB42"), False),
    ],
)
def test_who_is_the_same_patient(one: tuple[str, str], other: tuple[str, str], same: bool, tmp_path: Path) -> None:
    utf8 = element(0x00080005, "CS", "ISO_IR 192")
    contents = [
        ct_bytes(utf8, element(ISSUER, "LO", issuer), element(ID, "LO", patient), sop_uid=f"1.2.3.4.{number}")
        for number, (issuer, patient) in enumerate((one, other))
    ]
    first, second = (str(d.dataset.PatientID) for d in deidentified(tmp_path, *contents) if isinstance(d, Instance))
    assert (first == second) is same


def test_an_issuer_left_out_is_nobodys_when_the_study_names_two(tmp_path: Path) -> None:
    assert len(set(pseudonyms(tmp_path, ("H1", "0042"), ("H2", "0042"), ("", "0042")))) == 3


def test_a_typo_in_the_name_makes_no_second_patient(tmp_path: Path) -> None:
    contents = [ct_bytes(element(NAME, "PN", name), sop_uid=f"1.2.3.4.{n}") for n, name in enumerate(("Vantreight^Ossian", "Vantreigth^O"))]
    assert len({str(d.dataset.PatientID) for d in deidentified(tmp_path, *contents) if isinstance(d, Instance)}) == 1
