"""Approvals: a person's signed decision over exactly the bytes of one candidate, for a limited time.

A record binds the candidate's root digest, the policy, who decided and what was accepted. A gate that blocks cannot be
approved away; only what a gate asks a person about can. Showing candidates does not belong here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from tasks.errors import HeldError, UsageError
from tasks.model import Verdict
from tasks.policy.gates import GatePolicy
from tasks.publish.canonical import canonical_json, readable_json, sha256_hex
from tasks.publish.signing import PublicKey, Signer, read_public_key, sign_ssh, verify_ssh
from tasks.publish.store import AlreadyExistsError, Store
from tasks.secret import Secret

NAMESPACE = "dataset-approval"
"""The SSHSIG namespace of approvals: a signature made for a release is none for an approval."""

Choice = Literal["approve", "refuse"]
SHORTEST_DIGEST = 8
ASKS = "ask"
FINAL = frozenset({"block", "quarantine", "broken"})


@dataclass(frozen=True, slots=True)
class Approval:
    """One decision of one person. Private: the public side learns only what `public_summary` says."""

    candidate_id: str
    candidate_root: str
    policy_sha256: str
    decision: Choice
    reviewer: str = field(repr=False)
    operator: str = field(repr=False)  # who ran the release
    comment: str = field(repr=False)
    accepted: tuple[str, ...]  # what the gates asked about, as the verdict's reasons name it
    decided_at: str  # UTC, ISO 8601
    expires_at: str
    key: str = ""  # OpenSSH public key line
    signature: str = field(repr=False, default="")  # SSHSIG over the canonical JSON of all other fields

    def message(self) -> bytes:
        """Return the bytes that are signed."""
        return canonical_json(asdict(replace(self, signature="")))


@dataclass(frozen=True, slots=True)
class Settlement:
    """Where a candidate stands once people were heard: the verdict to publish by, and what the release may say of it."""

    verdict: Verdict
    approval: Mapping[str, str] | None


def approval_signer(secret: Secret) -> Signer:
    """Return the dataset's own approval key: it proves that the decision was made with access to the vault, not by whom."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Signer(Ed25519PrivateKey.from_private_bytes(secret.key("approval")))


def decide(
    verdict: Verdict,
    candidate_id: str,
    choice: Choice,
    *,
    typed_digest: str,
    reviewer: str,
    operator: str,
    signer: Signer,
    policy: GatePolicy,
    comment: str = "",
    now: datetime | None = None,
) -> Approval:
    """Sign one person's decision about a candidate.

    Raises HeldError when nothing here may be approved (a gate blocks, or the same person ran the release), and UsageError when
    the digest typed back is not this candidate's.
    """
    where = f"candidate {candidate_id}"
    typed = typed_digest.strip().lower()
    if len(typed) < SHORTEST_DIGEST or not verdict.candidate_root.startswith(typed):
        raise UsageError(where, "the digest typed is not this candidate's", f"copy at least {SHORTEST_DIGEST} digits from its report")
    if not reviewer.strip():
        raise UsageError(where, "no reviewer is named", "give --reviewer")
    final = [r for r in verdict.reasons if not r.endswith(f"({ASKS})")]
    if choice == "approve" and final:
        raise HeldError(where, f"held by {len(final)} gates that nobody can approve away", "mend what they name; see its report")
    if choice == "approve" and policy.four_eyes and _same_person(reviewer, operator):
        raise HeldError(where, "the reviewer also ran the release", "let somebody else decide (policy: four_eyes)")
    moment = now or datetime.now(UTC)
    record = Approval(
        candidate_id=candidate_id,
        candidate_root=verdict.candidate_root,
        policy_sha256=verdict.policy_sha256,
        decision=choice,
        reviewer=reviewer.strip(),
        operator=operator,
        comment=comment,
        accepted=tuple(sorted(verdict.reasons)) if choice == "approve" else (),
        decided_at=_stamp(moment),
        expires_at=_stamp(moment + timedelta(days=policy.approval_days)),
        key=signer.public.ssh_line,
    )
    return replace(record, signature=sign_ssh(signer, record.message(), NAMESPACE).decode())


def keep_approval(private: Store, record: Approval) -> str:
    """Write the record beside its candidate, never over another one; return its key."""
    data = readable_json(asdict(record))
    key = f"candidates/{record.candidate_id}/approvals/{record.decided_at.replace(':', '')}-{sha256_hex(data)[:8]}.json"
    try:
        private.put(key, data, if_absent=True)
    except AlreadyExistsError:
        if private.get(key) != data:
            raise
    return key


def read_approvals(private: Store, candidate_id: str) -> list[Approval]:
    """Return the records beside a candidate in the order of deciding; one that cannot be read is a HeldError."""
    records = []
    for key in private.keys(f"candidates/{candidate_id}/approvals/"):
        try:
            data = json.loads(private.get(key))
            records.append(Approval(**{**data, "accepted": tuple(data["accepted"])}))
        except (ValueError, TypeError, KeyError):
            raise HeldError(f"candidate {candidate_id}", "an approval record is damaged", "remove it and decide again") from None
    return records


