"""What killed writers leave behind and no listing shows: half-written files, parts of uploads, probes. None outlives a withdrawal."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile

import pytest

from tasks.errors import ReleaseError
from tasks.publish.causes import Cause
from tasks.publish.folder_store import FolderStore
from tasks.publish.purge import discard_unfinished
from tasks.publish.scratch import discard_left, scratch_folder
from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tests.publish.corpus import DAY, Shape, dicom_bytes
from tests.publish.test_release_protocol import published
from tests.publish.test_withdraw import withdraw_patient

KEY = "series/aa/0123/2.25.1.1.1.1.dcm"


def killed_while_writing(root, key: str, data: bytes) -> None:
    """Put an object in a child that dies before it gives the file its name."""
    child = os.fork()
    if child == 0:
        os.link = os.replace = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
        FolderStore(root).put_all([(key, data)])
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


def unfinished(root) -> list[str]:
    return [p.relative_to(root).as_posix() for p in root.rglob(".put-*")]


def test_a_withdrawal_takes_away_what_killed_writers_left_of_a_patient(tmp_path):
    private, public, _, _ = published(tmp_path, Shape(patients=2, series=1))
    for root in (tmp_path / "public", tmp_path / "private"):
        killed_while_writing(root, KEY if root.name == "public" else "quarantine/objects/aa/object.dcm", dicom_bytes(1, 1, 1, 1))
        assert len(unfinished(root)) == 1
    assert verify(public, full=True, today=DAY).ok, "no listing shows it"
    withdraw_patient(private, public)
    assert unfinished(tmp_path) == []
    assert not [p for p in (tmp_path / "public/series").rglob("*") if p.is_file() and b"P0001" in p.read_bytes()]


def test_the_scratch_folder_of_a_killed_process_goes_with_the_next_and_that_of_a_living_one_stays(tmp_path):
    child = os.fork()
    if child == 0:
        with scratch_folder("publish", tmp_path) as folder:
            (folder / "rows").write_text("of a patient")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(list(tmp_path.iterdir())) == 1
    with scratch_folder("publish", tmp_path) as first, scratch_folder("verify", tmp_path) as second:
        (first / "x").write_text("in use")
        shutil.rmtree(second)
        second.mkdir()  # as readers of manifests do, to begin with nothing
        assert discard_left(tmp_path) == 0
        assert sorted(tmp_path.iterdir()) == sorted((first.parent, second.parent))
        assert (first / "x").exists()
        assert second.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_folder_taken_away_before_it_was_locked_is_made_again(tmp_path, monkeypatch):
    make, taken = tempfile.mkdtemp, []

    def raced(**options):
        folder = make(**options)
        if not taken:
            taken.append(discard_left(tmp_path))
        return folder

    monkeypatch.setattr(tempfile, "mkdtemp", raced)
    with scratch_folder("publish", tmp_path) as folder:
        (folder / "x").write_text("fine")
    assert taken == [1]


def test_a_file_whose_writer_lives_is_left_alone(tmp_path, monkeypatch):
    store, link, found = FolderStore(tmp_path), os.link, []

    def interrupted(*arguments, **options):
        found.append(FolderStore(tmp_path).discard_unfinished(lambda _: True))
        link(*arguments, **options)

    monkeypatch.setattr(os, "link", interrupted)
    assert store.put_all([("a/b", b"one"), ("a/c", b"two")]) == set()
    assert (found, store.get("a/b"), store.get("a/c")) == ([0, 0], b"one", b"two")
    assert unfinished(tmp_path) == []


def test_a_file_discarded_before_its_writer_could_lock_it_is_begun_again(tmp_path, monkeypatch):
    import fcntl

    from tasks.publish import folder_store

    lock, discarded = fcntl.flock, []

    def late(descriptor, operation):
        if not discarded:
            discarded.append(True)
            assert FolderStore(tmp_path).discard_unfinished(lambda _: True) == 1
        lock(descriptor, operation)

    monkeypatch.setattr(folder_store.fcntl, "flock", late)
    FolderStore(tmp_path).put("a/b", b"one", if_absent=True)
    assert (FolderStore(tmp_path).get("a/b"), unfinished(tmp_path)) == (b"one", [])


def test_a_folder_taken_away_while_something_is_written_into_it_is_made_again(tmp_path, monkeypatch):
    open_, gone = os.open, []

    def late(path, flags, *rest):
        if flags & os.O_CREAT and not gone:
            gone.append(True)
            (tmp_path / "probe").rmdir()
        return open_(path, flags, *rest)

    monkeypatch.setattr(os, "open", late)
    FolderStore(tmp_path).put("probe/x", b"one", if_absent=True)
    assert FolderStore(tmp_path).get("probe/x") == b"one"


def test_parts_of_a_large_object_that_a_killed_publisher_left_go_with_the_patient_and_others_stay(moto):
    public = open_store("s3://bucket/set")
    for name in (KEY, KEY.replace("2.25.1.", "2.25.2.")):
        upload = moto.create_multipart_upload(Bucket="bucket", Key=f"set/{name}")["UploadId"]
        moto.upload_part(Bucket="bucket", Key=f"set/{name}", UploadId=upload, PartNumber=1, Body=dicom_bytes(1, 1, 1, 1))
    discard_unfinished(public, lambda key: "/2.25.1." in key)
    assert [u["Key"] for u in moto.list_multipart_uploads(Bucket="bucket")["Uploads"]] == [f"set/{KEY.replace('2.25.1.', '2.25.2.')}"]


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_the_next_probe_takes_away_what_a_killed_one_left(request, tmp_path, kind):
    if kind == "bucket":
        request.getfixturevalue("moto")
    store = open_store(str(tmp_path) if kind == "folder" else "s3://bucket/set")
    store.put("probe/0123", b"one")
    store.probe()
    assert list(store.keys("")) == []


def test_a_probe_that_another_publisher_took_away_is_made_again(tmp_path, monkeypatch):
    store, put, taken = FolderStore(tmp_path), FolderStore.put, []

    def raced(self, key, data, *, if_absent=False):
        if data == b"two" and not taken:
            taken.append(key)
            self.delete(key)
        put(self, key, data, if_absent=if_absent)

    monkeypatch.setattr(FolderStore, "put", raced)
    store.probe()
    assert len(taken) == 1


def test_a_folder_that_overwrites_is_refused_however_often_it_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(FolderStore, "put", lambda *_, **__: None)
    with pytest.raises(ReleaseError) as caught:
        FolderStore(tmp_path).probe()
    assert caught.value.cause == Cause.NO_CONDITIONAL_PUT


def test_small_bodies_are_sent_without_asking_and_large_ones_with():
    from tasks.publish.s3_store import _send_small_bodies_at_once

    small, large = ({"body": bytes(size), "headers": {"Expect": "100-continue"}} for size in (10, 1 << 20))
    _send_small_bodies_at_once(small)
    _send_small_bodies_at_once(large)
    assert (small["headers"], large["headers"]) == ({}, {"Expect": "100-continue"})
