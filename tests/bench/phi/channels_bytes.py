# ruff: noqa: E501 - tables of channels, a row each
"""Channels in bytes: the container, what surrounds pixels, what hides inside code streams, tables and profiles.

Channels in data elements are in `channels_elements`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.bench.phi.channels_elements import _raw, _raw_bytes, _word
from tests.bench.phi.key import Build

CONTAINER = "container"
INSIDE = "bytes inside values"


def planted(build: Build) -> Iterator[Callable[[], None]]:
    """Yield the channels that fit the object's pixels and syntax; calling one plants it."""
    names = [_preamble, _meta, _meta_private, _trailing, _padding, _icon, _lut_explanation, _voi_lut_bytes, _icc]
    syntax = str(build.dataset.file_meta.TransferSyntaxUID)
    if "PixelData" in build.dataset:
        native = not build.dataset.file_meta.TransferSyntaxUID.is_compressed
        if native:
            names += [_after_last_frame, _overlay_data]
            if build.dataset.BitsAllocated == 16 and build.dataset.BitsStored <= 12:
                names += [_high_bits]
        if syntax in ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.57"):
            names += [_jpeg_com, _jpeg_exif, _jpeg_app13, _after_eoi, _offset_table, _extra_fragment]
        if syntax in ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"):
            names += [_j2k_comment, _after_eoc, _j2k_xml]
        if syntax in ("1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"):
            names += [_jpeg_com, _after_eoi]
        if syntax == "1.2.840.10008.1.2.5":
            names += [_rle_tail]
        if build.dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
            names += [_palette]
    if "WaveformSequence" in build.dataset:
        names += [_waveform_annotation, _waveform_label]
    yield from (lambda n=name: n(build) for name in names)  # type: ignore[misc]


def _preamble(build: Build) -> None:
    if word := _word(build, "preamble", CONTAINER):
        build.edits.append(lambda data: word.encode().ljust(128, b"\0") + data[128:])


def _meta(build: Build) -> None:
    for keyword in ("SourceApplicationEntityTitle", "ImplementationVersionName", "SendingApplicationEntityTitle"):
        if word := _word(build, f"file meta {keyword}", CONTAINER):
            setattr(build.dataset.file_meta, keyword, word)


def _meta_private(build: Build) -> None:
    if word := _word(build, "file meta private information", CONTAINER):
        build.dataset.file_meta.PrivateInformationCreatorUID = "1.2.3.4"
        build.dataset.file_meta.PrivateInformation = word.encode() + b"\0" * (len(word) % 2)


def _trailing(build: Build) -> None:
    if word := _word(build, "data set trailing padding", CONTAINER):
        _raw(build.dataset, 0xFFFCFFFC, "OB", word)


def _padding(build: Build) -> None:
    if word := _word(build, "NULs and text after the data set", CONTAINER):
        build.edits.append(lambda data: data + b"\0" * 64 + word.encode())


def _icon(build: Build) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    if word := _word(build, "icon image", INSIDE):
        icon = Dataset()
        icon.Rows, icon.Columns, icon.BitsAllocated, icon.SamplesPerPixel = 4, 4, 8, 1
        icon.BitsStored, icon.HighBit, icon.PixelRepresentation, icon.PhotometricInterpretation = 8, 7, 0, "MONOCHROME2"
        _raw_bytes(icon, 0x7FE00010, "OB", word.encode().ljust(16, b"\0"))
        build.dataset.IconImageSequence = Sequence([icon])


def _lut_explanation(build: Build) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    if build.active("VOI LUT explanation"):
        from tests.bench.phi.channels_elements import _alias, _plant

        own = build.people.surname()
        build.plants.append(_plant("VOI LUT explanation", INSIDE, own))
        _alias(build, own)
        lut = Dataset()
        lut.LUTDescriptor, lut.LUTExplanation = [4, 0, 16], own
        _raw_bytes(lut, 0x00283006, "OW", b"\0\0\1\0\2\0\3\0")
        build.dataset.VOILUTSequence = Sequence([lut])


