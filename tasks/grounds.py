"""The grounds of an outcome: everything that a verdict and a release rest on, one keyed digest for each thing.

A night whose grounds are those of the last outcome would come to the same end, and need not go there again. What is compared is
inputs, never results; whatever cannot be read is a difference. When a night may end early is `flows/unchanged.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from tasks import value_rules
from tasks.approval import read_approvals, read_trusted
from tasks.cadence import opens_on
from tasks.consistency.sources import RECORD as SECOND_PULLS
from tasks.model import Receipt, Status
from tasks.private import tables_sha256
from tasks.process import Rules
from tasks.publish.canonical import canonical_json, readable_json, sha256_hex
from tasks.publish.latest import KEY as LATEST
from tasks.publish.log import Log, entry_key, read_log
from tasks.publish.signing import open_signer
from tasks.publish.store import Store
from tasks.publish.suppression import read_suppression
from tasks.registry import read_registry
from tasks.risk.published import FROZEN as LEVELS
from tasks.secret import Secret
from tasks.spec import Approval, Spec
from tasks.study_job import rules_id

RECORD = "vault/outcome.json"
LONGEST = timedelta(days=7)
"""How long an outcome may stand without being reached anew: gates also see what rots, and what nobody thought of."""

OWN = frozenset({"candidate", "levels", "published"})
"""What a run changes itself: the only grounds that may differ between its beginning and its end."""

_PURPOSE = "grounds"
Grounds = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the last whole run came to, and on which grounds. Private; counts, codes and keyed digests only."""

    grounds: Grounds
    decided_at: str  # UTC, ISO 8601
    stands_until: str  # from then on it is reached anew
    candidate_id: str
    approved: bool
    hold_reasons: tuple[str, ...]
    release_id: str
    suppressed_patients: int

    def stands_at(self, now: datetime) -> bool:
        """Say whether the calendar lets this outcome stand; a clock that went back does not."""
        return datetime.fromisoformat(self.decided_at) <= now < datetime.fromisoformat(self.stands_until)


def collect_grounds(
    spec: Spec, rules: Rules, private: Store, public: Store, receipts: Iterable[Receipt], ledger: Iterable[Receipt], candidate_id: str
) -> dict[str, str]:
    """Return the grounds as they are now, by name. Raises whatever reading one of them raises.

    `receipts`: of everything that a candidate is made from, canaries and studies that left the archive included; `ledger`: every
    receipt on record, whose people the gates search for; `candidate_id`: whose verdict and approvals count, "" for none.
    """
    secret = rules.secret
    found: dict[str, bytes] = {
        "rules": canonical_json([rules_id(rules), [[*one, *other] for one, other in sorted(rules.aliases.items())]]),
        "spec": canonical_json(spec.model_dump(mode="json")),
        "studies": _of_receipts(receipts, partial(tables_sha256, private)),
        "ledger": _of_receipts(ledger),
        "suppression list": canonical_json(sorted(read_suppression(private).digests)),
        "registries": _of_registries(spec),
        "rules about values": _of_files(private, value_rules.PREFIX),
        "second pulls": private.get(SECOND_PULLS),
        "signing key": open_signer(spec.signing.key, secret).public.raw,
        "reviewers": _of_reviewers(spec, secret),
        "levels": _or_nothing(private, LEVELS),
        "candidate": _of_candidate(private, candidate_id),
        "published": _of_published(public),
    }
    return {name: secret.digest(_PURPOSE, name, content.decode("latin-1")).hex() for name, content in found.items()}


def differing(now: Grounds, then: Grounds) -> list[str]:
    """Return the names of the grounds that differ, or that only one of the two has."""
    return sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))


def stands_until(spec: Spec, private: Store, public: Store, candidate_id: str, *, published: bool, now: datetime) -> datetime:
    """Return the moment from which the calendar alone may change an outcome: an approval ends, a window opens, or a week has gone."""
    moments = [now + LONGEST]
    for record in read_approvals(private, candidate_id) if candidate_id else ():
        moments += [m for m in (datetime.fromisoformat(at) for at in (record.decided_at, record.expires_at)) if m > now]
    window = spec.schedule.publish_window if spec.schedule else "always"
    current = _log_of(public)
    if not published and current is not None and (head := current.current()) is not None:
        opens = opens_on(date.fromisoformat(str(head.body["released_on"])), window)
        if opens is not None and (at := datetime.combine(opens, time(), UTC)) > now:
            moments.append(at)
    return min(moments)


