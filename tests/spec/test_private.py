"""Private attributes: safe ones stay with their creator, everything else goes, and safe values are cleaned all the same."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pydicom

from tests.spec.made import ct_bytes, deidentified, element, item, sequence, written

CREATOR = element(0x00190010, "LO", "GEMS_ACQU_01")
SAFE_STATEMENT = sequence(
    0x00080300,
    item(element(0x00080301, "US", struct.pack("<H", 0x11)), element(0x00080302, "LO", "ACME"), element(0x00080303, "CS", "SAFE")),
)


def released(folder: Path, *extra: bytes, policy: str = "shifted-dates") -> pydicom.Dataset:
    (done, *_) = deidentified(folder, ct_bytes(*extra), policy=policy)
    return pydicom.dcmread(io.BytesIO(written(done, folder / "out.dcm")))


def test_safe_attributes_stay_exactly_and_unsafe_ones_go(tmp_path: Path) -> None:
    ds = released(tmp_path, CREATOR, element(0x00191023, "DS", "55.0"), element(0x001910FF, "LO", "who knows"))
    assert {int(e.tag): str(e.value) for e in ds if e.tag.is_private} == {0x00190010: "GEMS_ACQU_01", 0x00191023: "55.0"}


def test_a_safe_attribute_is_found_by_creator_not_by_block(tmp_path: Path) -> None:
    ds = released(tmp_path, element(0x00190033, "LO", "GEMS_ACQU_01"), element(0x00193323, "DS", "55.0"))
    assert ds[0x00193323].value == 55.0


def test_un_gets_the_vr_of_the_table(tmp_path: Path) -> None:
    ds = released(tmp_path, CREATOR, element(0x00191023, "UN", "55.0"))
    assert (ds[0x00191023].VR, ds[0x00191023].value) == ("DS", 55.0)


def test_strict_keeps_none(tmp_path: Path) -> None:
    assert not [e for e in released(tmp_path, CREATOR, element(0x00191023, "DS", "55.0"), policy="strict") if e.tag.is_private]


def test_the_objects_own_word_is_trusted_for_numbers_and_common_words_only(tmp_path: Path) -> None:
    acme = element(0x00110010, "LO", "ACME")
    ds = released(tmp_path, SAFE_STATEMENT, acme, element(0x00111001, "DS", "3.5"), element(0x00111002, "LO", "Kowalczykowna"))
    assert ds[0x00111001].value == 3.5
    assert 0x00111002 not in ds
    assert "PrivateDataElementCharacteristicsSequence" not in ds


def test_protocol_blobs_are_dropped(tmp_path: Path) -> None:
    csa = element(0x00290010, "LO", "SIEMENS CSA HEADER")
    assert not [e for e in released(tmp_path, csa, element(0x00291010, "OB", b"SV10\4\3\2\1")) if e.tag.is_private]


def test_four_thousand_private_elements_are_no_trouble(tmp_path: Path) -> None:
    many = [element(0x00111000 + n, "LO", f"v{n}") for n in range(0xF0)] + [element(0x00110010, "LO", "ACME")]
    many += [element(g << 16 | 0x1000 + n, "UN", b"\0\1") for g in range(0x0013, 0x0033, 2) for n in range(0xFF)]
    ds = released(tmp_path, *many)
    assert not [e for e in ds if e.tag.is_private]
