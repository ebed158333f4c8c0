"""Whatever the encoding of the source: the same rules, the same values, and pixels that decode to the same numbers."""

from __future__ import annotations

import io
from pathlib import Path

import gdcm
import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from tests.spec.made import ct_bytes, deidentified, element, item, sequence, written

TOKEN = "QUAGMIREX7"
PLANTED = (
    element(0x00100010, "PN", f"{TOKEN}^Ossian"),
    element(0x0008103E, "LO", f"chest {TOKEN}"),
    sequence(0x00081140, item(element(0x00081155, "UI", "1.2.3.4"), element(0x00104000, "LT", TOKEN))),
    element(0x00190010, "LO", "GEMS_ACQU_01"),
    element(0x00191023, "DS", "55.0"),
    element(0x0019109E, "LO", f"seq {TOKEN}"),
)


def encoded_as(syntax: str) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(ct_bytes(*PLANTED, rows=64, columns=64)))
    if syntax in (RLELossless, JPEG2000Lossless):
        ds.PixelRepresentation = 0
        ds.PixelData = (np.arange(64 * 64) % 4096).astype("<u2").tobytes()
        ds.BitsStored, ds.HighBit = 12, 11
        ds.compress(syntax, generate_instance_uid=False)
    elif syntax == ExplicitVRBigEndian:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    ds.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    if syntax == DeflatedExplicitVRLittleEndian:
        ds.save_as(out)
    else:
        pydicom.dcmwrite(out, ds, implicit_vr=implicit, little_endian=little, force_encoding=True)
    return out.getvalue()


def read_by_gdcm(path: Path) -> bool:
    """Read it with a reader that stops where the file breaks PS3.5; pydicom reads on."""
    reader = gdcm.Reader()
    reader.SetFileName(str(path))
    return bool(reader.Read())


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEG2000Lossless],
)
def test_every_encoding_is_de_identified_alike(syntax: str, tmp_path: Path) -> None:
    content = encoded_as(syntax)
    (done,) = deidentified(tmp_path, content)
    raw = written(done, tmp_path / "out.dcm")
    source, released = pydicom.dcmread(io.BytesIO(content)), pydicom.dcmread(io.BytesIO(raw))
    assert TOKEN.encode() not in raw
    assert (source.pixel_array == released.pixel_array).all()
    assert [source.Rows, source.SliceThickness, source.ImagePositionPatient] == [
        released.Rows,
        released.SliceThickness,
        released.ImagePositionPatient,
    ]
    assert read_by_gdcm(tmp_path / "out.dcm")
    assert raw.count(b"\xfe\xff\xdd\xe0") == (syntax in (RLELossless, JPEG2000Lossless))  # PS3.5 A.4: one end, no more
    assert released[0x00191023].value == 55.0
    assert released.SOPInstanceUID == released.ReferencedImageSequence[0].ReferencedSOPInstanceUID