def head_of(public: Store) -> tuple[int, str]:
    """Return the number and digest of the newest entry of the log, checked; (0, "") before anything is published."""
    log = _log_of(public)
    return (log.seq, log.head_sha256) if log else (0, "")


def follows(public: Store, before: tuple[int, str], *, changed: bool) -> bool:
    """Say whether the log is what it was `before`, and the one release that a run made when it `changed`."""
    log = _log_of(public)
    if log is None:
        return before == (0, "") and not changed
    if not changed:
        return (log.seq, log.head_sha256) == before
    earlier = log.entries[-2].sha256 if log.seq > 1 else ""
    return (log.seq - 1, earlier) == before and bool(log.entries[-1].release_id)


def keep_outcome(private: Store, secret: Secret, outcome: Outcome) -> None:
    """Write the outcome, authenticated under the dataset's secret."""
    body = asdict(outcome)
    private.put(RECORD, readable_json({**body, "mac": _mac(secret, body)}))


def read_outcome(private: Store, secret: Secret) -> Outcome | None:
    """Return the last outcome; None when there is none, or none that a run with this secret wrote."""
    try:
        body = json.loads(private.get(RECORD))
        mac = body.pop("mac")
        return Outcome(**{**body, "hold_reasons": tuple(body["hold_reasons"])}) if mac == _mac(secret, body) else None
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _of_receipts(receipts: Iterable[Receipt], tables: Callable[[str], str] = lambda _: "") -> bytes:
    """Return the receipts' digest, whatever the order; how long a study took is no ground of anything.

    `tables` gives the digest of a failed study's tables: a run that broke off may have left some, and its receipt does not say.
    """
    lines = []
    for r in receipts:
        said = (r.study_key, r.fingerprint, r.work_id, r.status.value, r.reason and r.reason.value, r.outcomes, r.instance_count)
        left = r.tables_sha256 if r.status is not Status.FAILED else tables(r.study_key)
        lines.append(repr((*said, r.released_bytes, r.finding_count, r.detail, r.rules_id, left)))
    return sha256_hex("\n".join(sorted(lines)).encode()).encode()


def _of_registries(spec: Spec) -> bytes:
    # PRIVACY: identified values; only their keyed digest is kept (tests/unit/test_grounds.py).
    registry = read_registry(spec.cohort)
    consented = None if registry.consented is None else sorted(registry.consented)
    return canonical_json([sorted(registry.opted_out), consented])


def _of_reviewers(spec: Spec, secret: Secret) -> bytes:
    signers = spec.approval.allowed_signers if isinstance(spec.approval, Approval) else None
    trusted = read_trusted(Path(signers) if signers else None, secret)
    return canonical_json({who: [key.ssh_line for key in keys] for who, keys in trusted.items()})


def _of_candidate(private: Store, candidate_id: str) -> bytes:
    """Return what is kept of a candidate and its judgement, and every decision about it."""
    if not candidate_id:
        return b""
    prefix = f"candidates/{candidate_id}/"
    kept = [private.get(f"{prefix}{name}") for name in ("candidate.json", "verdict.json", "plan.json")]
    return b"\n".join([*(sha256_hex(content).encode() for content in kept), _of_files(private, f"{prefix}approvals/")])


def _of_published(public: Store) -> bytes:
    """Return the state of the public side: its log, checked entry by entry, the pointer, and the names and sizes of its files."""
    log = _log_of(public)
    if log is None:
        return b""
    current = log.current()
    files = sorted(public.sizes(f"releases/{current.release_id}/")) if current else []
    return canonical_json([log.head_sha256, sha256_hex(_or_nothing(public, LATEST)), [list(file) for file in files]])


def _log_of(public: Store) -> Log | None:
    """Return the checked log; None where nothing was ever published."""
    if public.size("keys.json") is None and public.size(entry_key(1)) is None:
        return None
    return read_log(public)


def _of_files(store: Store, prefix: str) -> bytes:
    return canonical_json([[key, sha256_hex(store.get(key))] for key in store.keys(prefix)])


def _or_nothing(store: Store, key: str) -> bytes:
    try:
        return store.get(key)
    except KeyError:
        return b""


def _mac(secret: Secret, body: Mapping[str, Any]) -> str:
    return secret.digest(f"{_PURPOSE}-record", canonical_json(json.loads(json.dumps(body))).decode()).hex()
