"""The end of the audit log: what is taken off it, or changed with the chain repaired, is missed by a signed head."""

from __future__ import annotations

import json

import pytest

from tasks.publish import audit
from tasks.publish import release as release_module
from tasks.publish.audit_heads import PREFIX, check_heads, sign_head
from tasks.publish.canonical import canonical_json, sha256_hex
from tasks.publish.release import publish_candidate
from tasks.publish.retire import retire
from tasks.publish.signing import signer_from_secret
from tasks.publish.store import open_store
from tasks.secret import Secret
from tests.publish.corpus import DAY, Shape, approve, frozen
from tests.publish.test_release_protocol import SIGNER, published
from tests.publish.test_withdraw import withdraw_patient

OTHER = signer_from_secret(Secret(bytes(32)))


def a_life(folder):
    """A release, a withdrawal and a retirement, each with its events."""
    private, public, _, _ = published(folder, Shape(patients=2, series=1))
    withdraw_patient(private, public, 2)
    retire(private, public, SIGNER, DAY, ["2026.11.1"], "other")
    return private, public


def events(private) -> list[str]:
    return list(private.keys(audit.PREFIX))


def heads(private) -> list[str]:
    return list(private.keys(PREFIX))


def repair_chain(private) -> None:
    """Number and chain the events anew, as whoever may write the private side could."""
    previous = ""
    for number, key in enumerate(events(private), 1):
        data = canonical_json({**json.loads(private.get(key)), "number": number, "previous_sha256": previous})
        private.delete(key)
        private.put(f"{audit.PREFIX}{number:08d}.json", data)
        previous = sha256_hex(data)


def test_every_step_of_a_dataset_is_an_event_and_the_last_is_signed(tmp_path):
    private, public = a_life(tmp_path)
    happened = [(e["event"], e["facts"].get("kind"), e["facts"].get("release")) for e, intact in audit.read_events(private) if intact]
    assert happened[0] == ("committed", "release", "2026.11.0")
    assert [e for e, _, _ in happened][1:5] == ["withdrawal_asked", "release_replaced", "withdrawal_purged", "withdrawal_done"]
    assert happened[-2:] == [("retired", None, None), ("committed", "retirement", None)]
    assert check_heads(private, public) == check_heads(private, public).__class__((), len(happened))


def test_saying_it_again_adds_neither_event_nor_head(tmp_path):
    private, public, candidate, _ = published(tmp_path, Shape(patients=1))
    before = events(private), heads(private)
    publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    sign_head(private, public, SIGNER)
    assert (events(private), heads(private)) == before


def test_events_after_the_newest_head_are_said_not_to_be_signed(tmp_path):
    private, public = a_life(tmp_path)
    signed = check_heads(private, public).signed
    audit.record(private, "disclosed", release="2026.11.0")
    assert check_heads(private, public).signed == signed
    sign_head(private, public, SIGNER)
    assert check_heads(private, public).signed == signed + 1


@pytest.mark.parametrize(
    "how", ["last event", "last event and head", "all but the first", "middle, chain repaired", "changed, chain repaired"]
)
def test_what_is_taken_away_or_changed_is_missed_though_the_chain_holds(tmp_path, how):
    private, public = a_life(tmp_path)
    assert check_heads(private, public).problems == ()
    if how == "middle, chain repaired":
        private.delete(events(private)[2])
        repair_chain(private)
    elif how == "changed, chain repaired":
        private.put(events(private)[0], private.get(events(private)[0]).replace(b'"2026.11.0"', b'"2026.11.9"'))
        repair_chain(private)
    else:
        for key in events(private)[1 if how.startswith("all") else -1 :]:
            private.delete(key)
        if how != "last event":
            for key in heads(private)[1 if how.startswith("all") else -1 :]:
                private.delete(key)
    assert all(intact for _, intact in audit.read_events(private)), "the chain alone notices nothing"
    assert len(check_heads(private, public).problems) >= 1


@pytest.mark.parametrize("how", ["another key", "not JSON", "moved to another entry"])
def test_a_head_that_the_publisher_did_not_sign_is_a_problem(tmp_path, how):
    private, public = a_life(tmp_path)
    key = heads(private)[-1]
    body = json.loads(private.get(key))
    if how == "another key":
        private.delete(key)
        for other in events(private)[-1:]:
            private.delete(other)
        sign_head(private, public, OTHER)
    else:
        private.put(key, b"{" if how == "not JSON" else json.dumps({**body, "entry": body["entry"] - 1}).encode())
    assert any("not validly signed" in p for p in check_heads(private, public).problems)


def test_a_publisher_killed_before_the_head_is_noticed_until_it_runs_again(tmp_path, monkeypatch):
    private, public, _, _ = published(tmp_path, Shape(patients=1))
    candidate = frozen(private, Shape(patients=2))
    monkeypatch.setattr(release_module, "sign_head", lambda *_: None)
    publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    monkeypatch.undo()
    assert [p[:25] for p in check_heads(private, public).problems] == ["entry 2 of the public log"]
    publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    assert check_heads(private, public).problems == ()


def test_before_anything_is_published_nothing_is_signed(tmp_path):
    private, public = open_store(str(tmp_path / "private")), open_store(str(tmp_path / "public"))
    audit.record(private, "withdrawal_asked", suppressed=1)
    assert check_heads(private, public) == check_heads(private, public).__class__((), 0)
