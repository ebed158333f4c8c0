"""The audit log on the private side: hash-chained events that say who did what with which outcome, without PHI.

Events hold counts, codes, released names and digests; an identified value has no place in them. Where the log ends is signed in
`audit_heads.py`.
"""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tasks.publish.canonical import canonical_json, sha256_hex
from tasks.publish.store import AlreadyExistsError, Store

PREFIX = "vault/audit/"
_SAFE = re.compile(r"[A-Za-z0-9 ._:+/@,=()-]{0,200}")


def record(private: Store, event: str, **facts: str | int | bool) -> None:
    """Append one event durably; facts are short codes, counts, digests and released names, else ValueError.

    # PRIVACY: free text could quote a patient: tests/publish/test_withdraw.py.
    """
    for name, value in facts.items():
        if isinstance(value, str) and not _SAFE.fullmatch(value):
            raise ValueError(f"audit fact {name}: not a code, count, digest or released name")
    number, previous = head(private)
    while True:
        body = {
            "number": number + 1,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "who": _who(),
            "event": event,
            "facts": facts,
            "previous_sha256": previous,
        }
        try:
            private.put(f"{PREFIX}{number + 1:08d}.json", canonical_json(body), if_absent=True)
            return
        except AlreadyExistsError:
            number, previous = head(private)


def read_events(private: Store) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield every event, oldest first, and whether the chain holds up to it."""
    previous, intact = "", True
    for number, key in enumerate(private.keys(PREFIX), 1):
        data = private.get(key)
        try:
            event = json.loads(data)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            event = {"number": None, "event": "unreadable"}
        intact = intact and event.get("previous_sha256") == previous and event.get("number") == number
        previous = sha256_hex(data)
        yield event, intact


def head(private: Store) -> tuple[int, str]:
    """Return the number and sha256 of the last event; (0, "") without one."""
    last = ""
    for last in private.keys(PREFIX):  # noqa: B007  # the last key of a sorted listing is the head
        pass
    if not last:
        return 0, ""
    return int(last.removeprefix(PREFIX).removesuffix(".json")), sha256_hex(private.get(last))


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
