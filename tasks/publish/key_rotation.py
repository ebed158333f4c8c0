"""Rotate and revoke publishing keys through the log: a new key is trusted because a trusted one signed it in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from tasks.publish import audit
from tasks.publish.audit_heads import sign_head
from tasks.publish.causes import Cause, refuse
from tasks.publish.latest import point_to_head
from tasks.publish.log import append, open_log
from tasks.publish.signing import PublicKey, Signer
from tasks.publish.store import Store

_ATTEMPTS = 10


def add_key(private: Store, public: Store, signer: Signer, new: PublicKey, on: date) -> int:
    """Commit that `new` may sign from now on; return the entry's number."""
    body = {"on": on.isoformat(), "ssh": new.ssh_line, "key_id_added": new.key_id, "fingerprint": new.fingerprint}
    return _commit(private, public, signer, "key_added", body, on)


def revoke_key(private: Store, public: Store, signer: Signer, key_id: str, on: date) -> int:
    """Commit that a key may not sign any later entry; the last trusted key cannot be revoked. Return the entry's number."""
    log = open_log(public, signer)
    trusted = [k for k, key in log.keys.items() if log.trusts(key, log.seq + 2)]
    if key_id not in log.keys or trusted == [key_id]:
        raise refuse(Cause.KEY_NOT_TRUSTED, "keys", "unknown key" if key_id not in log.keys else "it is the last one: rotate first")
    return _commit(private, public, signer, "key_revoked", {"on": on.isoformat(), "revoked_key_id": key_id}, on)


def _commit(private: Store, public: Store, signer: Signer, kind: str, body: Mapping[str, Any], on: date) -> int:
    for _ in range(_ATTEMPTS):
        log = open_log(public, signer)
        if append(public, signer, log, kind, body):
            audit.record(private, kind, entry=log.seq + 1)
            if log.trusts(signer.public, log.seq + 2) and body.get("revoked_key_id") != signer.public.key_id:
                point_to_head(public, signer, on)
                sign_head(private, public, signer)
            return log.seq + 1
    raise refuse(Cause.OBJECT_CONFLICT, "log", "does not hold still")
