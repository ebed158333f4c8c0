"""A DICOMweb archive: paging, logins, and that no fault of it loses an instance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.archive import open_archive
from tasks.archive.multipart import MultipartError, boundary_of, parts
from tasks.archive_spec import DicomwebArchive
from tasks.errors import ReleaseError, UsageError
from tasks.secret import Secret
from tasks.spec import Cohort
from tests.archive.faulty_web import FaultyWeb, running
from tests.archive.made import SECRET_BYTES, make_object, to_bytes

EVERYTHING = Cohort()


@pytest.fixture
def web() -> Iterator[FaultyWeb]:
    objects = [
        make_object(f"1.2.{study}", number=n, patient=f"P{study}", date=f"202401{study:02d}") for study in (1, 2, 3) for n in (1, 2, 3)
    ]
    with running(FaultyWeb(objects)) as web:
        yield web


def archive_of(web: FaultyWeb, tmp_path: Path, **changes):
    limits = {"timeout_seconds": 1.0, "backoff_seconds": 0.01, **changes.pop("limits", {})}
    return open_archive(DicomwebArchive(url=web.url, limits=limits, **changes), Secret(SECRET_BYTES), tmp_path / "index")


def pull(archive, ref, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    files = archive.pull_study(ref, folder)
    assert sorted(p.name for p in folder.iterdir()) == sorted(f.path.name for f in files)
    return {f.source_path.split("/")[1]: f.path.read_bytes() for f in files}


def stored(web: FaultyWeb, study: str) -> dict[str, bytes]:
    return {str(ds.SOPInstanceUID): to_bytes(ds) for ds in web.objects if ds.StudyInstanceUID == study}


FAULTS = ["cut", "missing instance", "wrong study", "stall", "404", "garbage part", "500", "503", "429", "html", "stall find"]


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["", *FAULTS])
def test_a_passing_fault_loses_nothing_and_changes_no_byte(web: FaultyWeb, tmp_path: Path, fault: str) -> None:
    archive = archive_of(web, tmp_path)
    refs = list(archive.find_studies(EVERYTHING))
    assert [(r.source_study_uid, r.instance_count) for r in refs] == [("1.2.1", 3), ("1.2.2", 3), ("1.2.3", 3)]
    web.inject(fault)
    assert pull(archive, refs[0], tmp_path / "out") == stored(web, "1.2.1")
    assert web.times == (1 if fault == "" else 0)


@pytest.mark.parametrize("fault", ["cut", "missing instance", "wrong study", "404", "garbage part", "500"])
def test_a_lasting_fault_fails_the_study_without_a_word_of_its_answer(web: FaultyWeb, tmp_path: Path, fault: str) -> None:
    archive = archive_of(web, tmp_path, limits={"attempts": 2})
    refs = list(archive.find_studies(EVERYTHING))
    web.inject(fault, times=1000)
    (tmp_path / "out").mkdir()
    with pytest.raises(ReleaseError, match=r"\(2 attempts\)") as caught:
        archive.pull_study(refs[0], tmp_path / "out")
    assert all(value not in str(caught.value) for value in ("1.2.1", "SECRET-NAME", "127.0.0.1"))
    assert caught.value.__cause__ is None


def test_what_came_already_is_not_asked_for_again(web: FaultyWeb, tmp_path: Path) -> None:
    archive = archive_of(web, tmp_path)
    ref = next(iter(archive.find_studies(EVERYTHING)))
    web.inject("missing instance")
    pull(archive, ref, tmp_path / "out")
    retrievals = [path for path in web.requests if "?" not in path]
    assert retrievals == ["/dicom-web/studies/1.2.1", "/dicom-web/studies/1.2.1/series/1.2.1.1/instances/1.2.1.1.1"]


@pytest.mark.parametrize("page", [1, 2, 1000])
def test_answers_that_come_in_pages_are_complete(web: FaultyWeb, tmp_path: Path, page: int) -> None:
    web.page = page
    archive = archive_of(web, tmp_path)
    refs = list(archive.find_studies(EVERYTHING))
    assert len(refs) == 3
    assert pull(archive, refs[2], tmp_path / "out") == stored(web, "1.2.3")


def test_a_server_that_ignores_the_offset_does_not_hang_us(web: FaultyWeb, tmp_path: Path) -> None:
    web.ignores_offset = True
    assert len(list(archive_of(web, tmp_path).find_studies(EVERYTHING))) == 3


@pytest.mark.parametrize(("status", "where"), [("401", "archive.auth"), ("403", "archive.auth"), ("404 find", "archive.url")])
def test_refusals_are_not_tried_again_and_name_the_field(web: FaultyWeb, tmp_path: Path, status: str, where: str) -> None:
    web.inject(status, times=1000)
    with pytest.raises(ReleaseError) as caught:
        list(archive_of(web, tmp_path).find_studies(EVERYTHING))
    assert caught.value.where == where
    assert len(web.requests) == 1


@pytest.mark.parametrize(
    ("auth", "header", "expected"),
    [
        ({"kind": "bearer", "token": {"env": "THE_TOKEN"}}, "Authorization", "Bearer made-token"),
        ({"kind": "basic", "username": "u", "password": {"env": "THE_TOKEN"}}, "Authorization", "Basic dTptYWRlLXRva2Vu"),
        ({"kind": "header", "name": "X-Api-Key", "value": {"env": "THE_TOKEN"}}, "X-Api-Key", "made-token"),
    ],
)
def test_logins_come_from_where_the_spec_says(
    web: FaultyWeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auth: dict[str, object], header: str, expected: str
) -> None:
    with pytest.raises(UsageError, match="THE_TOKEN is not set"):
        list(archive_of(web, tmp_path, auth=auth).find_studies(EVERYTHING))
    monkeypatch.setenv("THE_TOKEN", "made-token")
    list(archive_of(web, tmp_path, auth=auth).find_studies(EVERYTHING))
    assert web.headers[-1][header] == expected


def test_a_password_file_that_others_can_read_is_refused(web: FaultyWeb, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("made-token\n")
    secret.chmod(0o644)
    auth = {"kind": "bearer", "token": {"file": str(secret)}}
    with pytest.raises(UsageError, match="readable by others"):
        list(archive_of(web, tmp_path, auth=auth).find_studies(EVERYTHING))
    secret.chmod(0o600)
    list(archive_of(web, tmp_path, auth=auth).find_studies(EVERYTHING))
    assert web.headers[-1]["Authorization"] == "Bearer made-token"


@pytest.mark.parametrize("size", [1, 3, 7, 64, 10_000])
def test_multipart_is_split_however_it_arrives(size: int) -> None:
    bodies = [b"", b"one", b"\r\n", b"--", b"\r\n--X", b"x" * 500]
    message = b"preamble\r\n" + b"".join(b"--XY\r\nA: b\r\n\r\n" + body + b"\r\n" for body in bodies) + b"--XY--"
    pieces = [message[i : i + size] for i in range(0, len(message), size)]
    assert [b"".join(part) for part in parts(pieces, b"XY")] == bodies
    for cut in range(1, len(message) - 2, 11):
        with pytest.raises(MultipartError):
            [b"".join(part) for part in parts([message[:cut]], b"XY")]


def test_a_boundary_is_read_from_the_content_type() -> None:
    assert boundary_of('multipart/related; type="application/dicom"; boundary="a b"') == b"a b"
    for wrong in ("text/html", "multipart/related", ""):
        with pytest.raises(MultipartError):
            boundary_of(wrong)
