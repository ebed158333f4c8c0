"""Disks that run full, on either side and in between: one cause, nothing half published, and running again finishes."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.errors import ReleaseError
from tasks.publish.candidate import read_table
from tasks.publish.causes import Cause
from tasks.publish.log import read_log
from tasks.publish.release import publish_candidate
from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tests.publish.corpus import DAY, Shape, approve, frozen
from tests.publish.test_release_protocol import SIGNER, published
from tests.publish.test_withdraw import withdraw_patient


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of its own in memory; mounting needs root."""
    place.mkdir(parents=True)
    mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=False)
    if not mounted or mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.slow
def test_a_full_public_disk_publishes_nothing_and_the_run_is_finished_when_there_is_room(tmp_path):
    with small_disk(tmp_path / "disk", "700k") as disk:
        private, public = open_store(str(tmp_path / "private")), open_store(str(disk))
        first = frozen(private, Shape(patients=1))
        publish_candidate(private, public, first, *approve(first), SIGNER, DAY)
        larger = frozen(private, Shape(patients=60))
        for _ in range(2):
            with pytest.raises(ReleaseError) as caught:
                publish_candidate(private, public, larger, *approve(larger), SIGNER, DAY)
            assert (caught.value.cause, caught.value.exit_code) == (Cause.STORE_FULL, 17)
            assert "no room left" in str(caught.value)
            report = verify(public, full=True, today=DAY)
            assert (report.status, report.release_id) == ("valid", "2026.11.0")
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        publish_candidate(private, public, larger, *approve(larger), SIGNER, DAY)
        assert verify(public, full=True, today=DAY).ok
        assert list(disk.rglob(".put-*")) == []


@pytest.mark.slow
def test_a_full_private_disk_freezes_nothing_and_lets_no_withdrawal_begin(tmp_path):
    _, public, _, _ = published(tmp_path / "set", Shape(patients=2))
    with small_disk(tmp_path / "disk", "300k") as disk:
        private = open_store(str(disk))
        before = frozen(private, Shape(patients=1))
        with pytest.raises(ReleaseError) as caught:
            frozen(private, Shape(patients=60))
        assert (caught.value.cause, caught.value.exit_code) == (Cause.STORE_FULL, 17)
        filler = disk / "filler"
        with pytest.raises(OSError), filler.open("wb") as file:
            while True:
                file.write(b"x" * 4096)
        with pytest.raises(ReleaseError) as caught:
            withdraw_patient(private, public)
        assert caught.value.cause == Cause.STORE_FULL
        assert verify(public, full=True, today=DAY).status == "valid"
        filler.unlink()
        with pytest.raises(ReleaseError) as caught:  # published, but the audit log cannot say so
            publish_candidate(private, open_store(str(tmp_path / "new")), before, *approve(before), SIGNER, DAY)
        assert caught.value.cause == Cause.STORE_FULL
        wanted = set(read_table(private, before, "instances")["quarantine_key"].to_pylist())
        for key in set(private.keys("quarantine/objects/")) - wanted:
            private.delete(key)
        publish_candidate(private, open_store(str(tmp_path / "new")), before, *approve(before), SIGNER, DAY)


@pytest.mark.slow
def test_a_full_scratch_disk_puts_no_file_of_a_release(tmp_path):
    private, public, _, _ = published(tmp_path / "set", Shape(patients=1))
    candidate = frozen(private, Shape(patients=40))
    with small_disk(tmp_path / "scratch", "60k") as scratch, pytest.raises(ReleaseError) as caught:
        publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY, scratch=scratch)
    assert (caught.value.cause, caught.value.where) == (Cause.STORE_FULL, "scratch")
    assert (read_log(public).seq, list(public.keys("releases/2026.11.1/"))) == (1, [])
    publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    assert verify(public, full=True, today=DAY).ok


def test_a_limit_on_the_size_of_files_is_a_full_store(tmp_path):
    store = open_store(str(tmp_path / "store"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(ReleaseError) as caught:
            store.put("large", b"x" * 20_000, if_absent=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.cause == Cause.STORE_FULL
    assert [*store.keys(""), *(tmp_path / "store").iterdir()] == []