def _voi_lut_bytes(build: Build) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    if word := _word(build, "bytes after a LUT's last entry", INSIDE):
        lut = Dataset()
        lut.LUTDescriptor, lut.ModalityLUTType = [4, 0, 16], "HU"
        _raw_bytes(lut, 0x00283006, "OW", b"\0\0\1\0\2\0\3\0" + word.encode() + b"\0" * (len(word) % 2))
        build.dataset.VOILUTSequence = Sequence([lut])


def _icc(build: Build) -> None:
    if (word := _word(build, "ICC profile text", INSIDE)) and build.dataset.get("SamplesPerPixel", 1) == 3:
        _raw_bytes(build.dataset, 0x00282000, "OB", icc_profile(word))


def icc_profile(text: str) -> bytes:
    """Return a small ICC profile whose description and copyright say `text`."""
    body = b"desc\0\0\0\0" + (len(text) + 1).to_bytes(4, "big") + text.encode() + b"\0" + b"\0" * 78
    body += b"\0" * (-len(body) % 4)
    table = (1).to_bytes(4, "big") + b"desc" + (144).to_bytes(4, "big") + len(body).to_bytes(4, "big")
    size = 128 + len(table) + len(body)
    header = size.to_bytes(4, "big") + b"\0\0\0\0\2\x10\0\0mntrRGB XYZ " + b"\0" * 12 + b"acsp" + b"\0" * 88
    return (header[:128] + table + body).ljust(size + size % 2, b"\0")


def _palette(build: Build) -> None:
    if word := _word(build, "bytes after a palette's last entry", INSIDE):
        data = build.dataset.RedPaletteColorLookupTableData
        _raw_bytes(build.dataset, 0x00281201, "OW", bytes(data) + word.encode() + b"\0" * (len(word) % 2))


def _after_last_frame(build: Build) -> None:
    if word := _word(build, "bytes after the last frame", INSIDE):
        build.dataset.PixelData = build.dataset.PixelData + word.encode() + b"\0" * (len(word) % 2)


