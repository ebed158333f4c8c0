"""Which objects can show the surface of a head, by what their SOP Class holds.

Decided without looking at BodyPartExamined, descriptions or any other text: those are absent or wrong in most real series.
Looking at pixels does not belong here.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What an object can give away of a face."""

    VOLUME = "volume"  # a stack of planes in patient space: skin can be rendered from it
    MASK = "mask"  # a segmentation on such a stack: the outline of the body is a face
    DOSE = "dose"  # a dose grid: follows the skin where it was computed in the body only
    CONTOURS = "contours"  # RTSTRUCT: the outline of the body is a face
    SURFACE = "surface"  # meshes of a body
    PICTURE = "picture"  # a rendering, a screen capture or a photograph that may show a face as it is
    NOTHING = "nothing"  # no pixels, or a projection or picture in which a head's surface is never rendered


_SC = "1.2.840.10008.5.1.4.1.1.7"
_PREFIX = "1.2.840.10008.5.1.4.1.1."
_BY_CLASS: dict[str, Kind] = {
    **dict.fromkeys(
        (
            "2",  # CT Image
            "2.1",  # Enhanced CT
            "2.2",  # Legacy Converted Enhanced CT
            "4",  # MR Image
            "4.1",  # Enhanced MR
            "4.3",  # Enhanced MR Color
            "4.4",  # Legacy Converted Enhanced MR
            "128",  # PET Image
            "130",  # Enhanced PET
            "128.1",  # Legacy Converted Enhanced PET
            "20",  # NM (planar ones have no patient geometry and are told apart by that)
            "13.1.1",  # X-Ray 3D Angiographic
            "13.1.2",  # X-Ray 3D Craniofacial
            "30",  # Parametric Map
        ),
        Kind.VOLUME,
    ),
    "66.4": Kind.MASK,  # Segmentation
    "66.7": Kind.MASK,  # Label Map Segmentation
    "66.5": Kind.SURFACE,  # Surface Segmentation
    "68.1": Kind.SURFACE,  # Surface Scan Mesh
    "68.2": Kind.SURFACE,  # Surface Scan Point Cloud
    "481.2": Kind.DOSE,  # RT Dose
    "481.3": Kind.CONTOURS,  # RT Structure Set
    "77.1.4": Kind.PICTURE,  # VL Photographic
    "77.1.4.1": Kind.PICTURE,  # Video Photographic
}
_VOLUME_MODALITIES = frozenset({"CT", "MR", "PT", "NM", "OT", "SC", "RTIMAGE", ""})


def kind_of(sop_class_uid: str, modality: str) -> Kind:
    """Say what an object of this SOP Class and modality can show of a face; unknown image classes count as pictures."""
    if sop_class_uid == _SC or sop_class_uid.startswith(_SC + "."):
        # PRIVACY: captures made by CT, MR and PET workstations are mostly renderings (test_face_kinds.py)
        return Kind.PICTURE if modality in _VOLUME_MODALITIES else Kind.NOTHING
    known = _BY_CLASS.get(sop_class_uid.removeprefix(_PREFIX)) if sop_class_uid.startswith(_PREFIX) else None
    if known is not None:
        return known
    if modality in {"CT", "MR", "PT"}:
        return Kind.PICTURE  # PRIVACY: a class that we do not know, by a modality that sees skin: held until looked at
    return Kind.NOTHING
