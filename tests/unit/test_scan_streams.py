"""Compressed frames are containers too (T6): comments, application segments and bytes behind the end may say anything."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, SecondaryCaptureImageStorage

from tasks.scan.container import flaws
from tasks.scan.walk import read_walk

FRAME = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
JPEG = cv2.imencode(".jpg", FRAME)[1].tobytes()
_BOXED = cv2.imencode(".jp2", FRAME)[1].tobytes()
J2K = _BOXED[_BOXED.index(b"\xff\x4f\xff\x51") :]
NOTE = b"for the family"


def _segment(marker: bytes, body: bytes) -> bytes:
    return marker + (len(body) + 2).to_bytes(2, "big") + body


def _after(stream: bytes, start: int, piece: bytes) -> bytes:
    return stream[:start] + piece + stream[start:]


def _size_of_siz() -> int:
    return 4 + int.from_bytes(J2K[4:6], "big")


def _flaws(stream: bytes | list[bytes], syntax: str, folder: Path) -> dict[str, float]:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "2.25.7"
    dataset.Rows, dataset.Columns, dataset.BitsAllocated, dataset.SamplesPerPixel = 64, 64, 8, 1
    dataset.PixelData = encapsulate(stream if isinstance(stream, list) else [stream])
    dataset["PixelData"].VR = "OB"
    path = folder / "one.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return {flaw.place: flaw.score for flaw in flaws(read_walk(path)) if "(0002" not in flaw.place}


@pytest.mark.parametrize(
    ("stream", "syntax", "places"),
    [
        (JPEG, JPEGBaseline8Bit, set()),
        (_after(JPEG, 2, _segment(b"\xff\xfe", NOTE)), JPEGBaseline8Bit, {"pixel bytes, JPEG comment"}),
        (_after(JPEG, 2, _segment(b"\xff\xe1", b"Exif\0\0" + NOTE)), JPEGBaseline8Bit, {"pixel bytes, JPEG application segment"}),
        (JPEG + bytes(2) + NOTE * 8, JPEGBaseline8Bit, {"bytes after the end of image"}),
        (JPEG + bytes(1) + NOTE, JPEGBaseline8Bit, {"bytes after the end of image"}),
        (JPEG + bytes(9), JPEGBaseline8Bit, set()),
        (J2K, JPEG2000Lossless, set()),
        (_after(J2K, _size_of_siz(), _segment(b"\xff\x64", b"\0\1" + NOTE)), JPEG2000Lossless, {"pixel bytes, JPEG 2000 comment"}),
        (J2K + bytes(2) + NOTE * 8, JPEG2000Lossless, {"bytes after the end of image"}),
    ],
)
def test_what_a_stream_carries_beside_its_image_is_seen(stream: bytes, syntax: str, places: set[str], tmp_path: Path) -> None:
    found = _flaws(stream, syntax, tmp_path)
    assert {place for place, score in found.items() if score >= 0.5} == places


def test_every_frame_is_looked_at(tmp_path: Path) -> None:
    assert "bytes after the end of image" in _flaws([JPEG + NOTE, JPEG], JPEGBaseline8Bit, tmp_path)


def test_a_codec_that_signs_is_shown_and_holds_nothing(tmp_path: Path) -> None:
    signed = _after(JPEG, 2, _segment(b"\xff\xfe", b"Created by GIMP"))
    assert _flaws(signed, JPEGBaseline8Bit, tmp_path) == {"pixel bytes, JPEG comment": 0.3}
