"""What else a value may say: packed, spelled apart, as a number, as a digest. And what plain values must not be taken for."""

from __future__ import annotations

import struct
import time
import zlib
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.prove.specimens import make_specimens
from tasks.scan.derived import telling_parts
from tasks.scan.disguises import readings
from tasks.scan.fuzzy import near_misses
from tasks.scan.identity import SourceIdentity
from tasks.scan.needles import name_parts, transliterated
from tasks.scan.numerals import numbers_in
from tasks.secret import Secret
from tests.unit.scan_objects import POLICY, changed, findings_of, is_held

WHO = SourceIdentity(
    frozenset({("patient_name", "Quistgaard^Anneliese"), ("patient_id", "07341188"), ("birth_date", "19500228")}),
    uids=frozenset({"1.2.840.99999.7.12345.1"}),
    dates=frozenset({"20240213", "19500228"}),
    study_dates=frozenset({"20240213"}),
)
NO_SHIFT = timedelta(days=-700)


def test_the_identity_knows_the_study_date_and_the_birthday(tmp_path: Path) -> None:
    """Without the study date no offset is known, and no released date is compared with it."""
    specimen = next(make_specimens(1, tmp_path, POLICY, Secret(bytes(range(32)))))
    assert specimen.identity.study_dates == {specimen.patient.study_date}
    assert ("birth_date", specimen.patient.birth_date) in specimen.identity.values


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        (b"Q U I S T G A A R D 3mm", b"QUISTGAARD 3mm"),
        (b"0734-1188", b"07341188"),
        (b"draagtsiuQ", b"Quistgaard"),
        (b"Dhvfgtnneq", b"Quistgaard"),
        (b"&#81;&#117;ist", b"Quist"),
        (b"\\u0051uist", b"Quist"),
        (b"51 75 69 73 74", b"Quist"),
        (b"UXVpc3RnYWFyZA", b"Quistgaard"),
    ],
)
def test_a_text_is_read_otherwise(text: bytes, reading: bytes) -> None:
    assert reading in readings(text, binary=False)


def test_a_word_inside_a_word_is_the_patients_name_and_nobody_elses(tmp_path: Path) -> None:
    """An algorithm may be called after the software that some creator is called after."""
    specimen = next(make_specimens(1, tmp_path, POLICY, Secret(bytes(range(32)))))
    family, reader = specimen.patient.family, specimen.patient.physician.split("^")[0]
    for name, held in ((family, True), (reader, False)):
        path = changed(specimen, lambda d, name=name: setattr(d, "ProtocolName", f"run{name}Editor"), tmp_path)
        assert is_held(findings_of(specimen, path)) is held


@given(st.binary(max_size=400), st.booleans())
def test_no_bytes_break_the_readings(raw: bytes, binary: bool) -> None:
    assert all(isinstance(reading, bytes) for reading in readings(raw, binary=binary))


def test_a_bomb_is_read_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zlib.compress(bytes(50 << 20))
    started = time.process_time()
    assert max(map(len, readings(bomb, binary=True))) <= 2 << 20
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("vr", "raw", "rules"),
    [
        ("UL", struct.pack("<I", 7341188), {"T1.number"}),
        ("FD", struct.pack("<d", 7341188.0), {"T1.number"}),
        ("DS", b"1.5\\7341188.0", {"T1.number"}),
        ("OB", b"\1\2\3" + struct.pack(">I", 7341188), {"T1.number"}),
        ("UL", struct.pack("<I", 19500228), {"T1.date"}),
        ("OB", bytes.fromhex("19500228"), {"T1.date"}),
        ("LO", b"at 1707816615", {"T1.date"}),
        ("UL", struct.pack("<I", 1707816615), {"T1.date"}),
        ("UL", struct.pack("<I", 7341189), set()),
        ("DS", b"0.73411880\\512\\-1024", set()),
        ("IS", b"1200000", set()),
        ("OW", bytes(4096), set()),
    ],
)
def test_ids_and_days_as_numbers(vr: str, raw: bytes, rules: set[str]) -> None:
    assert {rule for _, rule in numbers_in(vr, raw, True, WHO, NO_SHIFT)} == rules


def test_a_day_that_the_offset_led_to_is_no_leftover() -> None:
    """The birthday, 700 days after another day of the source."""
    moved = SourceIdentity(dates=frozenset({"20220315", "20240213"}), study_dates=frozenset({"20240213"}))
    assert not numbers_in("UL", struct.pack("<I", 20240213), True, moved, timedelta(days=700))
    assert numbers_in("UL", struct.pack("<I", 20240213), True, moved, timedelta(days=-3))


@pytest.mark.parametrize(
    ("uid", "kinds"),
    [
        (b"1.2.826.0.1.7341188.4", {"patient_id"}),
        (b"1.2.826.0.1.20240213093015.4", {"date"}),
        (b"1.2.840.10008.5.1.4.1.1.2", set()),
        (b"2.25.155584008227217748164936567440629414748", set()),
    ],
)
def test_what_stands_between_the_dots(uid: bytes, kinds: set[str]) -> None:
    assert set(telling_parts(uid, WHO)) == kinds


def test_the_beginning_of_a_long_name_is_shown_to_a_person() -> None:
    assert near_misses("QUISTGA CHEST", WHO) == {"patient_name"}
    assert near_misses("QUIST CHEST", WHO) == set()


def test_letters_that_a_keyboard_lacks_are_written_with_two() -> None:
    assert name_parts(transliterated("Grönvall^Åse")) == ["groenvall", "aase"]
