"""The disclosure ledger on the private side: who received which release, for tiers that are not open, and who must be told of withdrawals.

Sending messages does not belong here; notices are written for people to send.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date

from tasks.errors import UsageError
from tasks.publish.canonical import readable_json, sha256_hex
from tasks.publish.log import Log
from tasks.publish.store import AlreadyExistsError, Store

PREFIX = "vault/ledger/"
NOTICES = "vault/notices/"


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One release handed to one recipient."""

    recipient: str
    release_id: str
    on: str  # ISO date
    purpose: str = ""
    agreement: str = ""


def record_disclosure(private: Store, disclosure: Disclosure) -> None:
    """Write one disclosure; writing the same one again changes nothing."""
    if not disclosure.recipient.strip():
        raise UsageError("--recipient", "empty", "name who received the release")
    date.fromisoformat(disclosure.on)
    data = readable_json(asdict(disclosure))
    private.put(f"{PREFIX}{disclosure.on}-{sha256_hex(data)[:16]}.json", data)


def read_disclosures(private: Store, *, recipient: str = "", release_ids: Iterable[str] | None = None) -> list[Disclosure]:
    """Return the disclosures, oldest first, of one recipient or of some releases."""
    wanted = None if release_ids is None else set(release_ids)
    found = [Disclosure(**json.loads(private.get(key))) for key in private.keys(PREFIX)]
    return [d for d in found if (not recipient or d.recipient == recipient) and (wanted is None or d.release_id in wanted)]


def write_notices(private: Store, log: Log, on: date) -> list[str]:
    """Write one notice per tombstone and recipient of releases that were replaced up to it; return whose notices were not there yet.

    Every tombstone of the log is looked at, so that a withdrawal that was killed before it told anybody, and a disclosure that was
    recorded late, are made up for by the next.
    """
    disclosures = read_disclosures(private)
    told: set[str] = set()
    for withdrawal in (e for e in log.entries if e.kind == "withdrawal"):
        tombstone = str(withdrawal.body["tombstone"])
        replaced = {str(e.body["supersedes"]) for e in log.releases() if e.seq < withdrawal.seq and e.body.get("supersedes")}
        by_recipient: dict[str, set[str]] = {}
        for disclosure in disclosures:
            if disclosure.release_id in replaced:
                by_recipient.setdefault(disclosure.recipient, set()).add(disclosure.release_id)
        for recipient, releases in sorted(by_recipient.items()):
            if _write_notice(private, recipient, tombstone, releases, on):
                told.add(recipient)
    return sorted(told)


def _write_notice(private: Store, recipient: str, tombstone: str, releases: Iterable[str], on: date) -> bool:
    notice = {
        "recipient": recipient,
        "on": on.isoformat(),
        "tombstone": tombstone,
        "releases": sorted(releases),
        "text": "Objects of releases that you received were withdrawn. Delete your copies of everything that the tombstone "
        "names (sallyport get --prune does it), and confirm.",
    }
    key = f"{NOTICES}{tombstone.rsplit('/', 1)[-1].removesuffix('.json')}-{sha256_hex(recipient.encode())[:16]}.json"
    try:
        private.put(key, readable_json(notice), if_absent=True)
    except AlreadyExistsError:
        return False
    return True
