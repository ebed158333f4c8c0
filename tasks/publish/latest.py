"""`latest.json`, the only mutable object of a dataset: a signed pointer to the head of the log.

It is a convenience; the log is the truth. Deciding what is current does not belong here (`log.py`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from tasks.publish.canonical import canonical_json, readable_json
from tasks.publish.causes import Cause, refuse
from tasks.publish.log import Log, read_log
from tasks.publish.signing import Signer
from tasks.publish.store import Store

KEY = "latest.json"
VALID_DAYS = 400
"""How long a pointer may be trusted without a newer one: a publisher that stops refreshing is noticed."""


def point_to_head(public: Store, signer: Signer, on: date) -> Log:
    """Bring latest.json to the head of the log, never back, and return the log. Running it again changes nothing."""
    for _ in range(100):
        log = read_log(public)
        current = log.current()
        if current is None:
            return log
        try:
            found: bytes | None = public.get(KEY)
        except KeyError:
            found = None
        if found is not None and _seq(found) >= log.seq:
            return log
        body = {
            "release_id": current.release_id,
            "seq": log.seq,
            "head_sha256": log.head_sha256,
            "expires_on": (on + timedelta(days=VALID_DAYS)).isoformat(),
        }
        signature = base64.b64encode(signer.sign(canonical_json(body))).decode()
        if public.replace(KEY, readable_json({**body, "key_id": signer.public.key_id, "signature": signature}), found):
            return log
    raise refuse(Cause.OBJECT_CONFLICT, KEY, "does not hold still")


def read_latest(public: Store, log: Log) -> Mapping[str, Any]:
    """Return latest.json's body, its signature checked and its head found in the log; a ReleaseError otherwise."""
    try:
        data = json.loads(public.get(KEY))
        signature = base64.b64decode(data.pop("signature"), validate=True)
        key = log.keys[data.pop("key_id")]
        seq, head = int(data["seq"]), str(data["head_sha256"])
        date.fromisoformat(data["expires_on"])
        valid = key.accepts(signature, canonical_json(data)) and log.trusts(key, seq)
    except (KeyError, ValueError, TypeError):
        raise refuse(Cause.LATEST_INVALID, KEY) from None
    if not valid:
        raise refuse(Cause.LATEST_INVALID, KEY, "signature")
    if seq > log.seq:
        raise refuse(Cause.LOG_TRUNCATED, "log", f"latest.json names entry {seq}, the log ends at {log.seq}")
    if log.entries[seq - 1].sha256 != head:
        raise refuse(Cause.LATEST_INVALID, KEY, "names another head")
    return dict(data)


def _seq(found: bytes) -> int:
    try:
        return int(json.loads(found)["seq"])
    except (ValueError, KeyError, TypeError):
        return 0
