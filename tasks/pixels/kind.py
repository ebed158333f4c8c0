"""Which class of image an object is, by what its own headers say: ordinary, photograph, or screen capture and scanned document.

Looking at pixels does not belong here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# VL Photographic, Video Photographic, Dermoscopic Photography: a camera pointed at a patient (PS3.3 A.32.4, A.32.7, A.32.10).
_PHOTOGRAPHIC_CLASSES = frozenset({f"1.2.840.10008.5.1.4.1.1.77.1.{n}" for n in ("4", "4.1", "7")})
_PHOTOGRAPHIC_MODALITIES = frozenset({"XC", "DMS"})
_DOCUMENT_MODALITIES = frozenset({"DOC"})
_SCANNED = frozenset({"SD", "SI"})  # Conversion Type (0008,0064): scanned document, scanned image
_CAPTURE_WORDS = ("SCREEN SAVE", "SCREENSAVE", "SCREEN CAPTURE", "SCREEN SHOT", "SCREENSHOT", "SCREEN")


class ImageKind(StrEnum):
    ORDINARY = "ordinary"
    PHOTOGRAPH = "photograph"
    SCREEN_CAPTURE = "screen_capture"


def kind_of(dataset: Dataset, sop_class_uid: str, modality: str) -> ImageKind:
    """Return the class that the headers declare."""
    if sop_class_uid in _PHOTOGRAPHIC_CLASSES or modality.upper() in _PHOTOGRAPHIC_MODALITIES:
        return ImageKind.PHOTOGRAPH
    if modality.upper() in _DOCUMENT_MODALITIES or str(dataset.get("ConversionType", "")).upper() in _SCANNED:
        return ImageKind.SCREEN_CAPTURE
    values = dataset.get("ImageType", None) or ()
    words = [values] if isinstance(values, str) else list(values)
    if any(str(word).upper().replace("_", " ").strip() in _CAPTURE_WORDS for word in words):
        return ImageKind.SCREEN_CAPTURE
    return ImageKind.ORDINARY
