"""The commit log: hash-chained, signed entries, each written once. A release exists when its entry does.

What an entry commits (manifests, tombstones) does not belong here. Entries hold digests and counts only, never a row.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.publish.canonical import canonical_json, readable_json, sha256_hex
from tasks.publish.causes import Cause, refuse
from tasks.publish.signing import PublicKey, Signer, read_public_key
from tasks.publish.store import AlreadyExistsError, Store

KINDS = ("release", "reissue", "withdrawal", "retirement", "key_added", "key_revoked", "barrier")
# A barrier says nothing: it makes publishers that are at work start again after a withdrawal (`withdraw.py`).


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log as it was read; `body` is what was signed."""

    seq: int
    kind: str
    body: Mapping[str, Any]
    sha256: str  # of the entry's bytes: what the next entry points to
    key_id: str

    @property
    def release_id(self) -> str:
        """Return the release that this entry commits, or "" when it commits none."""
        return str(self.body["release_id"]) if self.kind in ("release", "reissue") else ""


@dataclass(frozen=True, slots=True)
class Log:
    """The whole log, checked: gapless, chained, every entry signed by a key that was trusted then."""

    genesis: PublicKey
    entries: tuple[Entry, ...]
    keys: Mapping[str, PublicKey]  # every key ever trusted, by key id
    revoked: Mapping[str, int]  # key id: first seq at which it is no longer trusted

    @property
    def head_sha256(self) -> str:
        """Return the digest that the next entry must name; of no entry at all, the empty text."""
        return self.entries[-1].sha256 if self.entries else ""

    @property
    def seq(self) -> int:
        """Return the number of the newest entry, 0 for an empty log."""
        return len(self.entries)

    def releases(self) -> list[Entry]:
        """Return the entries that commit releases, oldest first."""
        return [e for e in self.entries if e.release_id]

    def find(self, release_id: str) -> Entry | None:
        """Return the entry that commits the release."""
        return next((e for e in self.releases() if e.release_id == release_id), None)

    def superseded(self) -> dict[str, str]:
        """Return which releases were replaced because of a withdrawal: old release id to new one."""
        return {str(e.body["supersedes"]): e.release_id for e in self.releases() if e.body.get("supersedes")}

    def retired(self) -> set[str]:
        """Return the releases that were retired for quality reasons."""
        return {str(r) for e in self.entries if e.kind == "retirement" for r in e.body.get("release_ids", [])}

    def current(self) -> Entry | None:
        """Return the release that a reader should read: the newest that is neither superseded, reissued nor retired."""
        gone = self.superseded().keys() | self.retired()
        live = [e for e in self.releases() if e.release_id not in gone and not e.body.get("historical")]
        return live[-1] if live else None

    def trusts(self, key: PublicKey, seq: int) -> bool:
        """Say whether the key may sign at this place of the log."""
        return key.key_id in self.keys and self.keys[key.key_id] == key and seq < self.revoked.get(key.key_id, seq + 1)


def entry_key(seq: int) -> str:
    """Return the key of a log entry."""
    return f"log/{seq:08d}.json"


def read_log(public: Store) -> Log:
    """Read and check the whole log; a ReleaseError with its own cause when anything in it is wrong."""
    genesis = _read_genesis(public)
    if genesis is None:
        if public.size(entry_key(1)) is not None:
            raise refuse(Cause.KEYS_INVALID, "keys.json", "missing")
        raise refuse(Cause.NO_RELEASE, "log", "nothing was published here")
    keys, revoked, entries = {genesis.key_id: genesis}, dict[str, int](), list[Entry]()
    previous = ""
    while (data := _read(public, entry_key(len(entries) + 1))) is not None:
        seq = len(entries) + 1
        entry, signature = _parse(data, seq)
        key = keys.get(entry.key_id)
        if key is None or not key.accepts(signature, canonical_json(entry.body)):
            raise refuse(Cause.LOG_SIGNATURE, entry_key(seq))
        if seq >= revoked.get(entry.key_id, seq + 1):
            raise refuse(Cause.REVOKED_KEY, entry_key(seq))
        if entry.body.get("previous_sha256") != previous or entry.body.get("seq") != seq:
            raise refuse(Cause.LOG_CHAIN_BROKEN, entry_key(seq))
        _apply_keys(entry, keys, revoked)
        entries.append(entry)
        previous = entry.sha256
    _refuse_gap(public, len(entries))
    return Log(genesis, tuple(entries), keys, revoked)


