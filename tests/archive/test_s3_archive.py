"""A bucket as an archive: the same promises as a folder (moto stands in for the store)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from tasks.archive import open_archive
from tasks.archive_spec import S3Archive
from tasks.errors import ReleaseError
from tasks.secret import Secret
from tasks.spec import Cohort
from tests.archive.made import SECRET_BYTES, make_object, to_bytes

EVERYTHING = Cohort()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "made")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="landing")
        yield client


def archive_of(tmp_path: Path, url: str = "s3://landing/dicom/"):
    limits = {"backoff_seconds": 0.01, "attempts": 2, "timeout_seconds": 5}
    return open_archive(S3Archive(url=url, limits=limits), Secret(SECRET_BYTES), tmp_path / "index")


def test_studies_under_a_prefix_are_found_and_pulled_zips_too(bucket, tmp_path: Path) -> None:
    held = {f"dicom/{n}/x": to_bytes(make_object(f"1.2.{n % 3}", number=n)) for n in range(9)}
    for key, data in held.items():
        bucket.put_object(Bucket="landing", Key=key, Body=data)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as z:
        z.writestr("in/side", to_bytes(make_object("1.2.0", number=99)))
    bucket.put_object(Bucket="landing", Key="dicom/export.zip", Body=packed.getvalue())
    bucket.put_object(Bucket="landing", Key="dicom/notes.txt", Body=b"junk")
    bucket.put_object(Bucket="landing", Key="dicom/folder/", Body=b"")
    bucket.put_object(Bucket="landing", Key="elsewhere/x", Body=to_bytes(make_object("9.9.9")))
    archive = archive_of(tmp_path)
    refs = list(archive.find_studies(EVERYTHING))
    assert [(r.source_study_uid, r.instance_count) for r in refs] == [("1.2.0", 4), ("1.2.1", 3), ("1.2.2", 3), ("", 1)]
    pulled = {}
    for ref in refs:
        into = tmp_path / ref.study_key
        into.mkdir()
        pulled |= {f.source_path: f.path.read_bytes() for f in archive.pull_study(ref, into)}
    assert pulled == {**held, "dicom/export.zip/in/side": to_bytes(make_object("1.2.0", number=99)), "dicom/notes.txt": b"junk"}


def test_an_unchanged_bucket_is_only_listed(bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.archive.s3 import BucketTree

    bucket.put_object(Bucket="landing", Key="dicom/x", Body=to_bytes(make_object()))
    archive = archive_of(tmp_path)
    first = list(archive.find_studies(EVERYTHING))
    monkeypatch.setattr(BucketTree, "open", lambda *_: pytest.fail("opened an object again"))
    assert list(archive.find_studies(EVERYTHING)) == first


def test_an_object_that_changed_since_it_was_found_is_not_pulled(bucket, tmp_path: Path) -> None:
    bucket.put_object(Bucket="landing", Key="dicom/x", Body=to_bytes(make_object(number=1)))
    archive = archive_of(tmp_path)
    (ref,) = archive.find_studies(EVERYTHING)
    bucket.put_object(Bucket="landing", Key="dicom/x", Body=to_bytes(make_object(number=2)))
    (tmp_path / "1").mkdir()
    with pytest.raises(ReleaseError, match="changed while"):
        archive.pull_study(ref, tmp_path / "1")
    bucket.delete_object(Bucket="landing", Key="dicom/x")
    (tmp_path / "2").mkdir()
    with pytest.raises(ReleaseError, match="changed while"):
        archive.pull_study(ref, tmp_path / "2")


def test_no_bucket_is_an_error_that_names_the_field(bucket, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"archive\.url: there is no such bucket"):
        list(archive_of(tmp_path, "s3://nowhere/x").find_studies(EVERYTHING))
