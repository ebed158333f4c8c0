"""Blanked in every transfer syntax: ink gone, everything outside equal, syntax and photometric true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import UID

from tasks.pixels.decode import read_frames
from tasks.pixels.encode import NoEncoderError, encode_frame
from tasks.pixels.layout import read_layout
from tasks.pixels.rewrite import rewrite_pixels
from tests.unit.pixels_objects import draw, instance_of, noise

LIMIT = 10**9
NATIVE = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big": "1.2.840.10008.1.2.2",
}
LOSSLESS = {
    "rle": "1.2.840.10008.1.2.5",
    "j2k": "1.2.840.10008.1.2.4.90",
    "jls": "1.2.840.10008.1.2.4.80",
    "jpeg14": "1.2.840.10008.1.2.4.57",
    "jpeg14sv1": "1.2.840.10008.1.2.4.70",
}


def _mask(shape):
    mask = np.zeros(shape[:2], bool)
    mask[20:45, 30:90] = True
    return mask


def _check(instance, before, mask, frames=1):
    layout = read_layout(instance.dataset, instance.transfer_syntax_uid, LIMIT)
    after = rewrite_pixels(instance, layout, [mask] * frames)
    now = list(read_frames(after.dataset, read_layout(after.dataset, after.transfer_syntax_uid, LIMIT)))
    for old, new in zip(before, now, strict=True):
        assert np.array_equal(old[~mask], new[~mask])
        assert all(
            len(np.unique(new[mask][..., k] if new.ndim == 3 else new[mask])) == 1 for k in range(new.shape[2] if new.ndim == 3 else 1)
        )
    return after


@pytest.mark.parametrize("syntax", NATIVE.values(), ids=NATIVE)
@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint16, 12), (np.int16, 16)])
def test_native_grey(syntax, dtype, bits):
    frame = (noise(64, 100).astype(np.int64) * (1 if bits == 8 else 11) - (900 if dtype is np.int16 else 0)).astype(dtype)
    instance = instance_of(frame, bits_stored=bits, syntax=syntax)
    if syntax == NATIVE["big"] and dtype is not np.uint8:
        instance.dataset.PixelData = frame.astype(frame.dtype.newbyteorder(">")).tobytes()
    after = _check(instance, [frame], _mask(frame.shape))
    assert after.transfer_syntax_uid == syntax
    assert instance.dataset.PixelData != after.dataset.PixelData


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_native_colour_every_plane(planar, photometric):
    frame = np.stack([noise(64, 100, seed=s) for s in (1, 2, 3)], axis=2)
    _check(instance_of(frame, photometric=photometric, planar=planar), [frame], _mask(frame.shape))


def test_native_subsampled_colour():
    rng = np.random.default_rng(1)
    data = rng.integers(0, 255, (64, 50, 4), dtype=np.uint8)
    instance = instance_of(np.zeros((64, 100, 3), np.uint8), photometric="YBR_FULL_422")
    instance.dataset.PixelData = data.tobytes()
    layout = read_layout(instance.dataset, instance.transfer_syntax_uid, LIMIT)
    mask = _mask((64, 100))
    after = np.frombuffer(rewrite_pixels(instance, layout, [mask]).dataset.PixelData, np.uint8).reshape(64, 50, 4)
    assert np.array_equal(after[:20], data[:20]) and len(np.unique(after[20:45, 15:45].reshape(-1, 4), axis=0)) == 1
    assert np.array_equal(after[:, 45:], data[:, 45:])


def test_every_frame_of_many_and_an_odd_length():
    frames = np.stack([noise(33, 91, seed=s) for s in range(3)])
    mask = np.zeros((33, 91), bool)
    mask[5:20, 10:60] = True
    after = _check(instance_of(frames, number_of_frames=3), list(frames), mask, frames=3)
    assert len(after.dataset.PixelData) % 2 == 0


def test_bit_packed_frames():
    bits = (noise(40, 50) > 60).astype(np.uint8)
    instance = instance_of(np.zeros((40, 50), np.uint8))
    instance.dataset.BitsAllocated = instance.dataset.BitsStored = 1
    instance.dataset.HighBit = 0
    instance.dataset.PixelData = np.packbits(bits.ravel(), bitorder="little").tobytes()
    mask = np.zeros((40, 50), bool)
    mask[3:9, 7:30] = True
    _check(instance, [bits], mask)


@pytest.mark.parametrize("syntax", LOSSLESS.values(), ids=LOSSLESS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
@pytest.mark.parametrize("colour", [False, True])
def test_lossless_stays_lossless_in_its_own_syntax(syntax, dtype, colour):
    if colour and dtype is not np.uint8:
        pytest.skip("colour is 8-bit")
    frame = noise(64, 100).astype(np.int64) * (1 if dtype is np.uint8 else 40) - (3000 if dtype is np.int16 else 0)
    frame = np.stack([frame] * 3, axis=2).astype(dtype) if colour else frame.astype(dtype)
    instance = instance_of(frame, syntax=syntax, bits_stored=8 if dtype is np.uint8 else 16)
    layout = read_layout(instance.dataset, NATIVE["explicit"], LIMIT)
    try:
        stream = encode_frame(frame, replace(layout, syntax=syntax))
    except NoEncoderError:
        pytest.skip("no encoder: written natively, see below")
    if colour and syntax == LOSSLESS["j2k"]:
        instance.dataset.PhotometricInterpretation = "YBR_RCT"
    instance.dataset.PixelData = encapsulate([stream])
    instance.dataset["PixelData"].is_undefined_length = True
    after = _check(instance, [frame], _mask(frame.shape))
    assert after.transfer_syntax_uid == syntax
    assert get_decoder(UID(syntax)).as_array(after.dataset, raw=True)[0].shape == frame.shape


def test_a_syntax_without_encoder_becomes_native_and_says_so(monkeypatch):
    frame = np.stack([noise(64, 100)] * 3, axis=2)
    instance = instance_of(frame, syntax=LOSSLESS["j2k"])
    layout = read_layout(instance.dataset, LOSSLESS["j2k"], LIMIT)
    instance.dataset.PixelData = encapsulate([encode_frame(frame, layout)])
    instance.dataset.PhotometricInterpretation = "YBR_RCT"
    monkeypatch.setattr("tasks.pixels.rewrite.encode_frame", lambda *a: (_ for _ in ()).throw(NoEncoderError()))
    after = _check(instance, [frame], _mask(frame.shape))
    assert after.transfer_syntax_uid == NATIVE["explicit"] == str(after.dataset.file_meta.TransferSyntaxUID)
    assert after.dataset.PhotometricInterpretation == "RGB"
    assert instance.transfer_syntax_uid == LOSSLESS["j2k"]


def test_palette_colour_is_blanked_to_its_darkest_entry():
    frame = noise(64, 100)
    frame, _ = draw(frame, "DOE", (30, 44))
    instance = instance_of(frame, photometric="PALETTE COLOR")
    for name in ("Red", "Green", "Blue"):
        setattr(instance.dataset, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(instance.dataset, f"{name}PaletteColorLookupTableData", (np.arange(256, dtype="<u2") * 257)[::-1].tobytes())
    after = _check(instance, [frame], _mask(frame.shape))
    values = np.frombuffer(after.dataset.PixelData, np.uint8).reshape(64, 100)
    assert values[30, 50] == frame[~_mask(frame.shape)].max()


@pytest.mark.parametrize("name", ["HTJ2KLossless_08_RGB.dcm", "HTJ2K_08_RGB.dcm"])
def test_high_throughput_jpeg_2000_has_no_encoder_and_becomes_native(shared, name):
    path = next((shared / "data" / "dicom").rglob(f"*{name}"), None)
    if path is None:
        pytest.skip("sample images are not beside the project")
    dataset = dcmread(path)
    instance = replace(instance_of(noise(8, 8)), dataset=dataset, transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID))
    (frame,) = read_frames(dataset, read_layout(dataset, instance.transfer_syntax_uid, LIMIT))
    after = _check(instance, [frame], _mask(frame.shape))
    assert after.transfer_syntax_uid == NATIVE["explicit"]
    assert after.dataset.PhotometricInterpretation == "RGB"
    assert after.dataset.get("LossyImageCompression") == dataset.get("LossyImageCompression")