def _overlay_data(build: Build) -> None:
    if word := _word(build, "overlay data", INSIDE):
        rows, columns = int(build.dataset.Rows), int(build.dataset.Columns)
        for tag, vr, data in ((0x60020010, "US", rows.to_bytes(2, "little")), (0x60020011, "US", columns.to_bytes(2, "little")), (0x60020040, "CS", b"G "),
                              (0x60020050, "SS", b"\1\0\1\0"), (0x60020100, "US", b"\1\0"), (0x60020102, "US", b"\0\0"),
                              (0x60023000, "OW", word.encode().ljust((rows * columns + 15) // 16 * 2, b"\0"))):  # fmt: skip
            _raw_bytes(build.dataset, tag, vr, data)


def _high_bits(build: Build) -> None:
    import numpy

    if word := _word(build, "unused high bits of the pixels", INSIDE):
        words = numpy.frombuffer(build.dataset.PixelData, "<u2").copy()
        if (words >> 12).any() or int(build.dataset.PixelRepresentation):
            build.plants.pop()
            return
        nibbles = [n for byte in word.encode() for n in (byte >> 4, byte & 15)]
        words[: len(nibbles)] |= numpy.array(nibbles, "<u2") << 12
        build.dataset.PixelData = words.tobytes()


def _frames(build: Build, change: Callable[[bytes], bytes]) -> None:
    from pydicom.encaps import encapsulate, generate_frames

    number = int(build.dataset.get("NumberOfFrames", 1) or 1)
    frames = [change(bytes(frame)) for frame in generate_frames(build.dataset.PixelData, number_of_frames=number)]
    build.dataset.PixelData = encapsulate(frames)
    build.dataset["PixelData"].is_undefined_length = True


def _segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + (len(body) + 2).to_bytes(2, "big") + body


def _jpeg_com(build: Build) -> None:
    if word := _word(build, "JPEG comment", INSIDE):
        _frames(build, lambda frame: frame[:2] + _segment(0xFE, word.encode()) + frame[2:])


def _jpeg_exif(build: Build) -> None:
    if word := _word(build, "JPEG Exif", INSIDE):
        exif = b"Exif\0\0II*\0\x08\0\0\0\1\0\x0e\1\2\0" + len(word).to_bytes(4, "little") + b"\x1a\0\0\0\0\0\0\0" + word.encode()
        _frames(build, lambda frame: frame[:2] + _segment(0xE1, exif) + frame[2:])


def _jpeg_app13(build: Build) -> None:
    if word := _word(build, "JPEG APP13", INSIDE):
        _frames(build, lambda frame: frame[:2] + _segment(0xED, b"Photoshop 3.0\0" + word.encode()) + frame[2:])


def _after_eoi(build: Build) -> None:
    if word := _word(build, "bytes after EOI", INSIDE):
        _frames(build, lambda frame: frame.rstrip(b"\0") + word.encode() + b"\0" * (len(word) % 2))


def _after_eoc(build: Build) -> None:
    if word := _word(build, "bytes after EOC", INSIDE):
        _frames(build, lambda frame: frame.rstrip(b"\0") + word.encode() + b"\0" * (len(word) % 2))


def _offset_table(build: Build) -> None:
    if word := _word(build, "text in the basic offset table", INSIDE):

        def change(data: bytes) -> bytes:
            at = data.index(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff") + 12
            length = int.from_bytes(data[at + 4 : at + 8], "little")
            text = word.encode() + b"\0" * (-len(word) % 4)
            return data[: at + 4] + len(text).to_bytes(4, "little") + text + data[at + 8 + length :]

        build.edits.append(change)


def _extra_fragment(build: Build) -> None:
    if word := _word(build, "an extra fragment", INSIDE):

        def change(data: bytes) -> bytes:
            at = data.rindex(b"\xfe\xff\xdd\xe0")
            text = word.encode() + b"\0" * (len(word) % 2)
            return data[:at] + b"\xfe\xff\x00\xe0" + len(text).to_bytes(4, "little") + text + data[at:]

        build.edits.append(change)


def _j2k_comment(build: Build) -> None:
    if word := _word(build, "JPEG 2000 comment", INSIDE):

        def change(frame: bytes) -> bytes:
            siz = frame.index(b"\xff\x51") + 2
            end = siz + int.from_bytes(frame[siz : siz + 2], "big")
            return frame[:end] + _segment(0x64, b"\0\1" + word.encode()) + frame[end:]

        _frames(build, change)


def _j2k_xml(build: Build) -> None:
    if word := _word(build, "JPEG 2000 comment, binary", INSIDE):

        def change(frame: bytes) -> bytes:
            siz = frame.index(b"\xff\x51") + 2
            end = siz + int.from_bytes(frame[siz : siz + 2], "big")
            return frame[:end] + _segment(0x64, b"\0\0" + word.encode()) + frame[end:]

        _frames(build, change)


def _rle_tail(build: Build) -> None:
    if word := _word(build, "bytes after the RLE segments", INSIDE):
        _frames(build, lambda frame: frame + word.encode() + b"\0" * (len(word) % 2))


def _waveform_annotation(build: Build) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    if build.active("waveform annotation"):
        from tests.bench.phi.channels_elements import _alias, _plant

        own = build.people.surname()
        build.plants.append(_plant("waveform annotation", INSIDE, own))
        _alias(build, own)
        item: Any = Dataset()
        item.UnformattedTextValue = f"confirmed by {own}"
        build.dataset.WaveformAnnotationSequence = Sequence([item])


def _waveform_label(build: Build) -> None:
    if word := _word(build, "channel label", INSIDE):
        own = word.capitalize()
        from tests.bench.phi.channels_elements import _alias

        _alias(build, own)
        build.dataset.WaveformSequence[0].ChannelDefinitionSequence[0].ChannelLabel = own
