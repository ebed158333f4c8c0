"""Pseudonyms and shifts for all inputs: injective, stable, keyed; intervals exact; what was de-identified stays as it is."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.deidentify import dates
from tasks.deidentify.pseudonyms import MAX_SHIFT_DAYS, MIN_SHIFT_DAYS, Pseudonyms, patient_key
from tasks.secret import Secret

IDS = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=64)
DAYS = st.dates(date(1950, 1, 1), date(2100, 1, 1))
ONE, OTHER = Secret(b"1" * 32), Secret(b"2" * 32)


@given(st.sets(st.tuples(IDS, IDS), min_size=2, max_size=20))
def test_patients_that_differ_have_pseudonyms_that_differ(patients: set[tuple[str, str]]) -> None:
    keys = {patient_key(*patient) for patient in patients}
    assert len(keys) == len({Pseudonyms(ONE, "d").patient_id(key) for key in keys})


@given(IDS, IDS)
def test_a_pseudonym_depends_on_secret_and_dataset_and_nothing_else(issuer: str, patient: str) -> None:
    key = patient_key(issuer, patient)
    known = Pseudonyms(ONE, "d").patient_id(key)
    assert known == Pseudonyms(ONE, "d").patient_id(key)
    assert known not in (Pseudonyms(OTHER, "d").patient_id(key), Pseudonyms(ONE, "e").patient_id(key))
    assert len(known) <= 64


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=8))
def test_a_uid_becomes_a_valid_uid_of_at_most_44_characters(parts: list[int]) -> None:
    uid = "1.2." + ".".join(map(str, parts))
    released = Pseudonyms(ONE, "d").uid(uid)
    assert released.startswith("2.25.")
    assert len(released) <= 44
    assert released != Pseudonyms(OTHER, "d").uid(uid)


def test_the_standards_uids_stay_and_numbers_under_its_root_do_not() -> None:
    names = Pseudonyms(ONE, "d")
    assert names.uid("1.2.840.10008.5.1.4.1.1.2") == "1.2.840.10008.5.1.4.1.1.2"
    assert names.uid("1.2.840.10008.19500203.7") != "1.2.840.10008.19500203.7"


@given(IDS)
def test_an_offset_is_never_zero_and_never_into_the_future(patient: str) -> None:
    assert -MAX_SHIFT_DAYS <= Pseudonyms(ONE, "d").shift_days(("", patient)) <= -MIN_SHIFT_DAYS


@settings(max_examples=200)
@given(DAYS, DAYS, st.integers(-MAX_SHIFT_DAYS, -MIN_SHIFT_DAYS))
def test_intervals_are_exact(first: date, second: date, days: int) -> None:
    moved = [dates.shifted("DA", f"{d:%Y%m%d}", days, frozenset()) for d in (first, second)]
    assert all(moved)
    a, b = (dates.day(str(m)) for m in moved)
    assert a is not None
    assert b is not None
    assert second - first == b - a
    assert timedelta(days) == a - first


@pytest.mark.slow
@given(st.text(max_size=30))
def test_what_is_no_date_never_comes_through(text: str) -> None:
    moved = dates.shifted("DA", text, -40)
    assert moved is None or dates.day(moved) is not None


def test_merged_ids_are_one_patient_whatever_the_order() -> None:
    names = Pseudonyms(ONE, "d", {("H", "2"): ("H", "1"), ("H", "3"): ("H", "2")})
    assert len({names.resolved("H", number) for number in "123"}) == 1
    circle = Pseudonyms(ONE, "d", {("", "1"): ("", "2"), ("", "2"): ("", "1")})
    assert len({circle.resolved("", number) for number in "12"}) == 1
