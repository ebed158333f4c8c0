# ruff: noqa: E501 - a row of the table is one promise
"""Dates in text: found in the forms in which people write them, shifted in the same form, or gone."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.deidentify.identity import PatientIdentifiers
from tasks.deidentify.text import TextCleaner

KNOWN = PatientIdentifiers(dates=frozenset({"20190312"}), birth_dates=frozenset({"19500605"}))
SHIFT = -40
cleaner = TextCleaner(KNOWN, SHIFT, "shift")

FORMS = [
    ("seen 20140313 ok", "seen 20140201 ok"),
    ("2014-03-13", "2014-02-01"),
    ("2014/03/13", "2014/02/01"),
    ("2014.03.13", "2014.02.01"),
    ("13.03.2014", "01.02.2014"),
    ("13/03/2014", "01/02/2014"),
    ("03/13/2014", "02/01/2014"),
    ("3/13/14", "2/1/14"),
    ("13-MAR-2014", "01-FEB-2014"),
    ("13MAR2014", "01FEB2014"),
    ("13 Mar 2014", "1 Feb 2014"),
    ("March 13, 2014", "February 1, 2014"),
    ("March 13th, 2014", "February 1st, 2014"),
    ("the 13th of March 2014", "the 1st of February 2014"),
    ("13. März 2014", "1. Februar 2014"),
    ("1er mars 2014", "20 janvier 2014"),
    ("13 de marzo de 2014", "1 de febrero de 2014"),
    ("13 de março de 2014", "1 de fevereiro de 2014"),
    ("13 maart 2014", "1 februari 2014"),
    ("13 марта 2014", "1 февраля 2014"),
    ("2014年3月13日", "2014年2月1日"),
    ("2014년 3월 13일", "2014년 2월 1일"),
    ("２０１４年０３月１３日", "２０１４年０２月０１日"),
    ("٢٠١٤/٠٣/١٣", "٢٠١٤/٠٢/٠١"),
    ("13.III.2014", "01.II.2014"),
    ("Thursday, March 13, 2014 at 10:32", "Saturday, February 1, 2014 at 10:32"),
    ("Donnerstag, den 13.03.2014", "Samstag, den 01.02.2014"),
    ("20140313101530", "20140201101530"),
    ("2014-03-13T10:15:30Z", "2014-02-01T10:15:30Z"),
    ("Mar 2014", "Feb 2014"),
    ("03/2014", "02/2014"),
    ("2014-03", "2014-02"),
    ("on 3/13", "on 2/1"),
    ("am 13.3. gesehen", "am 1.2. gesehen"),
    ("10/2014-12/2014", "09/2014-11/2014"),
    ("Sept 3rd, 2014", "Jul 25th, 2014"),
    ("02May13", "23Mar13"),
]


@pytest.mark.parametrize(("before", "after"), FORMS)
def test_a_date_is_shifted_in_its_own_form(before: str, after: str) -> None:
    assert cleaner.clean(before, "ImageComments").text == after


@pytest.mark.parametrize("text", [before for before, _ in FORMS if "3/13" not in before])
def test_without_an_offset_the_date_goes(text: str) -> None:
    left = TextCleaner(KNOWN, None, "shift").clean(text, "ImageComments").text
    assert not any(c.isdigit() for c in left.replace("10:32", "").replace("10:15:30", "").replace("101530", ""))


@pytest.mark.parametrize("text", ["31.02.2014", "2014-13-45", "week 12 2014", "Q1 2014", "平成26年3月13日", "1435/03/29"])
def test_what_cannot_be_shifted_goes(text: str) -> None:
    assert cleaner.clean(text, "ImageComments").text == ""


@pytest.mark.parametrize(
    "text",
    [
        "hip may 5 be", "SEP 12", "MAR 2", "grade 2/3", "5/5mm", "L4/5 and C5/6", "BP 120/80", "T2 20140 ms", "since 2014", "version 1.2.14", "at 10:32:45",
        "April showers", "3/4 vessel disease", "1900-01-01", "v 10.6.1.0",
    ],
)  # fmt: skip
def test_what_is_no_date_stays(text: str) -> None:
    assert cleaner.clean(text, "ImageComments").text == text


@pytest.mark.parametrize("action", ["keep", "shift", "remove"])
@pytest.mark.parametrize("text", ["05/06/1950", "June 5, 1950", "DOB: 6/5/50", "geb. 05.06.1950", "date of birth 7 July 1961"])
def test_birth_dates_always_go(action: str, text: str) -> None:
    left = TextCleaner(KNOWN, SHIFT, action).clean(text, "ImageComments").text  # type: ignore[arg-type]
    assert not any(c.isdigit() for c in left)


def test_kept_dates_are_kept_to_the_letter() -> None:
    text = "seen 20140313 and 13.03.2014, 20140313101530"
    assert TextCleaner(KNOWN, None, "keep").clean(text, "ImageComments").text == text


def test_constants_are_not_shifted() -> None:
    """PRIVACY: a shifted public constant gives the offset away."""
    assert cleaner.clean("epoch 1970-01-01 and 1858-11-17", "ImageComments").text == "epoch 1970-01-01 and 1858-11-17"


def test_dates_of_software_are_not_shifted() -> None:
    """PRIVACY: the build date of a known version is public; shifted it would give the offset away."""
    assert cleaner.clean("DICOMLib 2.0 [2014/03/13]", "SoftwareVersions").text == "DICOMLib 2.0 []"


@given(
    st.dates(date(1990, 1, 1), date(2018, 12, 31)),
    st.integers(-20000, 20000).filter(bool),
    st.sampled_from(["%Y%m%d", "%Y-%m-%d", "%d.%m.%Y", "%d-%b-%Y", "%B %d, %Y"]),
)
def test_every_form_moves_by_the_same_offset(day: date, shift: int, form: str) -> None:
    moved = day + timedelta(days=shift)
    if 1900 <= moved.year <= 2099:
        left = TextCleaner(PatientIdentifiers(), shift, "shift").clean(f"scan {day:{form}} done", "ImageComments").text
        expected = {f"scan {moved:{form}} done", f"scan {moved:{form}} done".replace(f" {moved:%d},", f" {moved.day},")}
        assert left in expected
