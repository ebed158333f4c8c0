"""Small image objects for the tests of the text stage: noise, drawn text with its ink mask, an Instance around them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from tasks.model import Instance, PulledFile


def noise(rows, columns, seed=1, mean=60.0, spread=12.0, dtype=np.uint8):
    """Smooth speckle without any structure that resembles text."""
    values = np.random.default_rng(seed).normal(0, 1, (rows, columns)).astype(np.float32)
    values = cv2.GaussianBlur(values, (0, 0), 1.5)
    return np.clip(mean + spread * values / values.std(), 0, np.iinfo(dtype).max).astype(dtype)


def draw(frame, text, at, value=230, scale=0.8):
    """Return the frame with text drawn at (x, y) in one value, and the ink mask."""
    ink = np.zeros(frame.shape[:2], np.uint8)
    cv2.putText(ink, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 1, 2)
    drawn = frame.copy()
    drawn[ink > 0] = value
    return drawn, ink > 0


def instance_of(frames, modality="US", photometric=None, bits_stored=None, planar=0, syntax=ExplicitVRLittleEndian, number_of_frames=None):
    """Return an Instance over native values: (rows, columns[, 3]), or with the number of frames given as the first axis."""
    shape = frames.shape if number_of_frames is None else frames.shape[1:]
    bits = frames.dtype.itemsize * 8
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID = "2.25.1", "2.25.2", "2.25.3"
    ds.Modality = modality
    ds.Rows, ds.Columns = shape[:2]
    ds.SamplesPerPixel = 3 if len(shape) == 3 else 1
    ds.PhotometricInterpretation = photometric or ("RGB" if len(shape) == 3 else "MONOCHROME2")
    ds.BitsAllocated, ds.BitsStored = bits, bits_stored or bits
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(frames.dtype.kind == "i")
    if number_of_frames is not None:
        ds.NumberOfFrames = number_of_frames
    if len(shape) == 3:
        ds.PlanarConfiguration = planar
        if planar:
            frames = np.moveaxis(frames, -1, -3)
    data = np.ascontiguousarray(frames).astype(frames.dtype.newbyteorder("<")).tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OW" if bits > 8 else "OB"
    return Instance(PulledFile(Path("x"), "x", 0), ds, "2.25.1", "2.25.2", str(ds.SOPClassUID), str(syntax), modality)
