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
from tasks.deidentify.codestreams import Unclean
from tasks.deidentify.colour import holds_text, used_colours
from tasks.deidentify.container import clean_fragments, clean_native, colours_used, describe_pixels
from tasks.deidentify.context import StudyContext
from tasks.deidentify.iod import top_level_types
from tasks.deidentify.rebuild import Cleaned, Level, swapped
from tasks.elements import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    PIXEL_DATA,
    UNDEFINED,
    Element,
    ObjectBytes,
    Unreadable,
    fragments,
    open_object,
    top_level,
)
from tasks.model import Instance, Reason

if TYPE_CHECKING:
    from tasks.deidentify.text import TextCleaner
    from tasks.intake import SourceFile

_NATIVE = frozenset(("", IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED))
# Documents inside a DICOM wrapper: no cleaner of ours is proved on them.
_ENCAPSULATED = "1.2.840.10008.5.1.4.1.1.104."
_STRUCTURED = "1.2.840.10008.5.1.4.1.1.88."
_BY_REFERENCE = b"\x40\x00\x73\xdb"  # (0040,DB73): content items that point at others by position
_PIXEL_DATA = frozenset((0x7FE00008, 0x7FE00009, PIXEL_DATA))
_PATIENT_ID = BaseTag(0x00100020)
_CHARSET = BaseTag(0x00080005)


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
    except Unclean:
        return Reason.CONTENT_NOT_CLEANED
    except RecursionError:
        return Reason.NESTED_TOO_DEEP


def _rebuilt(source: SourceFile, opened: ObjectBytes, context: StudyContext) -> Instance | Reason:
    native = opened.transfer_syntax_uid in _NATIVE
    syntax = EXPLICIT_LITTLE if native else opened.transfer_syntax_uid
    found, pixels = elements_of(opened, context.policy.max_nesting)
    level = Level(opened.encoding, context.policy.max_nesting, types=top_level_types(source.sop_class_uid))
    level.references = _BY_REFERENCE in opened.buffer if source.sop_class_uid.startswith(_STRUCTURED) else False
    cleaned = context.rebuilder(source).rebuild(opened.buffer, found, level)
    elements = {
        BaseTag(tag): RawDataElement(BaseTag(tag), vr, len(value), value, 0, False, True) for tag, (vr, value, _) in cleaned.items()
    }
    if _PATIENT_ID not in elements:  # every released object belongs to a patient of the manifests
        pseudonym = context.patient_id(source).encode()
        pseudonym += b" " * (len(pseudonym) % 2)
        elements[_PATIENT_ID] = RawDataElement(_PATIENT_ID, "LO", len(pseudonym), pseudonym, 0, False, True)
    character_set = charsets.UTF8.encode() if any(kept[2] for kept in cleaned.values()) else charsets.declared(opened.buffer, found)
    if character_set:
        elements[_CHARSET] = RawDataElement(_CHARSET, "CS", len(character_set), character_set, 0, False, True)
    if pixels is not None:
        if pixels.undefined == native:
            return Reason.INVALID_OBJECT
        data = _pixel_data(opened, pixels, cleaned, syntax)
        for tag, table in _palette(cleaned, data, context.rebuilder(source).values.cleaner).items():
            elements[BaseTag(tag)] = RawDataElement(BaseTag(tag), "OW", len(table), table, 0, False, True)
        elements[data.tag] = data
    elif not native:
        syntax = EXPLICIT_LITTLE
    dataset = Dataset({tag: elements[tag] for tag in sorted(elements)})
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


def elements_of(opened: ObjectBytes, depth: int) -> tuple[list[Element], Element | None]:
    """Return the top-level elements and the pixel data among them."""
    found: list[Element] = []
    pixels: Element | None = None
    for element in top_level(opened, depth):
        if element.tag not in _PIXEL_DATA:
            found.append(element)
        elif pixels is not None:
            raise Unreadable(Reason.INVALID_OBJECT)
        else:
            pixels = element
    return found, pixels


def _pixel_data(opened: ObjectBytes, pixels: Element, cleaned: Cleaned, syntax: str) -> RawDataElement:
    """Return the pixel data element without anything but pixels; raises Unclean when that cannot be said of it."""
    described = describe_pixels(cleaned)
    tag = BaseTag(pixels.tag)
    if pixels.undefined:
        bounds = fragments(opened.buffer, pixels.start, pixels.stop + 8)
        value, _ = clean_fragments(opened.buffer, bounds, described, syntax)
        return RawDataElement(tag, "OB", UNDEFINED, value, 0, False, True)
    value = opened.buffer[pixels.start : pixels.stop]
    if pixels.tag != PIXEL_DATA:
        value = value if opened.encoding.little else swapped(value, 4 if pixels.tag == 0x7FE00008 else 8)
        return RawDataElement(tag, "OF" if pixels.tag == 0x7FE00008 else "OD", len(value), value, 0, False, True)
    value = clean_native(value, described, little=opened.encoding.little)
    vr = "OW" if described.bits_allocated > 8 or pixels.vr != "OB" else "OB"
    return RawDataElement(tag, vr, len(value), value, 0, False, True)


def _palette(cleaned: Cleaned, pixels: RawDataElement, cleaner: TextCleaner) -> dict[int, bytes]:
    """Return the palette with the colours that are used; raises Unclean when words stand among them."""
    found: dict[int, bytes] = {}
    used: list[int] | None = None
    for number, tag in enumerate((0x00281201, 0x00281202, 0x00281203, 0x00281204)):
        descriptor = cleaned.get(0x00281101 + number)
        if tag not in cleaned or descriptor is None or len(descriptor[1]) != 6:
            continue
        entries, first, bits = (int.from_bytes(descriptor[1][i : i + 2], "little") for i in (0, 2, 4))
        if used is None and pixels.length != UNDEFINED:
            used = colours_used(pixels.value or b"", describe_pixels(cleaned))
        entries = entries or 1 << 16
        entry_bytes = 1 if bits == 8 and len(cleaned[tag][1]) < 2 * entries else 2
        table = used_colours(cleaned[tag][1], entries, entry_bytes, None if used is None else [index - first for index in used])
        if holds_text(table, cleaner):
            raise Unclean
        found[tag] = table + b"\x00" * (len(table) % 2)
    return found


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
