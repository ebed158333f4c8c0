"""Signed heads of the audit log: where it ended when an entry of the public log was there. Events taken off its end are missed.

A head binds the number and digest of the last event, and so every event before it, to an entry of the public log, with the publisher's
key. It proves that no event up to the newest head was changed, put in or taken out, unless by somebody with that key; that heads
themselves are not taken away is seen from the public log, whose newest entry must have one. It proves nothing about events after
the newest head, nor that everything that happened was recorded.
"""

from __future__ import annotations

import base64
import contextlib
import json
from dataclasses import dataclass
from typing import Any

from tasks.errors import ReleaseError
from tasks.publish import audit
from tasks.publish.canonical import canonical_json, readable_json, sha256_hex
from tasks.publish.causes import Cause
from tasks.publish.log import Log, read_log
from tasks.publish.signing import Signer
from tasks.publish.store import AlreadyExistsError, Store

PREFIX = "vault/audit-heads/"
_FIELDS = ("event", "event_sha256", "entry", "entry_sha256")


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with the heads, in words without values, and up to which event the audit log is signed (0: not at all)."""

    problems: tuple[str, ...]
    signed: int


def sign_head(private: Store, public: Store, signer: Signer) -> None:
    """Record the newest entry of the public log as an event, once, and sign where the audit log ends now."""
    log = read_log(public)
    if not log.entries:
        return
    covered, signed = _newest(private)
    if covered < log.seq:
        entry = log.entries[-1]
        released = {"release": entry.release_id, "root": str(entry.body["root"])} if entry.release_id else {}
        audit.record(private, "committed", entry=entry.seq, kind=entry.kind, entry_sha256=entry.sha256, **released)
    number, digest = audit.head(private)
    if covered == log.seq and signed == number:
        return
    body = {"event": number, "event_sha256": digest, "entry": log.seq, "entry_sha256": log.head_sha256}
    signature = base64.b64encode(signer.sign(canonical_json(body))).decode()
    with contextlib.suppress(AlreadyExistsError):  # somebody else has signed the same end
        data = readable_json({**body, "key_id": signer.public.key_id, "signature": signature})
        private.put(f"{PREFIX}{number:08d}.json", data, if_absent=True)


def check_heads(private: Store, public: Store) -> Checked:
    """Compare every head with the audit log and with the public log; a ReleaseError when the public log itself is not valid."""
    try:
        log = read_log(public)
    except ReleaseError as error:
        if getattr(error, "cause", None) != Cause.NO_RELEASE:
            raise
        return Checked((), 0)  # nothing was published yet: nothing is signed
    digests = [sha256_hex(private.get(key)) for key in private.keys(audit.PREFIX)]
    problems, covered, signed = [], 0, 0
    for key in private.keys(PREFIX):
        name = key.removeprefix(PREFIX)
        body = _read(private.get(key), log)
        if body is None:
            problems.append(f"head {name} is not validly signed")
        elif body["event"] > len(digests):
            problems.append(f"the log ends at event {len(digests)}, event {body['event']} was signed")
        elif digests[body["event"] - 1] != body["event_sha256"]:
            problems.append(f"event {body['event']} is not the one that was signed")
        else:
            covered, signed = max(covered, body["entry"]), max(signed, body["event"])
    if covered < log.seq and not problems:
        problems.append(f"entry {log.seq} of the public log has no signed head: its publisher was killed (run it again), or it was removed")
    return Checked(tuple(problems), signed)


def _read(data: bytes, log: Log) -> dict[str, Any] | None:
    try:
        parsed = json.loads(data)
        body = {name: parsed[name] for name in _FIELDS}
        key, entry = log.keys[parsed["key_id"]], log.entries[int(body["entry"]) - 1]
        signed = key.accepts(base64.b64decode(parsed["signature"], validate=True), canonical_json(body))
        valid = signed and log.trusts(key, entry.seq) and entry.sha256 == body["entry_sha256"] and int(body["event"]) > 0
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return body if valid else None


def _newest(private: Store) -> tuple[int, int]:
    """Return the entry and the event of the newest head; (0, 0) without one. Signatures are for `check_heads`."""
    keys = list(private.keys(PREFIX))
    try:
        parsed = json.loads(private.get(keys[-1])) if keys else {}
        return int(parsed.get("entry", 0)), int(parsed.get("event", 0))
    except (ValueError, TypeError, AttributeError):
        return 0, 0
