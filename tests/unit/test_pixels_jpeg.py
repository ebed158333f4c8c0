"""Blanking inside a JPEG code stream: masked blocks are even, untouched blocks decode to exactly what they were."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from tasks.pixels.jpeg import UnsupportedStreamError, blank_jpeg


def _picture(rows, columns, colour):
    rng = np.random.default_rng(3)
    values = cv2.GaussianBlur(rng.normal(120, 60, (rows, columns, 3 if colour else 1)).astype(np.float32), (0, 0), 2)
    values = np.clip(120 + (values - 120).reshape(rows, columns, -1) * 4, 0, 255).astype(np.uint8)
    cv2.putText(values, "DOE^JANE", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 1, (250,) * 3, 2)
    return values if colour else values[..., 0]


def _jpeg(values, **options):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "jpeg", **options)
    return buffer.getvalue()


def _planes(data):
    image = Image.open(io.BytesIO(data))
    image.draft(None, None)
    return np.asarray(image.convert("YCbCr") if image.mode == "RGB" else image)


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"restart_marker_blocks": 5}, {"quality": 30}, {"quality": 98}])
def test_masked_blocks_are_even_and_the_others_exact(colour, subsampling, options):
    if not colour and subsampling:
        pytest.skip("grey has no chroma")
    values = _picture(123, 205, colour)
    data = _jpeg(values, **({"subsampling": subsampling} if colour else {}), **options)
    mask = np.zeros((123, 205), bool)
    mask[10:50, 15:190] = True
    after = blank_jpeg(data, mask, (0, 128, 128) if colour else (0,))
    before, now = np.asarray(Image.open(io.BytesIO(data))), np.asarray(Image.open(io.BytesIO(after)))
    inside = now[mask]
    assert inside.max() <= 6
    unit_y, unit_x = (8, 8) if not colour or subsampling == 0 else (8, 16) if subsampling == 1 else (16, 16)
    reach = 2 if colour and subsampling else 0  # decoders smooth chroma over the edge of a block
    touched = np.zeros_like(mask)
    touched[10 // unit_y * unit_y : -(-50 // unit_y) * unit_y, 15 // unit_x * unit_x : -(-190 // unit_x) * unit_x] = True
    touched = cv2.dilate(touched.astype(np.uint8), np.ones((2 * reach + 1,) * 2)) > 0
    assert np.array_equal(before[~touched], now[~touched])
    assert len(after) < len(data) + 512


def test_an_empty_mask_changes_no_pixel():
    data = _jpeg(_picture(64, 80, True))
    after = blank_jpeg(data, np.zeros((64, 80), bool), (0, 128, 128))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(Image.open(io.BytesIO(after))))


def test_comments_and_exif_do_not_pass():
    exif = Image.Exif()
    exif[0x010E] = "DOE^JANE"
    data = _jpeg(_picture(64, 80, False), comment=b"DOE^JANE", exif=exif)
    assert b"DOE" in data
    assert b"DOE" not in blank_jpeg(data, np.zeros((64, 80), bool), (0,))


@pytest.mark.parametrize(
    "spoil", [lambda d: d[: len(d) // 2], lambda d: b"", lambda d: b"\xff\xd8\xff\xd9", lambda d: d[:300] + b"\0" * 300]
)
def test_a_broken_stream_is_refused_not_guessed(spoil):
    data = _jpeg(_picture(64, 80, False))
    with pytest.raises(UnsupportedStreamError):
        assert blank_jpeg(spoil(data), np.zeros((64, 80), bool), (0,)) is None


def test_a_progressive_stream_is_left_to_the_decoder():
    with pytest.raises(UnsupportedStreamError):
        blank_jpeg(_jpeg(_picture(64, 80, False), progressive=True), np.zeros((64, 80), bool), (0,))
