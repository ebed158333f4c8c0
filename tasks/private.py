"""The private side: where receipts, crosswalk and quarantined objects live in the private store.

Knows keys and formats only. What a receipt means, and what may leave, does not belong here.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.model import Finding, InstanceOutcome, Reason, Receipt, Status
from tasks.publish.store import Store
from tasks.schemas import CROSSWALK, FINDINGS, INSTANCES

RECEIPTS_INDEX = "vault/receipts.parquet"
_GATHERED_AT_ONCE = 64  # a table of one study takes a hundred kilobytes, however little is in it

_RECEIPTS = pa.schema(
    [
        pa.field("study_key", pa.string(), nullable=False),
        pa.field("fingerprint", pa.string(), nullable=False),
        pa.field("work_id", pa.string(), nullable=False),
        pa.field("receipt", pa.string(), nullable=False),
    ]
)


def receipt_key(study_key: str) -> str:
    return f"vault/receipts/{study_key}.json"


def crosswalk_key(study_key: str) -> str:
    return f"vault/crosswalk/{study_key}.parquet"


def instances_key(study_key: str) -> str:
    return f"quarantine/instances/{study_key}.parquet"


def findings_key(study_key: str) -> str:
    return f"quarantine/findings/{study_key}.parquet"


def evidence_key(study_key: str) -> str:
    return f"quarantine/evidence/{study_key}.parquet"


def identities_key(study_key: str) -> str:
    """Identified values, for the searches over whole candidates (T1x, T9): they never leave the vault."""
    return f"vault/identities/{study_key}.parquet"


def object_key(sha256: str) -> str:
    return f"quarantine/objects/{sha256[:2]}/{sha256}.dcm"


def put_table(store: Store, key: str, table: pa.Table) -> None:
    """Write one Arrow table as Parquet; same table, same bytes."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", compression_level=3)
    store.put(key, buffer.getvalue())


def tables_sha256(store: Store, study_key: str) -> str:
    """Return the digest of everything that is kept of one study beside its objects and its receipt."""
    digest = hashlib.sha256()
    for key in (identities_key, evidence_key, instances_key, findings_key, crosswalk_key):
        try:
            content = hashlib.sha256(store.get(key(study_key))).hexdigest()
        except KeyError:
            content = "absent"
        digest.update(f"{content}\n".encode())
    return digest.hexdigest()


def get_table(store: Store, key: str, schema: pa.Schema) -> pa.Table:
    """Read one Parquet table; an absent one is empty."""
    try:
        data = store.get(key)
    except KeyError:
        return schema.empty_table()
    table = pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    # Of an earlier version: what it lacks is null. This way takes twice as long, and there is one table for every study.
    return table if table.schema.equals(schema) else pq.read_table(io.BytesIO(data), schema=schema)


def gather_tables(tables: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    """Return many small tables as one of few chunks: each chunk of each column costs memory and time in every step that follows."""
    waiting = iter(tables)
    gathered = [schema.empty_table()]
    while some := list(islice(waiting, _GATHERED_AT_ONCE)):
        gathered.append(pa.concat_tables(some).combine_chunks())
        if len(gathered) > _GATHERED_AT_ONCE:
            gathered = [pa.concat_tables(gathered).combine_chunks()]
    return pa.concat_tables(gathered)


def put_study(
    store: Store, study_key: str, rows: Sequence[Mapping[str, Any]], findings: Iterable[Finding], outcomes: Iterable[InstanceOutcome]
) -> None:
    """Write the tables of one processed study. The receipt comes last, by `put_receipt`: it says that all this is there."""
    put_table(store, instances_key(study_key), pa.Table.from_pylist(list(rows), schema=INSTANCES))
    put_table(store, findings_key(study_key), pa.Table.from_pylist([asdict(f) for f in findings], schema=FINDINGS))
    put_table(store, crosswalk_key(study_key), crosswalk_table(outcomes))


def crosswalk_table(outcomes: Iterable[InstanceOutcome]) -> pa.Table:
    """Return the crosswalk rows of some outcomes (private), empty strings as nulls."""
    rows = []
    for outcome in outcomes:
        row = {name: value if value != "" else None for name, value in asdict(outcome).items()}
        rows.append({**row, "source_path": outcome.source_path, "status": outcome.status.value})
    return pa.Table.from_pylist(rows, schema=CROSSWALK)


def put_receipt(store: Store, receipt: Receipt) -> None:
    store.put(receipt_key(receipt.study_key), receipt_to_json(receipt).encode())


def get_receipt(store: Store, study_key: str) -> Receipt | None:
    try:
        return receipt_from_json(store.get(receipt_key(study_key)).decode())
    except (KeyError, ValueError, TypeError):
        return None  # absent or half-written: the study is simply processed again


def receipt_to_json(receipt: Receipt) -> str:
    return json.dumps(asdict(receipt), sort_keys=True, separators=(",", ":"))


def receipt_from_json(text: str) -> Receipt:
    data = json.loads(text)
    data["status"] = Status(data["status"])
    data["reason"] = Reason(data["reason"]) if data["reason"] else None
    data["outcomes"] = tuple((str(s), str(r), int(n)) for s, r, n in data["outcomes"])
    return Receipt(**data)


def put_receipts_index(store: Store, receipts: Iterable[Receipt]) -> None:
    """Write all receipts in one table, so that the next run decides what is new without opening one file per study."""
    ordered = sorted(receipts, key=lambda r: r.study_key)
    columns = {
        "study_key": [r.study_key for r in ordered],
        "fingerprint": [r.fingerprint for r in ordered],
        "work_id": [r.work_id for r in ordered],
        "receipt": [receipt_to_json(r) for r in ordered],
    }
    put_table(store, RECEIPTS_INDEX, pa.table(columns, schema=_RECEIPTS))


def get_receipts_index(store: Store) -> dict[str, Receipt]:
    """Return the receipts of the last finished run by study key."""
    table = get_table(store, RECEIPTS_INDEX, _RECEIPTS)
    return {r.study_key: r for r in map(receipt_from_json, table.column("receipt").to_pylist())}


def work_id(fingerprint: str, policy_sha256: str, version: str, key_id: str, *more: str) -> str:
    """Return the digest of everything that decides a study's released bytes: equal work is not done twice."""
    return hashlib.sha256("\n".join((fingerprint, policy_sha256, version, key_id, *more)).encode()).hexdigest()
