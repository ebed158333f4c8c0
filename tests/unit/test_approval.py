"""An approval is worth something for exactly one candidate, from somebody else, for a while; and never against a gate that blocks."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tasks.approval import (
    Approval,
    approval_signer,
    decide,
    keep_approval,
    public_summary,
    read_approvals,
    read_trusted,
    refusal_of,
    settle,
)
from tasks.errors import HeldError, UsageError
from tasks.model import Verdict
from tasks.policy.gates import GatePolicy
from tasks.publish.signing import Signer
from tasks.publish.store import open_store
from tasks.secret import Secret

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECRET = Secret(b"s" * 32)
ROOT, POLICY_SHA256 = "ab" * 32, "cd" * 32
CLEAN = Verdict(ROOT, True, (), POLICY_SHA256, ("integrity",))
ASKING = replace(CLEAN, approved=False, reasons=("K6: patients who share their pattern of visits (ask)",))
BLOCKED = replace(CLEAN, approved=False, reasons=("K1: smallest crowd (block)", *ASKING.reasons))
RULES = GatePolicy()
TRUSTED = {"": [approval_signer(SECRET).public]}


def decided(verdict=CLEAN, choice="approve", reviewer="Ada", **changed) -> Approval:
    arguments = {
        "typed_digest": ROOT[:12],
        "operator": "night run",
        "signer": approval_signer(SECRET),
        "policy": RULES,
        "comment": "read it",
        "now": NOW,
    }
    return decide(verdict, "c1", choice, reviewer=reviewer, **(arguments | changed))


def settled(verdict, *records, reviewers=1, now=NOW, policy=RULES, trusted=TRUSTED):
    return settle(verdict, records, policy, trusted, reviewers=reviewers, now=now)


def test_one_reviewer_approves_what_the_policy_lets_pass():
    settlement = settled(CLEAN, decided())
    assert settlement.verdict.approved
    assert settlement.approval["candidate_root"] == ROOT
    assert settlement.approval["expires_on"] == "2026-11-28"


def test_nobody_is_needed_where_nobody_is_asked_for():
    assert settled(CLEAN, reviewers=0).verdict == CLEAN
    assert settled(CLEAN, reviewers=0).approval is None


def test_without_a_decision_the_candidate_is_held():
    assert settled(CLEAN).verdict.reasons == ("approval: 0 of 1 reviewers",)


def test_a_gate_that_asks_needs_a_person_though_the_spec_asks_for_nobody():
    assert not settled(ASKING, reviewers=0).verdict.approved
    assert settled(ASKING, decided(ASKING), reviewers=0).verdict.approved


def test_what_was_not_asked_when_it_was_approved_is_not_accepted():
    assert not settled(ASKING, decided(CLEAN), reviewers=0).verdict.approved


def test_a_gate_that_blocks_cannot_be_approved_away():
    with pytest.raises(HeldError):
        decided(BLOCKED)
    forged = decided(ASKING)
    assert not settled(BLOCKED, forged).verdict.approved


def test_a_verdict_that_is_not_approved_for_no_stated_reason_stays_held():
    assert not settled(replace(CLEAN, approved=False), decided(), reviewers=0).verdict.approved


def test_two_reviewers_are_two_people():
    assert not settled(CLEAN, decided(), decided(reviewer="ada"), reviewers=2).verdict.approved
    assert settled(CLEAN, decided(), decided(reviewer="Grace"), reviewers=2).verdict.approved


def test_a_refusal_holds_whatever_others_approved():
    settlement = settled(CLEAN, decided(), decided(choice="refuse", reviewer="Grace"))
    assert settlement.verdict.reasons == ("approval: refused by a reviewer",)


def test_a_blocked_candidate_can_be_refused():
    assert decided(BLOCKED, "refuse").decision == "refuse"


def test_an_approval_expires():
    assert settled(CLEAN, decided(), now=NOW + timedelta(days=6, hours=23)).verdict.approved
    late = settled(CLEAN, decided(), now=NOW + timedelta(days=7))
    assert late.verdict.reasons == ("approval: 0 of 1 reviewers (expired)",)


@pytest.mark.parametrize(
    ("verdict", "why"),
    [(replace(CLEAN, candidate_root="ff" * 32), "about other bytes"), (replace(CLEAN, policy_sha256="ff" * 32), "about another policy")],
)
def test_changed_bytes_or_policy_void_an_approval(verdict, why):
    assert refusal_of(decided(), verdict, RULES, TRUSTED, NOW) == why
    assert not settled(verdict, decided()).verdict.approved


@pytest.mark.parametrize(
    "changed",
    [
        {"decision": "refuse"},
        {"reviewer": "Eve"},
        {"candidate_root": "ff" * 32},
        {"accepted": ("K1: smallest crowd (block)",)},
        {"expires_at": "2036-01-01T00:00:00+00:00"},
        {"decided_at": "2036-01-01T00:00:00+00:00"},
        {"operator": "somebody"},
        {"comment": "another"},
        {"signature": ""},
        {"key": "nonsense"},
    ],
    ids=lambda c: next(iter(c)),
)
def test_any_change_after_signing_voids_it(changed):
    assert refusal_of(replace(decided(), **changed), CLEAN, RULES, TRUSTED, NOW) is not None


def test_who_ran_the_release_may_not_approve_it():
    with pytest.raises(HeldError):
        decided(operator="ADA ")
    alone = GatePolicy(four_eyes=False)
    record = decided(operator="Ada", policy=alone)
    assert refusal_of(record, CLEAN, RULES, TRUSTED, NOW) == "by the person who ran the release"
    assert settled(CLEAN, record, policy=alone).verdict.approved


@pytest.mark.parametrize("typed", ["", "abab", "ff" * 8, ROOT + "0"])
def test_the_digest_must_be_typed_back(typed):
    with pytest.raises(UsageError):
        decided(typed_digest=typed)


def test_somebody_must_be_named():
    with pytest.raises(UsageError):
        decided(reviewer=" ")


def test_with_allowed_signers_only_the_reviewers_own_key_counts(tmp_path):
    ada, eve = (Signer(Ed25519PrivateKey.generate()) for _ in range(2))
    path = tmp_path / "allowed_signers"
    path.write_text(f'# reviewers\n\nAda namespaces="dataset-approval" {ada.public.ssh_line}\n')
    trusted = read_trusted(path, SECRET)
    assert settled(CLEAN, decided(signer=ada), trusted=trusted).verdict.approved
    for record in (decided(), decided(signer=eve), decided(signer=ada, reviewer="Grace")):
        assert not settled(CLEAN, record, trusted=trusted).verdict.approved


@pytest.mark.parametrize("text", ["Ada ssh-rsa AAAA", "Ada ssh-ed25519", "Ada ssh-ed25519 !!!"])
def test_a_bad_allowed_signers_file_is_an_error_that_names_the_line(tmp_path, text):
    path = tmp_path / "allowed_signers"
    path.write_text(text)
    with pytest.raises(UsageError, match="line 1"):
        read_trusted(path, SECRET)


def test_records_are_kept_and_read_back(tmp_path):
    private = open_store(str(tmp_path))
    for record in (decided(), decided(reviewer="Grace")):
        keep_approval(private, record)
        keep_approval(private, record)
    assert {r.reviewer for r in read_approvals(private, "c1")} == {"Ada", "Grace"}
    assert settled(CLEAN, *read_approvals(private, "c1"), reviewers=2).verdict.approved


def test_a_damaged_record_holds(tmp_path):
    private = open_store(str(tmp_path))
    private.put(keep_approval(private, decided()), b"{}")
    with pytest.raises(HeldError):
        read_approvals(private, "c1")


def test_the_public_learns_no_name_and_no_comment():
    told = json.dumps(public_summary([decided()]))
    assert "Ada" not in told
    assert "read it" not in told
    assert "night run" not in told
    assert "Ada" not in repr(decided())
    assert set(asdict(decided())) >= {"candidate_root", "expires_at"}
