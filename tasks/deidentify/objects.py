"""One source file to one rebuilt object: the dataset that the pixel and face stages get.

What was done by the later stages is declared in markers.py; writing is in writing.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import UID

from tasks.deidentify import charsets
from tasks.deidentify.context import StudyContext
from tasks.deidentify.rebuild import Cleaned, Level, swapped
from tasks.elements import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    PIXEL_DATA,
    UNDEFINED,
    ObjectBytes,
    Unreadable,
    open_object,
    walk,
)
from tasks.model import Instance, Reason

if TYPE_CHECKING:
    from tasks.intake import SourceFile

_NATIVE = frozenset(("", IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED))
# Documents inside a DICOM wrapper: no cleaner of ours is proved on them.
_ENCAPSULATED = "1.2.840.10008.5.1.4.1.1.104."
_TEXT_VRS = frozenset(("SH", "LO", "ST", "LT", "UT", "UC", "PN", "SQ"))


def deidentify_object(source: SourceFile, context: StudyContext) -> Instance | Reason:
    """Rebuild one object from its allowed elements in Explicit VR Little Endian (compressed pixels keep their syntax).

    Returns a Reason when the object cannot be made safe. Never raises on data.
    """
    if source.sop_class_uid.startswith(_ENCAPSULATED):
        return Reason.ENCAPSULATED_DOCUMENT
    try:
        opened = open_object(source.file.path.read_bytes())
        return _rebuilt(source, opened, context)
    except Unreadable as unreadable:
        return unreadable.reason
    except RecursionError:
        return Reason.NESTED_TOO_DEEP


def _rebuilt(source: SourceFile, opened: ObjectBytes, context: StudyContext) -> Instance | Reason:
    native = opened.transfer_syntax_uid in _NATIVE
    syntax = EXPLICIT_LITTLE if native else opened.transfer_syntax_uid
    level = Level((), opened.encoding, charsets.encodings_of(b""), False, context.policy.max_nesting)
    cleaned = context.rebuilder(source).rebuild(opened.buffer, opened.start, len(opened.buffer), level)
    elements = {tag: RawDataElement(BaseTag(tag), vr, len(value), value, 0, False, True) for tag, (vr, value) in cleaned.items()}
    pixels = _pixel_element(opened, cleaned, native)
    if isinstance(pixels, Reason):
        return pixels
    if pixels is not None:
        elements[int(pixels.tag)] = pixels
    character_set = _character_set(cleaned)
    if character_set:
        elements[0x00080005] = RawDataElement(BaseTag(0x00080005), "CS", len(character_set), character_set, 0, False, True)
    dataset = Dataset({element.tag: element for _, element in sorted(elements.items())})
    dataset.set_original_encoding(False, True, ["utf8"])
    sop_uid = context.pseudonyms.uid(source.sop_instance_uid)
    dataset.file_meta = _file_meta(source.sop_class_uid, sop_uid, syntax)
    return Instance(
        source=source.file,
        dataset=dataset,
        sop_instance_uid=sop_uid,
        series_instance_uid=context.pseudonyms.uid(source.series_instance_uid),
        sop_class_uid=source.sop_class_uid,
        transfer_syntax_uid=syntax,
        modality=source.modality,
    )


def _pixel_element(opened: ObjectBytes, cleaned: Cleaned, native: bool) -> RawDataElement | Reason | None:
    """Return pixel data as it is, native words in little endian order."""
    found = None
    for element in walk(opened.buffer, opened.start, len(opened.buffer), opened.encoding, 64):
        if element.tag in (0x7FE00008, 0x7FE00009, PIXEL_DATA):
            found = element
    if found is None:
        return None
    if found.undefined == native:
        return Reason.INVALID_OBJECT
    value = opened.buffer[found.start : found.stop]
    if found.undefined:
        return RawDataElement(BaseTag(found.tag), "OB", UNDEFINED, value, 0, False, True)
    bits = int.from_bytes(cleaned.get(0x00280100, ("US", b"\x10\x00"))[1][:2], "little")
    vr = {0x7FE00008: "OF", 0x7FE00009: "OD"}.get(found.tag) or ("OW" if bits > 8 or found.vr in ("", "OW") else "OB")
    if not opened.encoding.little and bits > 8:
        value = swapped(value, bits // 8)
    return RawDataElement(BaseTag(found.tag), vr, len(value), value, 0, False, True)


def _character_set(cleaned: Cleaned) -> bytes:
    """Return the Specific Character Set of the rebuilt object: none for ASCII, UTF-8 for everything else."""
    if all(value.isascii() for vr, value in cleaned.values() if vr in _TEXT_VRS):
        return b""
    return charsets.UTF8.encode()


def _file_meta(sop_class_uid: str, sop_uid: str, syntax: str) -> FileMetaDataset:
    from tasks.deidentify.writing import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION

    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_uid)
    meta.TransferSyntaxUID = UID(syntax)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    return meta
