"""Character sets: what can be read is cleaned and written in UTF-8, what cannot is removed."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest

from tests.spec.made import ct_bytes, deidentified, element, written

TEXTS = {
    "ISO_IR 100": ("ISO_IR 100", "Schädel nativ".encode("latin-1"), "Schädel nativ"),
    "ISO_IR 144": ("ISO_IR 144", "Голова".encode("iso8859-5"), "Голова"),
    "ISO_IR 127, right to left": ("ISO_IR 127", "رأس".encode("iso8859-6"), "رأس"),
    "ISO_IR 138, right to left": ("ISO_IR 138", "ראש".encode("iso8859-8"), "ראש"),
    "GB18030": ("GB18030", "头部平扫".encode("gb18030"), "头部平扫"),
    "GBK": ("GBK", "头部".encode("gbk"), "头部"),
    "UTF-8": ("ISO_IR 192", "頭部 Schädel".encode(), "頭部 Schädel"),
    "ISO 2022, Japanese": ("\\ISO 2022 IR 87", b"\x1b$B\x46\x2c\x49\x74\x1b(B", "頭部"),
    "ISO 2022, Korean": ("\\ISO 2022 IR 149", b"\x1b$)C" + "두부".encode("euc_kr"), "두부"),
    "spelled as scanners do": ("ISO-IR 100", "Schädel".encode("latin-1"), "Schädel"),
}


def released(folder: Path, *extra: bytes) -> pydicom.Dataset:
    (done, *_) = deidentified(folder, ct_bytes(*extra))
    return pydicom.dcmread(io.BytesIO(written(done, folder / "out.dcm")))


@pytest.mark.parametrize("name", TEXTS)
def test_text_says_the_same_in_utf_8(name: str, tmp_path: Path) -> None:
    charset, raw, text = TEXTS[name]
    ds = released(tmp_path, element(0x00080005, "CS", charset), element(0x0008103E, "LO", raw))
    assert ("ISO_IR 192", text) == (ds.SpecificCharacterSet, ds.SeriesDescription)


def test_ascii_keeps_its_declaration(tmp_path: Path) -> None:
    assert released(tmp_path, element(0x00080005, "CS", "ISO_IR 100")).SpecificCharacterSet == "ISO_IR 100"


@pytest.mark.parametrize(("charset", "raw"), [("", b"Sch\xe4del"), ("ISO_IR 999", b"Sch\xe4del"), ("ISO_IR 192", b"Sch\xe4del")])
def test_what_cannot_be_read_is_removed(charset: str, raw: bytes, tmp_path: Path) -> None:
    assert "SeriesDescription" not in released(tmp_path, element(0x00080005, "CS", charset), element(0x0008103E, "LO", raw))


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
def test_a_name_is_found_in_text_of_its_own_character_set(encoding: str, tmp_path: Path) -> None:
    charset = {"gb18030": "GB18030", "utf-8": "ISO_IR 192"}[encoding]
    name, text = "欧阳^志明".encode(encoding), "头部 欧阳志明 平扫".encode(encoding)
    ds = released(tmp_path, element(0x00080005, "CS", charset), element(0x00100010, "PN", name), element(0x0008103E, "LO", text))
    assert "志明" not in str(ds.get("SeriesDescription", ""))
