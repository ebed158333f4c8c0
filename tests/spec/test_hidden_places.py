"""The torture set: one token of the patient in every place where a byte can hide; it comes out nowhere, in no encoding."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate

from tasks.model import Reason
from tests.spec.made import ct_bytes, ct_elements, deidentified, element, item, part10, sequence, written

TOKEN = "QUAGMIREX7"
RAW = TOKEN.encode()
NAME = element(0x00100010, "PN", f"{TOKEN}^Ossian")
ID = element(0x00100020, "LO", TOKEN)
JPEG, J2K, RLE_SYNTAX = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"
US = lambda n: struct.pack("<H", n)  # noqa: E731


def left(raw: bytes, token: bytes = RAW) -> bool:
    """Say whether the token is in these bytes: as it is, in UTF-16, base64, hex, bit-shifted by none, in either case."""
    low = raw.lower()
    forms = [token, token.decode().encode("utf-16-le"), token.hex().encode(), base64.b64encode(token)[:12]]
    return any(form.lower() in low for form in forms)


def frames(syntax: str, *streams: bytes, rows: int = 8, columns: int = 8, extra: tuple[bytes, ...] = ()) -> bytes:
    made = ct_elements(rows=rows, columns=columns)
    value = encapsulate(list(streams))
    made[0x7FE00010] = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + value + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    for one in (element(0x00280100, "US", US(8)), element(0x00280101, "US", US(8)), element(0x00280102, "US", US(7)), *extra):
        group, number = struct.unpack("<HH", one[:4])
        made[group << 16 | number] = one
    made[0x00280103] = element(0x00280103, "US", US(0))
    return part10(b"".join(made[t] for t in sorted(made)), syntax)


def jpeg(*segments: bytes) -> bytes:
    import cv2

    done, data = cv2.imencode(".jpg", np.arange(64, dtype=np.uint8).reshape(8, 8))
    assert done
    stream = data.tobytes()
    return stream[:2] + b"".join(segments) + stream[2:]


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def j2k(comment: bytes) -> bytes:
    from openjpeg.utils import encode_array

    stream = bytes(encode_array((np.arange(4096) % 251).astype(np.uint8).reshape(64, 64), photometric_interpretation=2))
    siz = 4 + struct.unpack(">H", stream[4:6])[0]
    return stream[:siz] + segment(0x64, b"\x00\x01" + comment) + stream[siz:]


def rle(tail: bytes) -> bytes:
    body = bytes([63]) + bytes(64)
    return struct.pack("<16L", 1, 64, *[0] * 14) + body + b"\x00" + tail


def private(tag: int, creator: str, vr: str, value: bytes | str) -> tuple[bytes, bytes]:
    return element(tag & 0xFFFF0000 | tag >> 8 & 0xFF, "LO", creator), element(tag, vr, value)


def high_bits() -> bytes:
    pixels = np.arange(64 * 64, dtype="<u2") % 4096
    pixels[: len(RAW) * 2] |= np.frombuffer(b"".join(bytes([b >> 4, b & 15]) for b in RAW), np.uint8).astype("<u2") << 12
    return ct_bytes(
        element(0x7FE00010, "OW", pixels.tobytes()),
        element(0x00280101, "US", US(12)),
        element(0x00280102, "US", US(11)),
        element(0x00280103, "US", US(0)),
        rows=64,
        columns=64,
    )


def nested_deep(levels: int) -> bytes:
    one = element(0x00100010, "PN", f"{TOKEN}^A")
    for _ in range(levels):
        one = sequence(0x00081140, item(one, element(0x00081155, "UI", "1.2.3.4")))
    return one


def icc() -> bytes:
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    return bytes(profile).replace(b"sRGB built-in"[:10], RAW) + RAW


def sr(*content: bytes) -> bytes:
    made = {t: e for t, e in ct_elements().items() if t < 0x00280000 and t not in (0x00180050, 0x00200032, 0x00200037)}
    made[0x00080016] = element(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.88.33")
    made[0x00080060] = element(0x00080060, "CS", "SR")
    made[0x0040A040] = element(0x0040A040, "CS", "CONTAINER")
    made[0x0040A730] = sequence(0x0040A730, *content)
    return part10(b"".join(made[t] for t in sorted(made)), sop_class="1.2.840.10008.5.1.4.1.1.88.33")


def code(tag: int, value: str, scheme: str, meaning: str) -> bytes:
    return sequence(tag, item(element(0x00080100, "SH", value), element(0x00080102, "SH", scheme), element(0x00080104, "LO", meaning)))


def text_item(value: str, concept: tuple[str, str, str] = ("121071", "DCM", "Finding"), kind: str = "TEXT") -> bytes:
    value_element = element(0x0040A123, "PN", value) if kind == "PNAME" else element(0x0040A160, "UT", value)
    return item(element(0x0040A010, "CS", "CONTAINS"), element(0x0040A040, "CS", kind), code(0x0040A043, *concept), value_element)


def palette(tail: bytes = b"") -> bytes:
    """Return a palette image whose unused colours spell the token, which is the patient's id as well."""
    colours = bytearray(bytes(range(0, 250, 5)) * 6)[:256] + bytearray(256)
    colours[300 : 300 + len(RAW)] = RAW
    luts = [element(0x00281101 + n, "US", US(256) + US(0) + US(16)) for n in range(3)]
    luts += [element(0x00281201 + n, "OW", bytes(colours) + tail) for n in range(3)]
    return ct_bytes(
        ID,
        element(0x00280004, "CS", "PALETTE COLOR"),
        element(0x00280100, "US", US(8)),
        element(0x00280101, "US", US(8)),
        element(0x00280102, "US", US(7)),
        element(0x00280103, "US", US(0)),
        element(0x7FE00010, "OB", bytes(range(16))),
        *luts,
    )