def open_log(public: Store, signer: Signer) -> Log:
    """Read the log as a publisher: start it with this signer's key when there is none; refuse a signer whom it does not trust."""
    if _read_genesis(public) is None and public.size(entry_key(1)) is None:
        with contextlib.suppress(AlreadyExistsError):
            public.put("keys.json", _genesis_bytes(signer.public), if_absent=True)
    log = read_log(public)
    if not log.trusts(signer.public, log.seq + 1):
        raise refuse(Cause.KEY_NOT_TRUSTED, "log", f"key {signer.public.key_id}")
    return log


def entry_bytes(signer: Signer, log: Log, kind: str, body: Mapping[str, Any]) -> bytes:
    """Return the bytes of the entry that would follow the log's head."""
    whole = {**body, "kind": kind, "seq": log.seq + 1, "previous_sha256": log.head_sha256}
    signature = base64.b64encode(signer.sign(canonical_json(whole))).decode()
    return readable_json({"body": whole, "key_id": signer.public.key_id, "signature": signature})


def append(public: Store, signer: Signer, log: Log, kind: str, body: Mapping[str, Any]) -> bool:
    """Commit one entry after the log's head. False when somebody else took the place with another entry; read the log again then."""
    data = entry_bytes(signer, log, kind, body)
    key = entry_key(log.seq + 1)
    try:
        public.put(key, data, if_absent=True)
    except AlreadyExistsError:
        return public.get(key) == data
    return True


def _read_genesis(public: Store) -> PublicKey | None:
    data = _read(public, "keys.json")
    if data is None:
        return None
    try:
        return read_public_key(json.loads(data)["genesis"]["ssh"])
    except (ValueError, KeyError, TypeError):
        raise refuse(Cause.KEYS_INVALID, "keys.json") from None


def _genesis_bytes(public: PublicKey) -> bytes:
    about = "The first key of this dataset's log. Later keys are added and revoked by entries of the log."
    return readable_json({"about": about, "genesis": {"key_id": public.key_id, "ssh": public.ssh_line, "fingerprint": public.fingerprint}})


def _parse(data: bytes, seq: int) -> tuple[Entry, bytes]:
    try:
        parsed = json.loads(data)
        body = parsed["body"]
        signature = base64.b64decode(parsed["signature"], validate=True)
        entry = Entry(seq, str(body["kind"]), body, sha256_hex(data), str(parsed["key_id"]))
        if entry.kind not in KINDS or (entry.kind in ("release", "reissue") and not body["release_id"]):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise refuse(Cause.LOG_UNREADABLE, entry_key(seq)) from None
    return entry, signature


def _apply_keys(entry: Entry, keys: dict[str, PublicKey], revoked: dict[str, int]) -> None:
    try:
        if entry.kind == "key_added":
            key = read_public_key(str(entry.body["ssh"]))
            keys[key.key_id] = key
        elif entry.kind == "key_revoked":
            revoked.setdefault(str(entry.body["revoked_key_id"]), entry.seq + 1)
    except (ValueError, KeyError):
        raise refuse(Cause.LOG_UNREADABLE, entry_key(entry.seq)) from None


def _refuse_gap(public: Store, seq: int) -> None:
    for ahead in (2, 3):
        if public.size(entry_key(seq + ahead)) is not None:
            raise refuse(Cause.LOG_GAP, entry_key(seq + 1))


def _read(public: Store, key: str) -> bytes | None:
    try:
        return public.get(key)
    except KeyError:
        return None
