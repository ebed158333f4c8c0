"""Small DICOM objects made element by element, so that a test says exactly which bytes go in. Judges nothing."""

from __future__ import annotations

import struct
from pathlib import Path

from tasks import deidentify
from tasks.intake import examine_files
from tasks.model import FaceOutcome, Instance, PixelOutcome, PulledFile, Reason
from tasks.policy import load_policy
from tasks.policy.headers import HeaderPolicy
from tasks.secret import Secret

SECRET = Secret(b"s" * 32)
CT, LONG = "1.2.840.10008.5.1.4.1.1.2", {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}


def element(tag: int, vr: str, value: bytes | str, *, pad: bool = True) -> bytes:
    """Encode one element in Explicit VR Little Endian."""
    raw = value.encode() if isinstance(value, str) else value
    if pad and len(raw) % 2:
        raw += b"\0" if vr in ("UI", "OB", "UN") else b" "
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (struct.pack("<HL", 0, len(raw)) if vr in LONG else struct.pack("<H", len(raw))) + raw


def item(*elements: bytes) -> bytes:
    body = b"".join(sorted((e for e in elements if e), key=lambda e: struct.unpack("<HH", e[:4])))
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(body)) + body


def sequence(tag: int, *items: bytes) -> bytes:
    return element(tag, "SQ", b"".join(items))


def part10(
    dataset: bytes, syntax: str = "1.2.840.10008.1.2.1", sop_class: str = CT, sop_uid: str = "1.2.3.4", preamble: bytes = bytes(128)
) -> bytes:
    meta = (
        element(0x00020001, "OB", b"\0\1")
        + element(0x00020002, "UI", sop_class)
        + element(0x00020003, "UI", sop_uid)
        + element(0x00020010, "UI", syntax)
        + element(0x00020012, "UI", "1.2.3")
    )
    return preamble + b"DICM" + element(0x00020000, "UL", struct.pack("<L", len(meta))) + meta + dataset


def ct_elements(sop_uid: str = "1.2.3.4", rows: int = 4, columns: int = 4) -> dict[int, bytes]:
    """Return a small valid CT image by tag; replace or add elements before joining them."""
    us = lambda n: struct.pack("<H", n)  # noqa: E731
    e = [
        (0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"),
        (0x00080016, "UI", CT),
        (0x00080018, "UI", sop_uid),
        (0x00080020, "DA", "20230115"),
        (0x00080030, "TM", "235959.5"),
        (0x00080050, "SH", "ACC778812"),
        (0x00080060, "CS", "CT"),
        (0x00080070, "LO", "GE MEDICAL SYSTEMS"),
        (0x00080090, "PN", "Quill^Sara"),
        (0x00100010, "PN", "Vantreight^Ossian"),
        (0x00100020, "LO", "MRN0077123"),
        (0x00100030, "DA", "19500203"),
        (0x00100040, "CS", "M"),
        (0x00101010, "AS", "072Y"),
        (0x00180050, "DS", "1.25"),
        (0x0020000D, "UI", "1.2.3.1"),
        (0x0020000E, "UI", "1.2.3.2"),
        (0x00200010, "SH", "ST7788"),
        (0x00200011, "IS", "3"),
        (0x00200013, "IS", "7"),
        (0x00200032, "DS", "-100\\-100\\12.5"),
        (0x00200037, "DS", "1\\0\\0\\0\\1\\0"),
        (0x00200052, "UI", "1.2.3.5"),
        (0x00280002, "US", us(1)),
        (0x00280004, "CS", "MONOCHROME2"),
        (0x00280010, "US", us(rows)),
        (0x00280011, "US", us(columns)),
        (0x00280030, "DS", "0.7\\0.7"),
        (0x00280100, "US", us(16)),
        (0x00280101, "US", us(16)),
        (0x00280102, "US", us(15)),
        (0x00280103, "US", us(1)),
        (0x00281052, "DS", "-1024"),
        (0x00281053, "DS", "1"),
        (0x7FE00010, "OW", bytes(range(256)) * (rows * columns * 2 // 256 + 1)),
    ]
    made = {tag: element(tag, vr, value) for tag, vr, value in e}
    made[0x7FE00010] = element(0x7FE00010, "OW", (bytes(range(1, 251)) * (rows * columns * 2 // 250 + 1))[: rows * columns * 2])
    return made


def ct_bytes(*extra: bytes, without: tuple[int, ...] = (), syntax: str = "1.2.840.10008.1.2.1", **kwargs: object) -> bytes:
    """Return a CT file; `extra` elements replace those of the same tag."""
    made = ct_elements(**kwargs)  # type: ignore[arg-type]  # sop_uid, rows, columns
    for tag in without:
        del made[tag]
    for one in extra:
        group, number = struct.unpack("<HH", one[:4])
        made[group << 16 | number] = one
    return part10(b"".join(made[tag] for tag in sorted(made)), syntax, sop_uid=str(kwargs.get("sop_uid", "1.2.3.4")))


def pulled(folder: Path, *contents: bytes) -> list[PulledFile]:
    files = []
    for number, content in enumerate(contents):
        path = folder / f"f{number}"
        path.write_bytes(content)
        files.append(PulledFile(path, f"f{number}", len(content)))
    return files


def deidentified(
    folder: Path, *contents: bytes, policy: HeaderPolicy | str = "shifted-dates", last_study_date: str = "", secret: Secret = SECRET
) -> list[Instance | Reason]:
    """Run files of one study through intake and header rules; refused files come last, as their reasons."""
    headers = load_policy(policy).headers if isinstance(policy, str) else policy
    intake = examine_files(pulled(folder, *contents), headers.max_nesting)
    context = deidentify.study_context(intake, headers, secret, "test", {}, last_study_date)
    done = [deidentify.deidentify_object(f, context) for s in intake.series for f in s.files]
    return [
        *(
            d
            if isinstance(d, Reason)
            else deidentify.declare(d, PixelOutcome(d, None, examined=True), FaceOutcome(d, None, "not applicable", None), context)
            for d in done
        ),
        *(r.reason for r in intake.refused),
    ]


def written(instance: Instance | Reason, path: Path) -> bytes:
    """Write an object and return the bytes of its file."""
    assert isinstance(instance, Instance), instance
    deidentify.write_object(instance, path)
    return path.read_bytes()
