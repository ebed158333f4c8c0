"""Text in the pixels as they are staged (T7): a seeded sample of the candidate is read once more, by other views than blanking used.

What is read counts when it is a value of the patient or has the shape of PHI; how pixels are read is `tasks/scan/reading.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.policy.gates import GatePolicy
from tasks.publish.canonical import readable_json
from tasks.publish.store import Store
from tasks.risk.measures import Measure, as_risk_table
from tasks.scan import HOLD_SCORE, SourceIdentity
from tasks.scan.strangers import read_people
from tasks.secret import Secret

RECORD = "vault/read_again.json"
_TELLING = ("T7.value", "T7.shape", "T7.unread")
_COLUMNS = ("SOPInstanceUID", "PatientID", "study_key", "quarantine_key", "sha256", "blanked_regions", "pixel_data_length")


def read_again(private: Store, kept: pa.Table, policy: GatePolicy, secret: Secret, scratch: Path) -> pa.Table:
    """Return the T7 row: objects in a sample of the candidate whose staged pixels still say something about a person.

    An object that was read for an earlier candidate is not read again. Raises ReleaseError when the text engine is absent.
    """
    known = _read_record(private)
    chosen = list(choose(kept, policy, secret))
    for row in chosen:
        if row["sha256"] not in known:
            known[row["sha256"]] = _still_tells(private, row, scratch)
    private.put(RECORD, readable_json(dict(sorted(known.items()))))
    telling = sum(known[row["sha256"]] for row in chosen)
    return as_risk_table([Measure("T7", "objects with telling text, of those read again", telling, len(chosen), "block", at_most=0)])


def choose(kept: pa.Table, policy: GatePolicy, secret: Secret) -> Iterator[dict[str, Any]]:
    """Yield the objects to read: a seeded share, half of it from those that were blanked; nobody can foretell which."""
    rows = [r for r in kept.select(list(_COLUMNS)).to_pylist() if r["pixel_data_length"]]
    count = min(policy.read_again_most, max(policy.read_again_least, math.ceil(policy.read_again_share * len(rows))))
    ordered = sorted(rows, key=lambda r: secret.digest("read-again", r["sha256"]))
    blanked = [r for r in ordered if r["blanked_regions"]][: count // 2]
    names = {r["sha256"] for r in blanked}
    yield from blanked
    yield from [r for r in ordered if r["sha256"] not in names][: count - len(blanked)]


def _still_tells(private: Store, row: dict[str, Any], scratch: Path) -> bool:
    from tasks.scan.reading import text_in_pixels

    values = {v for who, i in read_people(private, [row["study_key"]]) if who == row["PatientID"] for v in i.values}
    path = scratch / "read-again.dcm"
    path.write_bytes(private.get(row["quarantine_key"]))
    try:
        found = text_in_pixels(path, SourceIdentity(frozenset(values)), row["SOPInstanceUID"])
    finally:
        path.unlink()
    return any(f.rule in _TELLING and f.score >= HOLD_SCORE for f in found)


def _read_record(private: Store) -> dict[str, bool]:
    try:
        return dict(json.loads(private.get(RECORD)))
    except KeyError:
        return {}
