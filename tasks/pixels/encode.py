"""Encode decoded frames again without loss, in the transfer syntax that they came in where an encoder exists.

Blanking does not belong here, nor lossy encoding: no frame is ever compressed with loss a second time.
"""

from __future__ import annotations

from typing import Any

from tasks.pixels.decode import Frame
from tasks.pixels.layout import PixelLayout

RLE = "1.2.840.10008.1.2.5"
JPEG_2000_LOSSLESS, JPEG_2000 = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
JPEG_LS, JPEG_LOSSLESS, JPEG_LOSSLESS_FIRST_ORDER = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"
HTJ2K_LOSSLESS = "1.2.840.10008.1.2.4.201"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


class NoEncoderError(Exception):
    """No lossless encoder for this syntax and layout; write the frames natively."""


def encode_frame(frame: Frame, layout: PixelLayout) -> bytes:
    """Return one frame of stored values as a code stream of the layout's own syntax; NoEncoderError when there is no encoder."""
    if layout.bits_allocated not in (8, 16):
        raise NoEncoderError
    if layout.syntax == RLE:
        return _rle(frame, layout)
    if layout.syntax in (JPEG_2000_LOSSLESS, JPEG_2000):
        return _jpeg_2000(frame, layout)
    if layout.syntax in (JPEG_LS, JPEG_LOSSLESS, JPEG_LOSSLESS_FIRST_ORDER):
        return _gdcm(frame, layout)
    raise NoEncoderError


def _rle(frame: Frame, layout: PixelLayout) -> bytes:
    from pydicom.pixels.encoders.base import get_encoder
    from pydicom.uid import UID

    return get_encoder(UID(RLE)).encode(_native_bytes(frame, layout), encoding_plugin="pydicom", **_options(layout))


def _jpeg_2000(frame: Frame, layout: PixelLayout) -> bytes:
    from pydicom.pixels.encoders.base import get_encoder
    from pydicom.uid import UID

    # reversible coding also under the general syntax (which allows both): what was lossy once is not made worse
    options = _options(layout)
    if layout.samples == 3:
        options["photometric_interpretation"] = "YBR_RCT" if layout.photometric in ("RGB", "YBR_RCT", "YBR_ICT") else layout.photometric
    encoder = get_encoder(UID(JPEG_2000_LOSSLESS))
    return encoder.encode(_native_bytes(frame, layout), encoding_plugin="pylibjpeg", **options)


def _gdcm(frame: Frame, layout: PixelLayout) -> bytes:
    """Encode by GDCM, which has the lossless JPEG processes that the other encoders lack."""
    import gdcm

    if layout.photometric not in ("MONOCHROME1", "MONOCHROME2", "RGB"):
        raise NoEncoderError
    writer = gdcm.ImageWriter()  # owns the image; must outlive it
    image = writer.GetImage()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((layout.columns, layout.rows, 1))
    kind = gdcm.PhotometricInterpretation.GetPIType(layout.photometric)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.ImplicitVRLittleEndian))
    image.SetPixelFormat(
        gdcm.PixelFormat(layout.samples, layout.bits_allocated, layout.bits_stored, layout.bits_stored - 1, int(layout.signed))
    )
    if layout.samples > 1:
        image.SetPlanarConfiguration(0)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetByteStringValue(_native_bytes(frame, layout))
    image.SetDataElement(element)
    converter = gdcm.ImageChangeTransferSyntax()
    converter.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(layout.syntax)))
    converter.SetInput(image)
    if not converter.Change():
        raise NoEncoderError
    fragments = converter.GetOutput().GetDataElement().GetSequenceOfFragments()
    if fragments is None or fragments.GetNumberOfFragments() != 1:
        raise NoEncoderError
    return bytes(fragments.GetFragment(0).GetByteValue().GetBuffer().encode("utf-8", "surrogateescape"))


def _native_bytes(frame: Frame, layout: PixelLayout) -> bytes:
    kind = f"<{'i' if layout.signed else 'u'}{layout.bits_allocated // 8}"
    return frame.astype(kind).tobytes()


def _options(layout: PixelLayout) -> dict[str, Any]:
    return {
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "number_of_frames": 1,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "pixel_representation": int(layout.signed),
        "photometric_interpretation": layout.photometric,
        "planar_configuration": 0,
    }
