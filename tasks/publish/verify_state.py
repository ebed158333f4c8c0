"""What a consumer has seen of a dataset before, so that an older or shorter copy is noticed.

One small JSON file of the consumer's own; nothing secret.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tasks.publish.canonical import readable_json
from tasks.publish.causes import Cause, refuse
from tasks.publish.log import Log


class SeenState:
    """The highest entries seen per dataset, and the key that it started with. Without a path nothing is remembered."""

    def __init__(self, path: Path | None, url: str) -> None:
        self.path, self.url = path, url
        self.all: dict[str, Any] = {}
        if path is not None and path.exists():
            try:
                self.all = dict(json.loads(path.read_text()))
            except ValueError:
                self.all = {}
        self.seen: dict[str, Any] = self.all.get(url, {})
        self.latest_seq = int(self.seen.get("latest_seq", 0))

    def compare(self, log: Log) -> None:
        """Refuse a log that is shorter than, or differs from, what was seen, or that starts with another key."""
        if self.seen.get("fingerprint", log.genesis.fingerprint) != log.genesis.fingerprint:
            raise refuse(Cause.KEY_MISMATCH, "keys.json", "not the key that was seen first")
        seq = int(self.seen.get("seq", 0))
        if seq > log.seq:
            raise refuse(Cause.LOG_TRUNCATED, "log", f"ends at {log.seq}, ended at {seq} before")
        if seq and log.entries[seq - 1].sha256 != self.seen.get("head_sha256"):
            raise refuse(Cause.LOG_CHAIN_BROKEN, "log", "its history was rewritten")

    def compare_latest(self, seq: int) -> None:
        """Refuse a latest.json that points further back than one seen before."""
        if seq < self.latest_seq:
            raise refuse(Cause.LATEST_ROLLED_BACK, "latest.json", f"names entry {seq}, named {self.latest_seq} before")
        self.latest_seq = seq

    def remember(self, log: Log) -> None:
        """Write what was seen."""
        if self.path is None:
            return
        self.all[self.url] = {
            "fingerprint": log.genesis.fingerprint,
            "seq": log.seq,
            "head_sha256": log.head_sha256,
            "latest_seq": self.latest_seq,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        temporary.write_bytes(readable_json(self.all))
        temporary.replace(self.path)
