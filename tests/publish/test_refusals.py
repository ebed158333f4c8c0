"""Refusals of the publisher, the withdrawal and the download that no other test provokes, each with its cause."""

from __future__ import annotations

import pytest

from tasks.errors import ReleaseError, UsageError
from tasks.publish.causes import CAUSES, Cause
from tasks.publish.folder_store import FolderStore
from tasks.publish.get import get
from tasks.publish.log import read_log
from tasks.publish.release import publish_candidate
from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tests.publish.corpus import DAY, Shape, approve, frozen, uid
from tests.publish.test_release_protocol import SIGNER, published, stores
from tests.publish.test_withdraw import LATER, two_releases, withdraw_patient


def test_other_bytes_under_an_immutable_key_are_an_alarm_and_nothing_is_committed(tmp_path):
    private, public, _, _ = published(tmp_path / "first", Shape(patients=1))
    taken = next(iter(public.keys("series/")))
    private, public = stores(tmp_path / "second")
    public.put(taken, b"somebody else's")
    candidate = frozen(private, Shape(patients=1))
    with pytest.raises(ReleaseError) as caught:
        publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    assert (caught.value.cause, caught.value.where, caught.value.exit_code) == (Cause.OBJECT_CONFLICT, taken, 24)
    assert (list(public.keys("log/")), list(public.keys("releases/")), public.get(taken)) == ([], [], b"somebody else's")


@pytest.mark.slow
@pytest.mark.parametrize("lying", ["delete", "readable"])
def test_a_store_that_keeps_what_it_was_told_to_delete_gets_no_tombstone(tmp_path, monkeypatch, lying):
    private, public = two_releases(tmp_path)
    with monkeypatch.context() as patch:
        if lying == "delete":
            patch.setattr(FolderStore, "delete", lambda self, key: None)
        else:
            patch.setattr(FolderStore, "readable", lambda self, version: True)
        with pytest.raises(ReleaseError) as caught:
            withdraw_patient(private, public)
    assert (caught.value.cause, caught.value.exit_code) == (Cause.WITHDRAWAL_UNPROVEN, 28)
    assert list(public.keys("tombstones/")) == []
    assert [e.kind for e in read_log(public).entries if e.kind == "withdrawal"] == []
    withdraw_patient(private, public)
    assert verify(public, full=True, today=LATER).ok
    assert not [k for k in public.keys("series/") if f"/{uid(1, 1)}." in k]


@pytest.mark.parametrize("dest", ["a file", "below a file"])
def test_a_download_to_where_nothing_can_be_written_is_refused_in_words(tmp_path, dest):
    _, public, _, _ = published(tmp_path, Shape(patients=1))
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError) as caught:
        get(open_store(public.url), tmp_path / "file" / ("x" if dest == "below a file" else ""), prune=True)
    assert caught.value.where == "DEST"
    assert (tmp_path / "file").read_text() == "mine"


def test_every_cause_of_a_refusal_has_a_remedy_of_its_own_words():
    assert len({entry.meaning for entry in CAUSES.values()}) == len(CAUSES)
    assert all(entry.remedy for entry in CAUSES.values())
