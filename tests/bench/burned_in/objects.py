"""Objects of the benchmark: frames with known ink in every photometric interpretation, depth and transfer syntax that can be made here."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from tasks.model import Instance
from tasks.pixels.encode import encode_frame
from tasks.pixels.layout import read_layout
from tests.bench.burned_in.compose import Region, Style, write
from tests.bench.burned_in.frames import MAKERS
from tests.unit.pixels_objects import instance_of

EXPLICIT, RLE, J2K = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.90"
JPEG, JPEG_LS, J2K_LOSSY = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.91"
NAMES = {EXPLICIT: "native", RLE: "RLE", J2K: "JPEG 2000", JPEG: "JPEG", JPEG_LS: "JPEG-LS"}


@dataclass
class Case:
    """One object: what was written where (frame number, region), and its frames with and without ink."""

    name: str
    syntax: str
    photometric: str
    instance: Instance = field(repr=False)
    regions: list[tuple[int, Region]] = field(repr=False)


def make_case(rng: np.random.Generator, styles: list[Style], modality: str, syntax: str, frames: int = 1) -> Case:
    """Build one object with up to one region per style; in a cine all ink lies in one frame."""
    maker, (rows, columns), bits = MAKERS[modality]
    stack = [maker(rows, columns, rng) for _ in range(frames)]
    colour = stack[0].ndim == 3
    inverted = not colour and rng.random() < 0.25
    limits = (0, 2**bits - 1)
    number = int(rng.integers(frames))
    taken = np.zeros((rows, columns), bool)
    regions = []
    for style in styles:
        region = write(stack[number], style, rng, limits, taken)
        if region is not None:
            regions.append((number, region))
    if inverted:
        stack = [(limits[1] - frame).astype(frame.dtype) for frame in stack]
    photometric = "RGB" if colour else "MONOCHROME1" if inverted else "MONOCHROME2"
    values = stack[0] if frames == 1 else np.stack(stack)
    instance = instance_of(
        values,
        modality=modality.split(maxsplit=1)[0],
        photometric=photometric,
        bits_stored=bits,
        number_of_frames=None if frames == 1 else frames,
    )
    if syntax != EXPLICIT:
        instance = _encoded(instance, stack, syntax)
    return Case(modality, syntax, str(instance.dataset.PhotometricInterpretation), instance, regions)


def _encoded(instance: Instance, stack: list[np.ndarray], syntax: str) -> Instance:
    from pydicom.encaps import encapsulate

    ds = instance.dataset
    layout = replace(read_layout(ds, EXPLICIT, 10**10), syntax=syntax)
    if syntax == JPEG:
        streams = [_jpeg(frame) for frame in stack]
        if stack[0].ndim == 3:
            ds.PhotometricInterpretation = "YBR_FULL_422"
        ds.LossyImageCompression = "01"
    else:
        streams = [encode_frame(frame, layout) for frame in stack]
        if syntax == J2K and stack[0].ndim == 3:
            ds.PhotometricInterpretation = "YBR_RCT"
    ds.PixelData = encapsulate(streams)
    ds["PixelData"].is_undefined_length = True
    ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = syntax
    return replace(instance, transfer_syntax_uid=syntax)


def _jpeg(frame: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "jpeg", quality=92, subsampling=1)
    return buffer.getvalue() + (b"\0" if buffer.tell() % 2 else b"")
