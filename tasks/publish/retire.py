"""Retire releases for quality reasons: readers are led to a better one; nothing is deleted (that is `withdraw.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tasks.errors import UsageError
from tasks.publish import audit
from tasks.publish.audit_heads import sign_head
from tasks.publish.causes import Cause, refuse
from tasks.publish.latest import point_to_head
from tasks.publish.log import append, open_log
from tasks.publish.signing import Signer
from tasks.publish.store import Store

REASONS = ("wrong_metadata", "wrong_pixels", "wrong_cohort", "broken_objects", "other")
_ATTEMPTS = 10


def retire(private: Store, public: Store, signer: Signer, on: date, release_ids: Sequence[str], reason: str) -> int:
    """Commit to the log that these releases should not be used any more; return the entry's number. Again: no new entry."""
    if reason not in REASONS:
        raise UsageError("--reason", "unknown", f"one of {', '.join(REASONS)}")
    for _ in range(_ATTEMPTS):
        log = open_log(public, signer)
        for release_id in release_ids:
            if log.find(release_id) is None:
                raise refuse(Cause.NO_RELEASE, "log")
        left = sorted(set(release_ids) - log.retired())
        if not left:
            point_to_head(public, signer, on)
            sign_head(private, public, signer)
            return log.seq
        if append(public, signer, log, "retirement", {"on": on.isoformat(), "release_ids": left, "reason": reason}):
            audit.record(private, "retired", releases=len(left), reason=reason)
            point_to_head(public, signer, on)
            sign_head(private, public, signer)
            return log.seq + 1
    raise refuse(Cause.OBJECT_CONFLICT, "log", "does not hold still")