def refusal_of(
    record: Approval, verdict: Verdict, policy: GatePolicy, trusted: Mapping[str, Sequence[PublicKey]], now: datetime | None = None
) -> str | None:
    """Say why a record does not count for this candidate now, or None when it does.

    `trusted`: reviewer -> the keys that may sign for them; the name "" holds keys that may sign for anybody.
    """
    moment = now or datetime.now(UTC)
    try:
        key = read_public_key(record.key)
        decided, expires = datetime.fromisoformat(record.decided_at), datetime.fromisoformat(record.expires_at)
        stale = (
            expires <= moment
            or decided > moment + timedelta(minutes=5)
            or expires - decided > timedelta(days=policy.approval_days, seconds=1)
        )
    except (ValueError, TypeError):
        return "unreadable"
    if key not in (*trusted.get(record.reviewer, ()), *trusted.get("", ())):
        return "signed with a key that is not trusted for this reviewer"
    if not verify_ssh(key, record.signature.encode(), record.message(), NAMESPACE):
        return "changed after signing"
    if record.candidate_root != verdict.candidate_root:
        return "about other bytes"
    if record.policy_sha256 != verdict.policy_sha256:
        return "about another policy"
    if stale:
        return "expired"
    if record.decision == "approve" and policy.four_eyes and _same_person(record.reviewer, record.operator):
        return "by the person who ran the release"
    return None


def settle(
    verdict: Verdict,
    records: Sequence[Approval],
    policy: GatePolicy,
    trusted: Mapping[str, Sequence[PublicKey]],
    *,
    reviewers: int,
    now: datetime | None = None,
) -> Settlement:
    """Combine the gates' verdict with what people decided; fails closed.

    A gate that blocks, quarantines or broke holds, whatever was approved. A valid refusal holds. Otherwise as many different
    reviewers as the spec asks for (and at least one when a gate asks) must have accepted everything that the gates asked.
    """
    valid = [r for r in records if refusal_of(r, verdict, policy, trusted, now) is None]
    asked = {r for r in verdict.reasons if r.endswith(f"({ASKS})")}
    if set(verdict.reasons) - asked or not (verdict.approved or asked):
        return Settlement(replace(verdict, approved=False), None)
    if any(r.decision == "refuse" for r in valid):
        return _held(verdict, "approval: refused by a reviewer")
    approving = [r for r in valid if r.decision == "approve" and asked <= set(r.accepted)]
    people = {r.reviewer.casefold() for r in approving}
    needed = max(reviewers, 1 if asked else 0)
    if len(people) < needed:
        lost = sorted({why for r in records if (why := refusal_of(r, verdict, policy, trusted, now))})
        detail = f" ({'; '.join(lost)})" if lost else ""
        return _held(verdict, f"approval: {len(people)} of {needed} reviewers{detail}")
    approved = replace(verdict, approved=True, reasons=())
    return Settlement(approved, public_summary(approving) if needed else None)


def public_summary(records: Sequence[Approval]) -> dict[str, str]:
    """Return what a release says of its approval: digests, days and counts; no name and no comment."""
    return {
        "candidate_root": records[0].candidate_root,
        "policy_sha256": records[0].policy_sha256,
        "reviewers": str(len({r.reviewer.casefold() for r in records})),
        "decided_on": max(r.decided_at for r in records)[:10],
        "expires_on": min(r.expires_at for r in records)[:10],
        "accepted": "; ".join(sorted({a for r in records for a in r.accepted})),
        "keys": " ".join(sorted({read_public_key(r.key).fingerprint for r in records})),
    }


def read_trusted(allowed_signers: Path | None, secret: Secret) -> dict[str, list[PublicKey]]:
    """Return whose keys may sign: an OpenSSH allowed_signers file (`name key-type key`), or without one the dataset's own key."""
    if allowed_signers is None:
        return {"": [approval_signer(secret).public]}
    where = "spec: approval.allowed_signers"
    try:
        lines = allowed_signers.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(where, f"cannot be read ({type(error).__name__})", "check the path") from None
    trusted: dict[str, list[PublicKey]] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            at = words.index("ssh-ed25519")
            trusted.setdefault(words[0], []).append(read_public_key(" ".join(words[at : at + 2])))
        except (ValueError, IndexError):
            raise UsageError(where, f"line {number} is no ssh-ed25519 key", "write: name ssh-ed25519 AAAA…") from None
    return trusted


def _held(verdict: Verdict, reason: str) -> Settlement:
    return Settlement(replace(verdict, approved=False, reasons=(*verdict.reasons, reason)), None)


def _same_person(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()
