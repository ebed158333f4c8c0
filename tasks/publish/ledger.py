"""The disclosure ledger on the private side: who received which release, for tiers that are not open, and who must be told of withdrawals.

Sending messages does not belong here; notices are written for people to send.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date

from tasks.publish.canonical import readable_json, sha256_hex
from tasks.publish.store import Store

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
    date.fromisoformat(disclosure.on)
    data = readable_json(asdict(disclosure))
    private.put(f"{PREFIX}{disclosure.on}-{sha256_hex(data)[:16]}.json", data)


def read_disclosures(private: Store, *, recipient: str = "", release_ids: Iterable[str] | None = None) -> list[Disclosure]:
    """Return the disclosures, oldest first, of one recipient or of some releases."""
    wanted = None if release_ids is None else set(release_ids)
    found = [Disclosure(**json.loads(private.get(key))) for key in private.keys(PREFIX)]
    return [d for d in found if (not recipient or d.recipient == recipient) and (wanted is None or d.release_id in wanted)]


def write_notices(private: Store, tombstone: str, release_ids: Iterable[str], on: date) -> list[str]:
    """Write one notice per recipient of these releases and return the recipients."""
    by_recipient: dict[str, set[str]] = {}
    for disclosure in read_disclosures(private, release_ids=release_ids):
        by_recipient.setdefault(disclosure.recipient, set()).add(disclosure.release_id)
    for recipient, releases in sorted(by_recipient.items()):
        notice = {
            "recipient": recipient,
            "on": on.isoformat(),
            "tombstone": tombstone,
            "releases": sorted(releases),
            "text": "Objects of releases that you received were withdrawn. Delete your copies of everything that the tombstone "
            "names (sallyport get --prune does it), and confirm.",
        }
        private.put(
            f"{NOTICES}{tombstone.rsplit('/', 1)[-1].removesuffix('.json')}-{sha256_hex(recipient.encode())[:16]}.json",
            readable_json(notice),
        )
    return sorted(by_recipient)
