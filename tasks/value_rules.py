"""Rules about values: what a reviewer accepted or refused in the report decides every later candidate.

PRIVACY: a rule holds a keyed digest of the value, never the value (tests/unit/test_value_rules.py). Finding values does not
belong here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from tasks.errors import UsageError
from tasks.publish.canonical import canonical_json, readable_json, sha256_hex
from tasks.publish.store import Store
from tasks.secret import Secret

PREFIX = "vault/rules/values/"
_PURPOSE = "value-rules"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a reviewer said of one value of one column."""

    column: str
    value: str = field(repr=False)
    choice: Literal["accept", "refuse"]


@dataclass(frozen=True, slots=True)
class ValueRules:
    """Every rule on record: (column, keyed digest of the value) -> the latest choice."""

    secret: Secret = field(repr=False)
    choices: dict[tuple[str, str], str]

    def choice(self, column: str, value: str) -> str | None:
        """Return accept, refuse, or None when nobody decided."""
        return self.choices.get((column, _digest(self.secret, column, value)))


def read_decisions(path: Path, candidate_root: str) -> list[Decision]:
    """Read the file that the report's button saves; it must be about this candidate."""
    where = "--rules"
    try:
        data = json.loads(path.read_text("utf-8"))
        decisions = [Decision(str(d["column"]), str(d["value"]), d["choice"]) for d in data["decisions"]]
        root = data["candidate_root"]
    except OSError as error:
        raise UsageError(where, f"cannot be read ({type(error).__name__})", "check the path") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(where, "is no file of decisions", "use the button of the candidate's report") from None
    if root != candidate_root:
        raise UsageError(where, "is about another candidate", "use the report of this one")
    if any(d.choice not in ("accept", "refuse") for d in decisions):
        raise UsageError(where, "holds a choice that is neither accept nor refuse", "use the button of the candidate's report")
    return decisions


def keep_rules(private: Store, secret: Secret, decisions: Iterable[Decision], *, reviewer: str) -> str:
    """Write decisions as rules, authenticated under the dataset's secret; return the key of the record."""
    at = datetime.now(UTC).isoformat()
    rules = sorted([d.column, _digest(secret, d.column, d.value), d.choice] for d in decisions)
    body: dict[str, Any] = {"decided_at": at, "reviewer": reviewer, "rules": rules}
    data = readable_json({**body, "mac": _mac(secret, body)})
    key = f"{PREFIX}{at.replace(':', '')}-{sha256_hex(data)[:8]}.json"
    private.put(key, data, if_absent=True)
    return key


def read_rules(private: Store, secret: Secret) -> ValueRules:
    """Read every rule, later ones over earlier ones; a record that nobody with the secret wrote is a UsageError."""
    choices: dict[tuple[str, str], str] = {}
    for key in private.keys(PREFIX):
        try:
            record = json.loads(private.get(key))
            mac = record.pop("mac")
            rules = [(str(c), str(d), str(choice)) for c, d, choice in record["rules"]]
        except (ValueError, KeyError, TypeError):
            raise UsageError("rules about values", "a record is damaged", "remove it and decide again") from None
        if mac != _mac(secret, record):
            raise UsageError("rules about values", "a record was not written with this dataset's secret", "remove it and decide again")
        choices.update({(column, digest): choice for column, digest, choice in rules})
    return ValueRules(secret, choices)


def refused_objects(instances: pa.Table, rules: ValueRules) -> set[str]:
    """Return the SOP Instance UIDs of the rows that hold a refused value."""
    refused: set[str] = set()
    for column in sorted({c for (c, _), choice in rules.choices.items() if choice == "refuse"} & set(instances.column_names)):
        distinct = {v for v in instances[column].to_pylist() if isinstance(v, str)}
        bad = {v for v in distinct if rules.choice(column, v) == "refuse"}
        refused |= {u for u, v in zip(instances["SOPInstanceUID"].to_pylist(), instances[column].to_pylist(), strict=True) if v in bad}
    return refused


def _digest(secret: Secret, column: str, value: str) -> str:
    return secret.digest(_PURPOSE, column, value).hex()


def _mac(secret: Secret, body: dict[str, Any]) -> str:
    return secret.digest(_PURPOSE + "-record", canonical_json(body).decode()).hex()
