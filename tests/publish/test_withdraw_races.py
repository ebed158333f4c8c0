"""Withdrawals that are killed at any write, that race publishers or each other, that leave nobody, that name odd things."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest

from tasks.errors import ReleaseError
from tasks.publish import release as release_module
from tasks.publish.causes import Cause
from tasks.publish.folder_store import FolderStore
from tasks.publish.log import read_log
from tasks.publish.release import publish_candidate
from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tasks.publish.withdraw import withdraw
from tasks.publish.withdrawal_scope import Asked
from tests.publish.corpus import DAY, Shape, approve, frozen, uid
from tests.publish.test_release_protocol import SIGNER, published, tree
from tests.publish.test_withdraw import LATER, two_releases, withdraw_patient


class Killed(BaseException):
    pass


def writes_of(monkeypatch: pytest.MonkeyPatch, stop: int | None) -> list[int]:
    """Count the writes and deletions of every folder store; the one after `stop` of them does not happen."""
    count = [0]
    for name in ("put", "delete"):
        original = getattr(FolderStore, name)

        def limited(self, *args, _original=original, **kwargs):
            if stop is not None and count[0] >= stop:
                raise Killed
            count[0] += 1
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(FolderStore, name, limited)
    return count


def small_releases(folder: Path):
    """Two releases of two patients, then three."""
    private, public, _, _ = published(folder, Shape(patients=2, series=1, instances=1))
    candidate = frozen(private, Shape(patients=3, series=1, instances=1))
    publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    return private, public


def kill_at_every(tmp_path: Path, step: int) -> int:
    small_releases(tmp_path / "base")

    def stores(name: str):
        shutil.copytree(tmp_path / "base", tmp_path / name)
        return open_store(str(tmp_path / name / "private")), open_store(str(tmp_path / name / "public"))

    with pytest.MonkeyPatch.context() as patch:
        count = writes_of(patch, None)
        withdraw_patient(*stores("reference"))
    expected = tree(tmp_path / "reference/public")
    for stop in range(0, count[0], step):
        private, public = stores(f"run-{stop}")
        with pytest.MonkeyPatch.context() as patch:
            writes_of(patch, stop)
            with pytest.raises(Killed):
                withdraw_patient(private, public)
        assert verify(public, today=LATER).problems == (), stop
        committed = any(e.kind == "withdrawal" for e in read_log(public).entries)
        again = withdraw_patient(private, public)
        assert tree(tmp_path / f"run-{stop}/public") == expected, stop
        assert verify(public, full=True, today=LATER).ok, stop
        assert again.tombstone == ("" if committed else "tombstones/00000001.json")
        assert not [k for k in private.keys("quarantine/") if private.get(k).find(b"P0001") >= 0]
        shutil.rmtree(tmp_path / f"run-{stop}")
    return count[0]


@pytest.mark.slow
def test_a_withdrawal_killed_at_every_seventh_write_is_finished_by_running_it_again(tmp_path):
    assert kill_at_every(tmp_path, 7) > 60


@pytest.mark.exhaustive
def test_a_withdrawal_killed_at_every_write_is_finished_by_running_it_again(tmp_path):
    kill_at_every(tmp_path, 1)


@pytest.mark.slow
@pytest.mark.parametrize("deleted", [1, 3, 6])
def test_what_names_a_private_object_goes_after_it(tmp_path, monkeypatch, deleted):
    private, public = small_releases(tmp_path)
    count, delete = [0], FolderStore.delete

    def limited(self, key):
        if self.root.name == "private":
            if count[0] >= deleted:
                raise Killed
            count[0] += 1
        delete(self, key)

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "delete", limited)
        with contextlib.suppress(Killed):
            withdraw_patient(private, public, 1)
    withdraw_patient(private, public, 1)
    held = [k for place in ("quarantine/", "candidates/") for k in private.keys(place) if b"P0001" in private.get(k)]
    assert (count[0], held) == (deleted, [])


@pytest.mark.slow
def test_another_withdrawal_finishes_what_a_killed_one_planned(tmp_path, monkeypatch):
    private, public = two_releases(tmp_path)

    def stop(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("tasks.publish.withdraw._publish_tombstone", stop)
        with pytest.raises(Killed):
            withdraw_patient(private, public, 1)
    done = withdraw_patient(private, public, 2)
    assert done.series == 8
    assert all(uid(1, 1) in public.get(done.tombstone).decode() for _ in [0])
    assert verify(public, full=True, today=LATER).ok


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before the list is asked", "after the list was asked"])
def test_a_publisher_at_work_never_commits_what_is_withdrawn_meanwhile(tmp_path, monkeypatch, moment):
    private, public, _, _ = published(tmp_path, Shape(patients=2))
    candidate = frozen(private, Shape(patients=3))
    original, asked = release_module._recheck_suppression, []

    def recheck(*arguments):
        asked.append(None)  # first before the files are put, then right before the commit
        if moment == "before the list is asked" and len(asked) == 2:
            withdraw_patient(private, public, 3)
        original(*arguments)
        if moment == "after the list was asked" and len(asked) == 2:
            withdraw_patient(private, public, 3)

    monkeypatch.setattr(release_module, "_recheck_suppression", recheck)
    with pytest.raises(ReleaseError) as caught:
        publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    assert caught.value.cause == Cause.SUPPRESSED_CONTENT
    assert "withdraw it again" in str(caught.value), "its objects were put, and the publisher may not delete them"
    assert verify(public, full=True, today=LATER).ok
    assert [e.kind for e in read_log(public).entries] == ["release", "barrier"]
    assert not [k for k in public.keys("releases/") if "manifests" in k and "2026.11.0" not in k], "rows of the unfinished release are gone"
    withdraw_patient(private, public, 3)
    assert not [k for k in public.keys("series/") if f"/{uid(3)}." in k]
    candidate = frozen(private, Shape(patients=4))
    published_next = publish_candidate(private, public, candidate, *approve(candidate), SIGNER, LATER)
    assert (published_next.release_id, verify(public, full=True, today=LATER).ok) == ("2026.11.2", True)
    assert candidate.counts["patients"] == 3


@pytest.mark.slow
def test_a_release_committed_while_the_withdrawal_looked_is_replaced_too(tmp_path, monkeypatch):
    private, public, _, _ = published(tmp_path, Shape(patients=2))
    candidate = frozen(private, Shape(patients=3))
    from tasks.publish import withdraw as module

    original, late = module._stop_publishers, []

    def stop(*arguments):
        if not late:
            monkeypatch.setattr(release_module, "_recheck_suppression", lambda *_: None)  # it asked before the list was written
            monkeypatch.setattr(release_module, "_check_suppression", lambda *_: None)
            late.append(publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY))
            public.put("releases/2026.11.9/attestations/gates.dsse.json", b"somebody else at work")
        return original(*arguments)

    monkeypatch.setattr(module, "_stop_publishers", stop)
    done = withdraw_patient(private, public, 1)
    assert (late[0].release_id, done.new_release_id) == ("2026.11.2", "2026.11.3")
    assert verify(public, full=True, today=LATER).counts["patients"] == 2
    assert not [k for k in public.keys("series/") if f"/{uid(1)}." in k]


@pytest.mark.slow
def test_two_withdrawals_at_once_each_have_their_tombstone(tmp_path, monkeypatch):
    private, public = two_releases(tmp_path)
    from tasks.publish import withdraw as module

    original, other = module._publish_tombstone, []

    def publish_tombstone(*arguments):
        if not other:
            other.append(None)
            public.put("tombstones/00000001.json", b'{"half": "of another withdrawal"}')
            other[0] = withdraw_patient(private, public, 2)
        return original(*arguments)

    monkeypatch.setattr(module, "_publish_tombstone", publish_tombstone)
    withdraw_patient(private, public, 1)
    assert verify(public, full=True, today=LATER).problems == ()
    assert verify(public, full=True, today=LATER).counts["patients"] == 2
    assert other[0].tombstone == "tombstones/00000002.json"


@pytest.mark.slow
def test_a_dataset_can_lose_its_last_patient_and_go_on(tmp_path):
    private, public, _, _ = published(tmp_path, Shape(patients=1))
    done = withdraw_patient(private, public, 1)
    report = verify(public, full=True, today=LATER)
    assert (report.status, report.counts["instances"], report.release_id) == ("valid", 0, done.new_release_id)
    assert list(public.keys("series/")) == []
    candidate = frozen(private, Shape(patients=2))
    publish_candidate(private, public, candidate, *approve(candidate), SIGNER, LATER)
    assert verify(public, full=True, today=LATER).counts["patients"] == 1


@pytest.mark.slow
def test_nothing_under_that_name_is_said_so_and_suppressed_all_the_same(tmp_path):
    private, public = two_releases(tmp_path)
    done = withdraw(private, public, SIGNER, LATER, Asked(patient_ids=("nobody",)))
    assert (done.found, done.suppressed, done.tombstone) == (False, 1, "")
    assert withdraw_patient(private, public, 1).found is True
    assert withdraw_patient(private, public, 1).found is True, "it was there"
