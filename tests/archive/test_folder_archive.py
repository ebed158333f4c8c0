"""What a folder archive promises: every file is accounted for, only what is new is opened, and nothing can hurt it."""

from __future__ import annotations

import os
import socket
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from tasks.archive import files as files_module
from tasks.archive import open_archive
from tasks.archive.folder import FolderArchive
from tasks.errors import ReleaseError
from tasks.model import StudyRef
from tasks.secret import Secret
from tasks.spec import Cohort
from tasks.spec import FolderArchive as FolderSpec
from tests.archive.made import SECRET_BYTES, make_object, to_bytes, write

EVERYTHING = Cohort()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "archive").mkdir()
    return tmp_path / "archive"


@pytest.fixture
def archive(root: Path, tmp_path: Path) -> FolderArchive:
    return FolderArchive(root, Secret(SECRET_BYTES), tmp_path / "index")


def find(archive: FolderArchive, cohort: Cohort = EVERYTHING) -> list[StudyRef]:
    return list(archive.find_studies(cohort))


def counts(refs: list[StudyRef]) -> dict[str, int]:
    found: dict[str, int] = {}
    for ref in refs:
        found[ref.source_study_uid] = found.get(ref.source_study_uid, 0) + ref.instance_count
    return found


def pull_all(archive: FolderArchive, refs: list[StudyRef], into: Path) -> dict[str, bytes]:
    pulled = {}
    for ref in refs:
        target = into / ref.study_key
        target.mkdir(parents=True)
        for file in archive.pull_study(ref, target):
            assert file.path.parent == target
            pulled[file.source_path] = file.path.read_bytes()
    return pulled


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one whenever a header is read."""
    calls: list[int] = []
    real = files_module.read_header

    def counting(read_at):
        calls.append(1)
        return real(read_at)

    monkeypatch.setattr(files_module, "read_header", counting)
    return calls


def test_studies_are_found_by_header_whatever_files_are_called(root: Path, archive: FolderArchive, tmp_path: Path) -> None:
    write(root, "a/IM0001", make_object("1.2.1", number=1))
    write(root, "b/deep/er/photo.jpg", make_object("1.2.1", number=2))
    write(root, "b/readme.txt", make_object("1.2.2"))
    (root / "real.txt").write_text("not an image")
    (root / "empty.dcm").touch()
    refs = find(archive)
    assert counts(refs) == {"1.2.1": 2, "1.2.2": 1, "": 2}
    assert set(pull_all(archive, refs, tmp_path / "out")) == {"a/IM0001", "b/deep/er/photo.jpg", "b/readme.txt", "real.txt", "empty.dcm"}


def test_names_that_are_not_text_are_pulled_under_our_own_names(root: Path, archive: FolderArchive, tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe\n..;rm -rf")).write_bytes(to_bytes(make_object()))
    (shown,) = pull_all(archive, find(archive), tmp_path / "out")
    assert shown.encode("utf-8").startswith(b"\\xff")
    assert [p.name for p in (tmp_path / "out").rglob("0*")] == ["000000"]


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian], ids=["implicit", "big endian", "deflated"]
)
def test_every_encoding_of_the_header_is_understood(root: Path, archive: FolderArchive, syntax: str) -> None:
    write(root, "x", make_object("1.2.9", syntax=syntax))
    assert counts(find(archive)) == {"1.2.9": 1}


def test_no_preamble_and_sequences_before_the_study_uid(root: Path, archive: FolderArchive) -> None:
    ds = make_object("1.2.5", syntax=ImplicitVRLittleEndian)
    inner = Dataset()
    inner.ReferencedSOPInstanceUID = "9.9.9"
    inner.StudyInstanceUID = "6.6.6"
    ds.ReferencedImageSequence = [inner, inner]
    ds["ReferencedImageSequence"].is_undefined_length = True
    whole = to_bytes(ds)
    meta_length = struct.unpack_from("<I", whole, 140)[0]
    (root / "bare").write_bytes(whole[144 + meta_length :])
    assert counts(find(archive)) == {"1.2.5": 1}


def test_an_unchanged_archive_is_not_opened_again_and_says_the_same(root: Path, archive: FolderArchive, opened: list[int]) -> None:
    for n in range(20):
        write(root, f"{n}", make_object(f"1.2.{n % 4}", number=n))
    with zipfile.ZipFile(root / "z.zip", "w") as z:
        z.writestr("in/side", to_bytes(make_object("1.3", number=99)))
    first = find(archive)
    assert len(opened) == 21
    assert find(archive) == first
    assert len(opened) == 21


def test_only_the_changed_study_has_a_new_fingerprint(root: Path, archive: FolderArchive, opened: list[int]) -> None:
    for n in range(4):
        write(root, f"{n}", make_object(f"1.2.{n}"))
    before = {r.source_study_uid: r.fingerprint for r in find(archive)}
    write(root, "late", make_object("1.2.3", number=2))
    after = {r.source_study_uid: r.fingerprint for r in find(archive)}
    assert [uid for uid in after if after[uid] != before[uid]] == ["1.2.3"]
    assert len(opened) == 5
    (root / "late").unlink()
    assert {r.source_study_uid: r.fingerprint for r in find(archive)} == before


def test_a_file_that_was_changed_in_place_with_its_old_time_is_noticed(root: Path, archive: FolderArchive) -> None:
    path = write(root, "x", make_object(number=1))
    times = path.stat()
    before = find(archive)
    path.write_bytes(to_bytes(make_object(number=1, patient="P2")))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_size == times.st_size
    assert find(archive)[0].fingerprint != before[0].fingerprint


def test_moving_files_changes_no_fingerprint(root: Path, archive: FolderArchive) -> None:
    path = write(root, "x", make_object())
    before = find(archive)
    (root / "y").mkdir()
    path.rename(root / "y" / "z")
    assert find(archive) == before


def test_a_deleted_study_is_no_longer_found(root: Path, archive: FolderArchive) -> None:
    write(root, "x", make_object("1.2.1"))
    write(root, "y", make_object("1.2.2"))
    find(archive)
    (root / "x").unlink()
    assert counts(find(archive)) == {"1.2.2": 1}


def test_zip_members_are_inputs_of_their_own(root: Path, archive: FolderArchive, tmp_path: Path) -> None:
    with zipfile.ZipFile(root / "export.bin", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("DICOM/a/b/../IM1", to_bytes(make_object("1.2.1", number=1)))
        z.writestr("/etc/passwd", to_bytes(make_object("1.2.1", number=2)))
        z.writestr("notes.txt", "junk")
        z.writestr("DICOM/", "")
    refs = find(archive)
    assert counts(refs) == {"1.2.1": 2, "": 1}
    pulled = pull_all(archive, refs, tmp_path / "out")
    assert pulled["export.bin/notes.txt"] == b"junk"
    assert pulled["export.bin//etc/passwd"] == to_bytes(make_object("1.2.1", number=2))


def test_zip_bombs_are_accounted_for_and_never_unpacked(root: Path, archive: FolderArchive, tmp_path: Path) -> None:
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = body.compress(bytes(4 << 20)) + body.flush()
    with zipfile.ZipFile(root / "lying.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("bomb", bytes(4 << 20))
    raw = bytearray((root / "lying.zip").read_bytes())
    at = raw.rfind(b"PK\x01\x02")
    raw[at + 24 : at + 28] = struct.pack("<I", 0xF0000000)  # claims 4 GB from 4 kB
    (root / "lying.zip").write_bytes(raw)
    (root / "broken.zip").write_bytes(b"PK\x03\x04" + packed)
    with zipfile.ZipFile(root / "locked.zip", "w") as z:
        z.writestr("locked", b"x" * 100)
    locked = bytearray((root / "locked.zip").read_bytes())
    locked[locked.rfind(b"PK\x01\x02") + 8] |= 1
    (root / "locked.zip").write_bytes(locked)
    refs = find(archive)
    assert counts(refs) == {"": 3}
    pulled = pull_all(archive, refs, tmp_path / "out")
    assert pulled["locked.zip/locked"] == b""
    assert sum(len(v) for v in pulled.values()) < 64 << 10


@pytest.mark.slow
def test_hostile_files_cost_what_honest_ones_do(root: Path, archive: FolderArchive) -> None:
    head = bytes(128) + b"DICM" + bytes.fromhex("02001000") + b"UI" + struct.pack("<H", 22) + b"1.2.840.10008.1.2.1.99"
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = (
        body.compress(struct.pack("<HH2sHI", 8, 8, b"UN", 0, 1 << 31))
        + b"".join(body.compress(bytes(1 << 20)) for _ in range(64))
        + body.flush()
    )
    (root / "deflate-bomb").write_bytes(head + bomb)
    explicit = bytes(128) + b"DICM" + bytes.fromhex("02001000") + b"UI" + struct.pack("<H", 20) + b"1.2.840.10008.1.2.1\0"
    nest = struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    (root / "endless-nesting").write_bytes(explicit + nest * 100_000)
    (root / "claims-4-gb").write_bytes(explicit + struct.pack("<HH2sHI", 8, 5, b"UN", 0, 0xFFFFFFF0))
    write(root, "honest", make_object())
    tracemalloc.start()
    refs = find(archive)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert counts(refs) == {"1.2.3": 1, "": 3}
    assert peak < 16 << 20


def test_five_hundred_levels_of_nesting_stay_in_their_study(root: Path, archive: FolderArchive) -> None:
    ds = make_object("1.2.7")
    whole = to_bytes(ds)
    at = whole.index(bytes.fromhex("08003010"))  # before (0008,1030)
    nest = (struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)) * 500
    close = (struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)) * 500
    (root / "x").write_bytes(whole[:at] + nest + close + whole[at:])
    assert counts(find(archive)) == {"1.2.7": 1}


def test_loops_pipes_sockets_and_links(root: Path, archive: FolderArchive, tmp_path: Path) -> None:
    write(root, "a/x", make_object("1.2.1"))
    (root / "a" / "loop").symlink_to(root)
    (root / "again").symlink_to(root / "a" / "x")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        here = Path.cwd()
        os.chdir(root)
        unix.bind("sock")
        os.chdir(here)
    outside = tmp_path / "outside"
    write(outside, "y", make_object("1.2.2"))
    (outside / "back").symlink_to(outside)
    (root / "out1").symlink_to(outside)
    (root / "out2").symlink_to(outside)
    refs = find(archive)
    assert counts(refs) == {"1.2.1": 1, "1.2.2": 1}
    assert sorted(pull_all(archive, refs, tmp_path / "pulled")) == ["a/x", "out1/y"]


def test_what_cannot_be_read_is_accounted_for_and_fails_loudly(root: Path, archive: FolderArchive, tmp_path: Path) -> None:
    write(root, "x", make_object())
    (root / "dangling").symlink_to(root / "nowhere")
    refs = find(archive)
    assert counts(refs) == {"1.2.3": 1, "": 1}
    with pytest.raises(ReleaseError, match=r"cannot be read|changed"):
        archive.pull_study(refs[1], tmp_path)


def test_a_study_that_changes_while_it_is_pulled_is_not_pulled(root: Path, archive: FolderArchive, tmp_path: Path) -> None:
    path = write(root, "x", make_object())
    (ref,) = find(archive)
    path.write_bytes(to_bytes(make_object(number=7)))
    (tmp_path / "1").mkdir()
    with pytest.raises(ReleaseError, match="changed while"):
        archive.pull_study(ref, tmp_path / "1")
    path.unlink()
    (tmp_path / "2").mkdir()
    with pytest.raises(ReleaseError, match="changed while"):
        archive.pull_study(ref, tmp_path / "2")


def test_pulled_files_share_no_bytes_with_the_archive(root: Path, archive: FolderArchive, tmp_path: Path) -> None:
    path = write(root, "x", make_object())
    before = path.read_bytes()
    (tmp_path / "out").mkdir()
    (pulled,) = archive.pull_study(find(archive)[0], tmp_path / "out")
    assert pulled.path.stat().st_ino != path.stat().st_ino
    with pulled.path.open("r+b") as file:
        file.write(b"overwritten")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("cohort", "expected"),
    [
        ({"modalities": ["mr"]}, {"1.2.2"}),
        ({"since": "2024-02-01"}, {"1.2.2", "1.2.3"}),
        ({"until": "2024-01-15"}, {"1.2.1"}),
        ({"since": "2024-01-16", "until": "2024-02-28"}, {"1.2.2"}),
        ({"accessions": "A3\n A1 \n\n"}, {"1.2.1", "1.2.3"}),
        ({"patients": "name,patient_id\nx,P2\n"}, {"1.2.2", "1.2.3"}),
        ({"modalities": ["CT"], "patients": "P2"}, {"1.2.3"}),
    ],
)
def test_a_cohort_selects(root: Path, archive: FolderArchive, tmp_path: Path, cohort: dict[str, object], expected: set[str]) -> None:
    write(root, "1", make_object("1.2.1", patient="P1", date="20240115", modality="CT", accession="A1"))
    write(root, "2", make_object("1.2.2", patient="P2", date="20240220", modality="MR", accession="A2"))
    write(root, "3", make_object("1.2.3", patient="P2", date="20240301", modality="CT", accession="A3"))
    write(root, "4", make_object("1.2.4", patient="P4", date="", modality="SR", accession=""))
    for name in ("accessions", "patients"):
        if name in cohort:
            (tmp_path / name).write_text(str(cohort[name]))
            cohort = {**cohort, name: str(tmp_path / name)}
    assert {r.source_study_uid for r in find(archive, Cohort.model_validate(cohort))} == expected


def test_the_latest_study_date_of_the_patient_is_told_even_outside_the_cohort(root: Path, archive: FolderArchive) -> None:
    write(root, "1", make_object("1.2.1", patient="P1", date="20200101"))
    write(root, "2", make_object("1.2.2", patient="P1", date="20240220"))
    write(root, "3", make_object("1.2.3", patient="P1", issuer="ELSEWHERE", date="20250220"))
    write(root, "4", make_object("1.2.4", patient="P1", date="99999999"))
    (ref,) = find(archive, Cohort.model_validate({"until": "2020-12-31"}))
    assert ref.patient_last_study_date == "20240220"


def test_strays_come_in_small_stable_batches(root: Path, archive: FolderArchive) -> None:
    for n in range(450):
        (root / f"junk{n:04d}").write_bytes(b"%d" % n)
    before = find(archive)
    assert sum(r.instance_count for r in before) == 450
    assert max(r.instance_count for r in before) <= 100
    (root / "junk0000a").write_bytes(b"new")
    after = find(archive)
    assert len({r.study_key for r in after} & {r.study_key for r in before}) >= len(before) - 1


def test_keys_are_opaque_and_depend_on_the_secret(root: Path, archive: FolderArchive, tmp_path: Path) -> None:
    write(root, "x", make_object("1.2.3.4.5"))
    (ref,) = find(archive)
    (other,) = find(FolderArchive(root, Secret(bytes(32)), tmp_path / "index"))
    assert ref.study_key == Secret(SECRET_BYTES).digest("study-key", "1.2.3.4.5").hex()[:32]
    assert {other.study_key, other.fingerprint}.isdisjoint({ref.study_key, ref.fingerprint})
    assert "1.2.3.4.5" not in repr(ref)


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 100])
def test_a_damaged_index_is_begun_anew(root: Path, archive: FolderArchive, tmp_path: Path, damage: bytes) -> None:
    write(root, "x", make_object())
    before = find(archive)
    (index,) = (tmp_path / "index").iterdir()
    assert index.stat().st_mode & 0o077 == 0
    index.write_bytes(damage)
    assert find(archive) == before


def test_an_absent_root_and_one_that_is_suddenly_empty_are_errors(root: Path, archive: FolderArchive, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"archive\.path"):
        find(FolderArchive(tmp_path / "nowhere", Secret(SECRET_BYTES), tmp_path / "index"))
    assert find(archive) == []
    path = write(root, "x", make_object())
    find(archive)
    path.unlink()
    with pytest.raises(ReleaseError, match="is empty, but held 1"):
        find(archive)


def test_one_file_is_an_archive_too(root: Path, tmp_path: Path) -> None:
    path = write(root, "one.dcm", make_object())
    archive = open_archive(FolderSpec(path=str(path)), Secret(SECRET_BYTES), tmp_path / "index")
    (ref,) = archive.find_studies(EVERYTHING)
    (tmp_path / "out").mkdir()
    assert [f.source_path for f in archive.pull_study(ref, tmp_path / "out")] == ["one.dcm"]


@pytest.mark.slow
def test_every_real_file_is_placed_as_pydicom_places_it(shared_dicom: Path) -> None:
    import logging
    import warnings

    import pydicom

    from tasks.archive.header import read_header

    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    differing = 0
    for path in sorted(p for p in shared_dicom.rglob("*") if p.is_file()):
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = read_header(lambda offset, count, file=file: os.pread(file.fileno(), count, offset))
            ds = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        said = tuple(str(ds.get(k) or "") for k in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID", "Modality"))
        read = (header.study_uid, header.series_uid, header.sop_instance_uid, header.patient_id, header.modality) if header else ("",) * 5
        differing += said != read
    assert differing == 0