LATIN1 = element(0x00080005, "CS", "ISO_IR 100")
CHANNELS: dict[str, Callable[[], bytes]] = {
    "PatientID and name": lambda: ct_bytes(NAME, ID),
    "preamble": lambda: RAW.ljust(128, b"\0") + ct_bytes()[128:],
    "trailing bytes after the pixel data": lambda: ct_bytes() + RAW * 3,
    "trailing bytes like elements": lambda: ct_bytes() + element(0xFFFCFFFC, "OB", RAW) + element(0x00100010, "PN", TOKEN),
    "bytes after the last frame": lambda: ct_bytes(element(0x7FE00010, "OW", bytes(range(1, 33)) + RAW * 2)),
    "unused high bits": high_bits,
    "JPEG comment": lambda: frames(JPEG, jpeg(segment(0xFE, RAW))),
    "JPEG Exif": lambda: frames(JPEG, jpeg(segment(0xE1, b"Exif\0\0" + RAW))),
    "JPEG APP0 with more": lambda: frames(JPEG, jpeg(segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\3\3" + RAW))),
    "JPEG APP14 with more": lambda: frames(JPEG, jpeg(segment(0xEE, b"Adobe\0\144\0\0\0\0\0" + RAW))),
    "JPEG APP13": lambda: frames(JPEG, jpeg(segment(0xED, b"Photoshop 3.0\0" + RAW))),
    "after JPEG's end": lambda: frames(JPEG, jpeg() + RAW),
    "JPEG 2000 comment": lambda: frames(J2K, j2k(RAW), rows=64, columns=64),
    "after JPEG 2000's end": lambda: frames(J2K, j2k(b"x") + RAW, rows=64, columns=64),
    "after RLE's end": lambda: frames(RLE_SYNTAX, rle(RAW)),
    "a fragment more than frames": lambda: frames(JPEG, jpeg(), RAW + RAW, extra=(element(0x00280008, "IS", "1"),)),
    "offset table": lambda: frames(JPEG, jpeg(), extra=(element(0x7FE00001, "OV", RAW.ljust(16, b"\0")),)),
    "extended offset table lengths": lambda: frames(JPEG, jpeg(), extra=(element(0x7FE00002, "OV", RAW.ljust(16, b"\0")),)),
    "text in InstanceNumber": lambda: ct_bytes(element(0x00200013, "IS", TOKEN)),
    "text in SliceThickness": lambda: ct_bytes(element(0x00180050, "DS", f"1.0\\{TOKEN}")),
    "text in Rows of another VR": lambda: ct_bytes(element(0x00280034, "LO", TOKEN)),
    "name in BodyPartExamined": lambda: ct_bytes(element(0x00180015, "CS", TOKEN)),
    "name in ImageType": lambda: ct_bytes(element(0x00080008, "CS", f"ORIGINAL\\PRIMARY\\{TOKEN}")),
    "name in a CS without list": lambda: ct_bytes(element(0x00189073, "CS", TOKEN)),
    "name in PatientPosition": lambda: ct_bytes(element(0x00185100, "CS", TOKEN)),
    "name in PatientSex": lambda: ct_bytes(element(0x00100040, "CS", TOKEN)),
    "name in PatientAge": lambda: ct_bytes(element(0x00101010, "AS", TOKEN)),
    "malformed StudyDate": lambda: ct_bytes(element(0x00080020, "DA", TOKEN)),
    "malformed StudyTime": lambda: ct_bytes(element(0x00080030, "TM", TOKEN)),
    "malformed AcquisitionDateTime": lambda: ct_bytes(element(0x0008002A, "DT", f"20200101{TOKEN}")),
    "no UID in a UID": lambda: ct_bytes(element(0x00200052, "UI", TOKEN)),
    "unknown standard tag": lambda: ct_bytes(element(0x00281199, "LO", TOKEN)),
    "group length": lambda: ct_bytes(element(0x00100000, "UL", RAW[:4])),
    "command group": lambda: ct_bytes(element(0x00001000, "UI", TOKEN), NAME),
    "directory group": lambda: ct_bytes(element(0x00041500, "CS", TOKEN)),
    "overlay data": lambda: ct_bytes(element(0x60003000, "OW", RAW), element(0x60000010, "US", US(8)), element(0x60000011, "US", US(10))),
    "overlay description": lambda: ct_bytes(element(0x60020022, "LO", TOKEN)),
    "overlay label": lambda: ct_bytes(element(0x601E1500, "LO", TOKEN)),
    "overlay comments": lambda: ct_bytes(element(0x60044000, "LT", TOKEN)),
    "curve data": lambda: ct_bytes(element(0x50003000, "OW", RAW)),
    "curve label": lambda: ct_bytes(element(0x50002500, "LO", TOKEN)),
    "private without creator": lambda: ct_bytes(element(0x00111001, "LO", TOKEN)),
    "private of an unknown creator": lambda: ct_bytes(*private(0x00111001, "ACME", "LO", TOKEN)),
    "private creator is the name": lambda: ct_bytes(*private(0x00111001, TOKEN, "DS", "1")),
    "safe private text": lambda: ct_bytes(NAME, *private(0x0019109E, "GEMS_ACQU_01", "LO", f"seq {TOKEN}")),
    "safe private number": lambda: ct_bytes(*private(0x00191023, "GEMS_ACQU_01", "DS", TOKEN)),
    "safe private as UN": lambda: ct_bytes(NAME, *private(0x0019109E, "GEMS_ACQU_01", "UN", f"seq {TOKEN}")),
    "private sequence with standard tags": lambda: ct_bytes(
        *private(0x2001105F, "Philips Imaging DD 001", "SQ", item(element(0x00100010, "PN", TOKEN), element(0x00104000, "LT", TOKEN)))
    ),
    "private sequence as UN": lambda: ct_bytes(
        *private(0x2001105F, "Philips Imaging DD 001", "UN", struct.pack("<HHLHHL", 0xFFFE, 0xE000, 18, 0x10, 0x10, 10) + RAW)
    ),
    "CSA header": lambda: ct_bytes(*private(0x00291010, "SIEMENS CSA HEADER", "OB", b"SV10" + RAW)),
    "MrPhoenixProtocol": lambda: ct_bytes(*private(0x00211019, "SIEMENS MR SDS 01", "OB", RAW)),
    "GE protocol data block": lambda: ct_bytes(*private(0x0025101B, "GEMS_SERS_01", "OB", RAW)),
    "called SAFE by the object": lambda: ct_bytes(
        NAME,
        sequence(
            0x00080300,
            item(element(0x00080301, "US", US(0x11)), element(0x00080302, "LO", "ACME"), element(0x00080303, "CS", "SAFE")),
        ),
        *private(0x00111001, "ACME", "LO", TOKEN),
    ),
    "private data element characteristics": lambda: ct_bytes(sequence(0x00080300, item(element(0x00080302, "LO", TOKEN)))),
    "PN in UN": lambda: ct_bytes(element(0x00081048, "UN", TOKEN)),
    "unknown tag in UN": lambda: ct_bytes(element(0x00281199, "UN", TOKEN)),
    "sequence in UN": lambda: ct_bytes(element(0x00081140, "UN", struct.pack("<HHLHHL", 0xFFFE, 0xE000, 18, 0x10, 0x10, 10) + RAW)),
    "31 levels down": lambda: ct_bytes(nested_deep(31)),
    "OriginalAttributesSequence": lambda: ct_bytes(
        sequence(0x04000561, item(sequence(0x04000550, item(element(0x00100010, "PN", TOKEN))), element(0x04000564, "LO", TOKEN)))
    ),
    "digital signature": lambda: ct_bytes(sequence(0xFFFAFFFA, item(element(0x04000115, "OB", RAW)))),
    "MAC parameters": lambda: ct_bytes(sequence(0x4FFE0001, item(element(0x04000015, "CS", TOKEN)))),
    "encrypted attributes": lambda: ct_bytes(sequence(0x04000500, item(element(0x04000520, "OB", RAW)))),
    "icon image": lambda: ct_bytes(sequence(0x00880200, item(element(0x7FE00010, "OW", RAW)))),
    "ICC profile": lambda: ct_bytes(element(0x00282000, "OB", icc())),
    "ICC that is none": lambda: ct_bytes(element(0x00282000, "OB", RAW * 20)),
    "palette": palette,
    "after the palette": lambda: palette(RAW),
    "VOI LUT data": lambda: ct_bytes(
        sequence(0x00283010, item(element(0x00283002, "US", US(10) + US(0) + US(8)), element(0x00283006, "OW", RAW)))
    ),
    "VOI LUT explanation": lambda: ct_bytes(NAME, sequence(0x00283010, item(element(0x00283003, "LO", TOKEN)))),
    "UTF-16 in OB": lambda: ct_bytes(element(0x00420011, "OB", TOKEN.encode("utf-16-le"))),
    "base64 in UT": lambda: ct_bytes(element(0x0040A160, "UT", base64.b64encode(RAW)), NAME, ID),
    "StudyDescription": lambda: ct_bytes(NAME, element(0x00081030, "LO", f"CT chest {TOKEN}")),
    "StudyDescription, other case": lambda: ct_bytes(NAME, element(0x00081030, "LO", f"CT chest {TOKEN.lower()}")),
    "ImageComments": lambda: ct_bytes(NAME, element(0x00204000, "LT", f"shown to {TOKEN} today")),
    "ProtocolName": lambda: ct_bytes(NAME, element(0x00181030, "LO", f"{TOKEN} HEAD")),
    "SoftwareVersions": lambda: ct_bytes(ID, element(0x00181020, "LO", f"v1\\{TOKEN}")),
    "after a NUL": lambda: ct_bytes(element(0x0008103E, "LO", b"chest\0" + RAW)),
    "CodeValue": lambda: ct_bytes(ID, code(0x00082218, TOKEN, "SCT", "Chest")),
    "CodeMeaning": lambda: ct_bytes(NAME, code(0x00082218, "51185008", "SCT", f"Chest {TOKEN}")),
    "CodingSchemeDesignator": lambda: ct_bytes(NAME, code(0x00082218, "51185008", TOKEN, "Chest")),
    "StationName": lambda: ct_bytes(element(0x00081010, "SH", TOKEN)),
    "DeviceSerialNumber": lambda: ct_bytes(element(0x00181000, "LO", TOKEN)),
    "RetrieveURL": lambda: ct_bytes(element(0x00081190, "UR", f"http://pacs/{TOKEN}")),
    "OtherPatientIDsSequence": lambda: ct_bytes(sequence(0x00101002, item(element(0x00100020, "LO", TOKEN)))),
    "graphic annotation": lambda: ct_bytes(
        NAME, sequence(0x00700001, item(element(0x00700002, "CS", "LAYER"), sequence(0x00700008, item(element(0x00700006, "ST", TOKEN)))))
    ),
    "graphic layer": lambda: ct_bytes(sequence(0x00700060, item(element(0x00700002, "CS", TOKEN), element(0x00700062, "IS", "1")))),
    "waveform annotation": lambda: ct_bytes(NAME, sequence(0x0040B020, item(element(0x00700006, "ST", TOKEN)))),
    "channel label": lambda: ct_bytes(NAME, sequence(0x54000100, item(sequence(0x003A0200, item(element(0x003A0203, "SH", TOKEN)))))),
    "segment label": lambda: ct_bytes(NAME, sequence(0x00620002, item(element(0x00620005, "LO", TOKEN)))),
    "tracking id": lambda: ct_bytes(ID, sequence(0x00620002, item(element(0x00620020, "UT", TOKEN)))),
    "ROI name": lambda: ct_bytes(NAME, sequence(0x30060020, item(element(0x30060026, "LO", f"GTV {TOKEN}")))),
    "RT plan label": lambda: ct_bytes(NAME, element(0x300A0002, "SH", TOKEN)),
    "numbers that are letters": lambda: ct_bytes(element(0x00189087, "FD", RAW[:8]), element(0x00280009, "AT", RAW[:8])),
    "SR text": lambda: sr(text_item(f"Seen with {TOKEN}^Ossian")).replace(b"Vantreight", RAW),
    "SR person": lambda: sr(text_item(TOKEN, ("121008", "DCM", "Person Observer Name"), "PNAME")),
    "SR subject id": lambda: sr(text_item(TOKEN, ("121030", "DCM", "Subject ID"))),
    "SR accession": lambda: sr(text_item(TOKEN, ("121022", "DCM", "Accession Number"))),
    "duplicate element": lambda: ct_bytes(NAME + element(0x00100010, "PN", TOKEN)),
    "element out of order": lambda: ct_bytes(
        element(0x00080090, "PN", "A") + element(0x00080020, "DA", "20200101") + element(0x00081048, "PN", TOKEN)
    ),
    "name written in UTF-8 under Latin-1": lambda: ct_bytes(
        LATIN1, element(0x00100010, "PN", "Müller^QUAGMIREX7".encode()), element(0x0008103E, "LO", "Schädel QUAGMIREX7".encode())
    ),
}


@pytest.mark.parametrize("policy", ["shifted-dates", "strict"])
@pytest.mark.parametrize("channel", CHANNELS)
def test_the_token_comes_out_nowhere(channel: str, policy: str, tmp_path: Path) -> None:
    content = CHANNELS[channel]()
    assert left(content) or channel in ("unused high bits", "group length", "numbers that are letters")
    (done, *_) = deidentified(tmp_path, content, policy=policy)
    if isinstance(done, Reason):
        return  # withheld: nothing is written; which reasons are allowed is in test_what_is_withheld
    raw = written(done, tmp_path / "out.dcm")
    assert not left(raw)
    assert not left(raw, RAW[:8])
    pydicom.dcmread(io.BytesIO(raw), force=False)


def test_what_is_withheld(tmp_path: Path) -> None:
    withheld = {}
    for channel, make in CHANNELS.items():
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        (done, *_) = deidentified(folder, make())
        if isinstance(done, Reason):
            withheld[channel] = done
    assert withheld == {}


def test_pixels_under_cleared_bits_are_kept(tmp_path: Path) -> None:
    (done,) = deidentified(tmp_path, high_bits())
    released = pydicom.dcmread(io.BytesIO(written(done, tmp_path / "out.dcm")))
    assert (np.arange(64 * 64) % 4096).tolist() == np.frombuffer(released.PixelData, "<u2").tolist()


@pytest.mark.parametrize(
    "channel", ["JPEG comment", "JPEG Exif", "after JPEG's end", "JPEG 2000 comment", "after JPEG 2000's end", "after RLE's end"]
)
def test_cleaned_streams_decode_to_the_same_pixels(channel: str, tmp_path: Path) -> None:
    content = CHANNELS[channel]()
    (done,) = deidentified(tmp_path, content)
    released = pydicom.dcmread(io.BytesIO(written(done, tmp_path / "out.dcm")))
    assert (pydicom.dcmread(io.BytesIO(content)).pixel_array == released.pixel_array).all()
