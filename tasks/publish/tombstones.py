"""Tombstones: the public record of what was withdrawn, so that consumers can delete their copies.

Released ids and digests, a neutral reason, and nothing else. How a withdrawal is carried out is in `withdraw.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from tasks.publish.canonical import sha256_hex
from tasks.publish.causes import Cause
from tasks.publish.log import Log
from tasks.publish.store import Store


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Everything that tombstones name."""

    studies: frozenset[str] = frozenset()
    series: frozenset[str] = frozenset()
    series_versions: frozenset[str] = frozenset()


def tombstone_key(number: int) -> str:
    """Return the key of the n-th tombstone, counted from 1."""
    return f"tombstones/{number:08d}.json"


def number_of(key: str) -> int:
    """Return the number of a tombstone by its key."""
    return int(key.rsplit("/", 1)[-1].removesuffix(".json"))


def read_withdrawn(public: Store, log: Log, add: Callable[[Cause, str, str], None]) -> Withdrawn:
    """Read every tombstone that the log commits; a damaged or missing one is reported through `add`."""
    studies: set[str] = set()
    series: set[str] = set()
    versions: set[str] = set()
    for entry in log.entries:
        if entry.kind != "withdrawal":
            continue
        key = str(entry.body["tombstone"])
        try:
            data = public.get(key)
            if sha256_hex(data) != entry.body["tombstone_sha256"]:
                raise ValueError
            parsed = json.loads(data)
            studies.update(parsed["studies"])
            series.update(parsed["series"])
            versions.update(parsed["series_versions"])
        except (KeyError, ValueError, TypeError):
            add(Cause.TOMBSTONE_INVALID, key, "")
    return Withdrawn(frozenset(studies), frozenset(series), frozenset(versions))
