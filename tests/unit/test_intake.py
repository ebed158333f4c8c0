"""Every bad input ends in a reason, no exception leaves intake, and memory stays bounded."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest

from tasks.intake import examine_files
from tasks.model import Reason
from tests.spec.made import ct_bytes, element, item, part10, pulled, sequence


def reasons(folder: Path, *contents: bytes) -> list[Reason]:
    intake = examine_files(pulled(folder, *contents))
    assert len(contents) == len(intake.refused) + sum(len(s.files) for s in intake.series)
    return [r.reason for r in intake.refused]


def nested(levels: int, *, undefined: bool) -> bytes:
    value = b""
    for _ in range(levels):
        if undefined:
            body = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + value + struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
            end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
            value = struct.pack("<HH2sHL", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF) + body + end
        else:
            value = sequence(0x00081140, item(value))
    return value


def deflated(plain: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(plain) + packer.flush()


BAD = {
    "empty": (b"", Reason.EMPTY_FILE),
    "a few bytes": (b"x", Reason.NOT_DICOM),
    "text": (b"name,id\nA,1\n" * 30, Reason.NOT_DICOM),
    "zip": (b"PK\x03\x04" + bytes(400), Reason.NOT_DICOM),
    "truncated in the pixels": (ct_bytes()[:-7], Reason.TRUNCATED),
    "truncated in the header": (ct_bytes()[:400], Reason.TRUNCATED),
    "fewer pixels than claimed": (ct_bytes(element(0x00280010, "US", struct.pack("<H", 400))), Reason.TRUNCATED),
    "media directory": (part10(b"", sop_class="1.2.840.10008.1.3.10"), Reason.MEDIA_DIRECTORY),
    "unknown SOP class": (ct_bytes(element(0x00080016, "UI", "1.2.3.99")), Reason.UNSUPPORTED_SOP_CLASS),
    "path as UID": (ct_bytes(element(0x00080018, "UI", "../../x")), Reason.INVALID_UID),
    "no study UID": (ct_bytes(without=(0x0020000D,)), Reason.MISSING_IDENTITY),
    "500 levels, undefined length": (ct_bytes(nested(500, undefined=True)), Reason.NESTED_TOO_DEEP),
    "deflate bomb": (part10(deflated(bytes(1 << 28)), "1.2.840.10008.1.2.1.99"), Reason.DECOMPRESSION_BOMB),
    "46341 x 46341 pixels claimed": (
        ct_bytes(element(0x00280010, "US", struct.pack("<H", 46341)), element(0x00280011, "US", struct.pack("<H", 46341))),
        Reason.IMPLAUSIBLE_SIZE,
    ),
    "undefined length without end": (
        ct_bytes(struct.pack("<HH2sHL", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF) + item(element(0x00081155, "UI", "1.2"))),
        Reason.UNREADABLE_HEADER,
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_input_ends_in_its_reason(name: str, tmp_path: Path) -> None:
    content, expected = BAD[name]
    assert [expected] == reasons(tmp_path, content)


def test_a_good_neighbour_is_not_touched_by_bad_ones(tmp_path: Path) -> None:
    intake = examine_files(pulled(tmp_path, *(content for content, _ in BAD.values()), ct_bytes(sop_uid="1.2.3.77")))
    assert [f.sop_instance_uid for s in intake.series for f in s.files] == ["1.2.3.77"]


def test_objects_that_share_a_uid_and_differ_are_all_refused(tmp_path: Path) -> None:
    twins = ct_bytes(), ct_bytes(element(0x00180050, "DS", "2.5"))
    assert reasons(tmp_path, *twins) == [Reason.DUPLICATE_UID_CONFLICT] * 2


def test_of_identical_copies_one_is_kept(tmp_path: Path) -> None:
    assert reasons(tmp_path, ct_bytes(), ct_bytes()) == [Reason.DUPLICATE_COPY]


def test_series_are_grouped_and_sorted_by_uid(tmp_path: Path) -> None:
    intake = examine_files(pulled(tmp_path, *(ct_bytes(sop_uid=f"1.2.3.4.{n}") for n in (3, 1, 2))))
    assert [[f.sop_instance_uid for f in s.files] for s in intake.series] == [["1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3"]]


def test_a_bomb_costs_little_memory(tmp_path: Path) -> None:
    files = pulled(tmp_path, BAD["deflate bomb"][0])
    tracemalloc.start()
    examine_files(files)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000_000


def test_nothing_of_a_patient_is_shown_by_repr(tmp_path: Path) -> None:
    intake = examine_files(pulled(tmp_path, ct_bytes(), ct_bytes(element(0x00080018, "UI", "../../x"))))
    assert not any(secret in repr(intake) for secret in ("MRN0077123", "Vantreight", "1.2.3.1", "../../x"))
