"""How long an outcome may stand, and what the log must look like for it: the calendar and other publishers are grounds too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tasks.approval import approval_signer, decide, keep_approval
from tasks.grounds import LONGEST, Outcome, differing, follows, head_of, keep_outcome, read_outcome, stands_until
from tasks.model import Verdict
from tasks.policy import load_policy
from tasks.publish.key_rotation import add_key
from tasks.publish.release import publish_candidate
from tasks.publish.retire import retire
from tasks.publish.signing import Signer, signer_from_secret
from tasks.publish.store import Store, open_store
from tasks.secret import Secret
from tasks.spec import Spec, parse_spec
from tests.publish.corpus import DAY, Shape, approve, frozen

SECRET = Secret(bytes(range(32)))
NOW = datetime(2026, 11, 25, 2, tzinfo=UTC)  # a Wednesday


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Store, Store]:
    return open_store(str(tmp_path / "private")), open_store(str(tmp_path / "public"))


def _spec(window: str = "always") -> Spec:
    made = {"dataset": "sample", "archive": {"kind": "folder", "path": "/a"}, "private": "file:///p", "public": "file:///q"}
    return parse_spec({**made, "secret": {"env": "NONE"}, "schedule": {"publish_window": window}})


def _publish(private: Store, public: Store, shape: Shape = Shape(), on: date = DAY) -> None:
    candidate = frozen(private, shape)
    publish_candidate(private, public, candidate, *approve(candidate), signer_from_secret(SECRET), on)


def test_an_outcome_stands_a_week_when_nothing_ends_before(sides: tuple[Store, Store]) -> None:
    assert stands_until(_spec(), *sides, "", published=False, now=NOW) == NOW + LONGEST


@pytest.mark.parametrize(
    ("window", "opens"), [("daily", NOW + LONGEST), ("weekly", NOW + LONGEST), ("monthly", datetime(2026, 12, 1, tzinfo=UTC))]
)
def test_a_candidate_that_waits_for_its_window_is_judged_when_it_opens(sides: tuple[Store, Store], window: str, opens: datetime) -> None:
    _publish(*sides)  # on Saturday the 21st: the windows of a day and of a week are open by now
    assert stands_until(_spec(window), *sides, "", published=False, now=NOW) == opens
    assert stands_until(_spec(window), *sides, "", published=True, now=NOW) == NOW + LONGEST


def test_a_window_that_opens_tomorrow_ends_it(sides: tuple[Store, Store]) -> None:
    _publish(*sides, on=NOW.date())
    assert stands_until(_spec("daily"), *sides, "", published=False, now=NOW) == datetime(2026, 11, 26, tzinfo=UTC)


@pytest.mark.parametrize("days_ago", [0, 3, 6])
def test_an_approval_that_ends_has_the_candidate_judged(sides: tuple[Store, Store], days_ago: int) -> None:
    gates = load_policy().gates
    verdict = Verdict("c" * 64, True, (), "p" * 64, ())
    decided = NOW - timedelta(days=days_ago)
    record = decide(
        verdict,
        "one",
        "approve",
        typed_digest="c" * 12,
        reviewer="ada",
        operator="night",
        signer=approval_signer(SECRET),
        policy=gates,
        now=decided,
    )
    keep_approval(sides[0], record)
    ends = decided + timedelta(days=gates.approval_days)
    assert stands_until(_spec(), *sides, "one", published=True, now=NOW) == min(ends, NOW + LONGEST)


@pytest.mark.slow
def test_the_log_follows_from_what_it_was_by_our_own_release_alone(sides: tuple[Store, Store]) -> None:
    private, public = sides
    signer = signer_from_secret(SECRET)
    nothing = head_of(public)
    assert nothing == (0, "")
    assert follows(public, nothing, changed=False)
    _publish(private, public)
    assert follows(public, nothing, changed=True)
    assert not follows(public, nothing, changed=False)
    first = head_of(public)
    assert follows(public, first, changed=False)
    add_key(private, public, signer, Signer(Ed25519PrivateKey.generate()).public, DAY)
    assert not follows(public, nothing, changed=True), "somebody wrote after our release"
    assert not follows(public, first, changed=True), "what was written is no release"
    _publish(private, public, Shape(patients=2))
    assert not follows(public, first, changed=True), "somebody wrote before our release"
    second = head_of(public)
    retire(private, public, signer, DAY, ["2026.11.1"], "other")
    assert not follows(public, second, changed=False)


OUTCOME = Outcome({"studies": "a", "spec": "b"}, NOW.isoformat(), (NOW + LONGEST).isoformat(), "one", True, (), "2026.11.0", 3)


def test_an_outcome_is_read_as_it_was_kept_and_by_nobody_with_another_secret(sides: tuple[Store, Store]) -> None:
    keep_outcome(sides[0], SECRET, OUTCOME)
    assert read_outcome(sides[0], SECRET) == OUTCOME
    assert read_outcome(sides[0], Secret(b"o" * 32)) is None


@pytest.mark.parametrize(
    ("then", "names"),
    [({"studies": "a", "spec": "b"}, []), ({"studies": "a"}, ["spec"]), ({"studies": "x", "spec": "b", "more": ""}, ["more", "studies"])],
)
def test_a_ground_that_is_missing_differs(then: dict[str, str], names: list[str]) -> None:
    assert differing(OUTCOME.grounds, then) == names == differing(then, OUTCOME.grounds)
