"""What a withdrawal is going to purge, written to the vault before anything is deleted: one that was killed is finished by the next.

Released identifiers only. Carrying it out is in `withdraw.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tasks.publish.canonical import canonical_json, sha256_hex
from tasks.publish.store import Store

PREFIX = "vault/withdrawals/"
_FIELDS = ("studies", "series", "versions", "instances")


@dataclass(slots=True)
class Plan:
    """Released identifiers of everything withdrawn that a release held."""

    studies: set[str] = field(default_factory=set)  # whole ones
    series: set[str] = field(default_factory=set)
    versions: set[str] = field(default_factory=set)
    instances: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set, repr=False)  # the unfinished plans that went into this one

    def add(self, other: Plan) -> None:
        """Take in everything of another plan."""
        for name in (*_FIELDS, "files"):
            getattr(self, name).update(getattr(other, name))


def unfinished_plan(private: Store) -> Plan:
    """Return what earlier withdrawals planned and did not finish."""
    plan = Plan()
    for key in private.keys(PREFIX):
        data = json.loads(private.get(key))
        if not data["finished"]:
            plan.add(Plan(**{name: set(data[name]) for name in _FIELDS}))
            plan.files.add(key)
    return plan


def keep_plan(private: Store, plan: Plan) -> None:
    """Write the plan down; keeping the same one again changes nothing."""
    if plan.series or plan.instances:
        data = {**{name: sorted(getattr(plan, name)) for name in _FIELDS}, "finished": False}
        key = f"{PREFIX}{sha256_hex(canonical_json(data))[:32]}.json"
        plan.files.add(key)
        private.put(key, canonical_json(data))


def finish_plan(private: Store, plan: Plan, tombstone: str) -> None:
    """Record that everything planned is purged, and under which tombstone; what it named is in the tombstone from now on."""
    for key in sorted(plan.files):
        private.put(key, canonical_json({**{name: [] for name in _FIELDS}, "finished": True, "tombstone": tombstone}))
