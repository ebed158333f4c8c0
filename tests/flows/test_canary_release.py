"""Canaries: what the gates must hold is held; when a gate does not work, nothing at all reaches the public side."""

from __future__ import annotations

import pytest

from tasks import scan
from tasks.canaries import canary_keys, canary_patients, canary_refs, is_canary
from tasks.model import Reason, Status
from tasks.policy import load_policy
from tasks.process import Rules
from tasks.publish.causes import Cause
from tasks.publish.release import publish_candidate
from tasks.publish.signing import signer_from_secret
from tasks.publish.store import open_store
from tasks.secret import Secret
from tasks.spec import FolderArchive
from tasks.study_job import Job, process_study
from tests.publish.corpus import DAY, Shape, approve, frozen

SECRET = Secret(bytes(range(32)))


def _job(tmp_path):
    (tmp_path / "archive").mkdir(exist_ok=True)
    rules = Rules("test", load_policy(), SECRET)
    archive = FolderArchive(path=str(tmp_path / "archive"))
    return Job("run", rules, archive, (tmp_path / "private").as_uri(), str(tmp_path), str(tmp_path / "scratch"))


@pytest.mark.slow
def test_a_canary_is_held_by_the_search_for_leftovers_and_known_to_the_vault(tmp_path):
    (ref,) = canary_refs(1, SECRET)
    assert is_canary(ref)
    assert canary_keys(SECRET) > {ref.study_key}
    receipt = process_study(ref, _job(tmp_path))
    assert (receipt.status, receipt.reason) == (Status.QUARANTINED, Reason.LEFTOVER_PHI)
    assert len(canary_patients(open_store((tmp_path / "private").as_uri()), [ref])) == 1


@pytest.mark.slow
def test_a_canary_gets_through_when_the_search_does_not_work(tmp_path, monkeypatch):
    """The canary has power: with the gate switched off it is released, which is what the publisher must notice."""
    monkeypatch.setattr(scan, "hold_reason", lambda *_: None)
    (ref,) = canary_refs(1, SECRET)
    assert process_study(ref, _job(tmp_path)).status is Status.RELEASED


@pytest.mark.parametrize("canaries", [frozenset({"P0002"}), frozenset({"P0001", "P0003", "P9999"})], ids=["one", "some"])
def test_a_canary_in_the_staged_manifest_stops_the_publication_before_anything_is_put(tmp_path, canaries):
    private, public = open_store(str(tmp_path / "private")), open_store(str(tmp_path / "public"))
    candidate = frozen(private, Shape())
    with pytest.raises(Exception, match="canary") as stopped:
        publish_candidate(private, public, candidate, *approve(candidate), signer_from_secret(SECRET), DAY, canaries=canaries)
    assert (stopped.value.cause, stopped.value.exit_code) == (Cause.CANARY_REACHED, 30)
    assert [key for key in public.keys("") if key.startswith(("series/", "releases/", "log/00000001", "latest"))] == []


@pytest.mark.slow
def test_canaries_that_were_held_change_nothing_in_the_release(tmp_path):
    released = []
    for name, canaries in (("with", frozenset({"P9999"})), ("without", frozenset())):
        private, public = open_store(str(tmp_path / name / "private")), open_store(str(tmp_path / name / "public"))
        candidate = frozen(private, Shape())
        publish_candidate(private, public, candidate, *approve(candidate), signer_from_secret(SECRET), DAY, canaries=canaries)
        released.append({key: public.get(key) for key in public.keys("")})
    assert released[0] == released[1]
