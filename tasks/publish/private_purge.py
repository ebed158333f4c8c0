"""Remove withdrawn objects and rows from quarantine and candidates on the private side; the vault keeps its accounts.

What a study's receipt and crosswalk say changes too: `withdrawn`, object by object.
"""

from __future__ import annotations

import io
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from tasks import private as private_side
from tasks.publish.purge import discard_unfinished, purge
from tasks.publish.store import Store
from tasks.publish.withdrawal_scope import Scope
from tasks.schemas import CROSSWALK, FINDINGS, INSTANCES


def purge_private(private: Store, scope: Scope, series: set[str]) -> int:
    """Purge quarantined objects, rows and candidates that hold anything of the scope; return the number of objects."""
    gone = scope.series | series
    keys: set[str] = set()
    for study_key in scope.study_keys:
        keys |= _shrink_study(private, study_key, gone, scope)
        _account(private, study_key, scope)
    for candidate in sorted({key.split("/")[1] for key in private.keys("candidates/")}):
        table = _read(private, f"candidates/{candidate}/instances.parquet", INSTANCES)
        if table is not None and _hit(table, gone, scope).num_rows:
            keys |= set(private.keys(f"candidates/{candidate}/"))
            keys |= set(_hit(table, gone, scope)["quarantine_key"].to_pylist())
    discard_unfinished(private, lambda key: key in keys)
    purge(private, keys)
    return sum(key.startswith("quarantine/objects/") for key in keys)


def _shrink_study(private: Store, study_key: str, gone: set[str] | frozenset[str], scope: Scope) -> set[str]:
    where = f"quarantine/instances/{study_key}.parquet"
    table = _read(private, where, INSTANCES)
    if table is None:
        return set()
    hit = _hit(table, gone, scope)
    kept = table.filter(pc.invert(pc.is_in(table["SOPInstanceUID"], value_set=hit["SOPInstanceUID"].combine_chunks())))
    findings_key = f"quarantine/findings/{study_key}.parquet"
    keys = set(hit["quarantine_key"].to_pylist())
    purge(private, [where])
    if kept.num_rows:
        _write(private, where, kept)
        findings = _read(private, findings_key, FINDINGS)
        if findings is not None:
            purge(private, [findings_key])
            named = pc.is_in(findings["sop_instance_uid"], value_set=hit["SOPInstanceUID"].combine_chunks())
            _write(private, findings_key, findings.filter(pc.invert(named)))
        _shrink_evidence(private, study_key, frozenset(hit["SeriesInstanceUID"].to_pylist()), frozenset(hit["SOPInstanceUID"].to_pylist()))
    else:
        keys |= {findings_key, private_side.evidence_key(study_key)}
    return keys


def _shrink_evidence(private: Store, study_key: str, series: frozenset[str], objects: frozenset[str]) -> None:
    """Take the withdrawn objects out of what workers noted of a study: small pictures and texts tell of them too."""
    from tasks.consistency.evidence import EVIDENCE

    key = private_side.evidence_key(study_key)
    table = _read(private, key, EVIDENCE)
    if table is None:
        return
    rows = []
    for row in table.to_pylist():
        kept = {name: [e for e in row[name] or () if e["SOPInstanceUID"] not in objects] for name in ("objects", "texts")}
        rows.append({**row, **kept, "pictures": [p for p in row["pictures"] or () if p["SeriesInstanceUID"] not in series]})
    purge(private, [key])
    _write(private, key, pa.Table.from_pylist(rows, schema=EVIDENCE))


def _account(private: Store, study_key: str, scope: Scope) -> None:
    """Write into a study's crosswalk and receipt which of its objects were withdrawn; counts still add up."""
    from tasks.model import InstanceOutcome, Reason, Status
    from tasks.process import count_outcomes, gravest

    key = private_side.crosswalk_key(study_key)
    table = _read(private, key, CROSSWALK)
    if table is None:
        return
    withdrawn = {"status": Reason.WITHDRAWN.status.value, "reason": Reason.WITHDRAWN.value, "object_path": None}
    rows = [{**row, **withdrawn} if scope.covers(study_key, row) else row for row in table.to_pylist()]
    _write(private, key, pa.Table.from_pylist(rows, schema=CROSSWALK))
    receipt = private_side.get_receipt(private, study_key)
    if receipt is None:
        return
    outcomes = [InstanceOutcome("", Status(row["status"]), Reason(row["reason"]) if row["reason"] else None) for row in rows]
    status, reason = gravest(outcomes)
    private_side.put_receipt(private, replace(receipt, status=status, reason=reason, outcomes=count_outcomes(outcomes)))


def _hit(table: pa.Table, gone: set[str] | frozenset[str], scope: Scope) -> pa.Table:
    def among(column: str, values: set[str] | frozenset[str]) -> pa.ChunkedArray:
        return pc.is_in(table[column], value_set=pa.array(sorted(values), pa.string()))

    by_study = pc.or_(among("PatientID", scope.patients), among("StudyInstanceUID", scope.studies))
    return table.filter(pc.or_(by_study, among("SeriesInstanceUID", gone)))


def _read(private: Store, key: str, schema: pa.Schema) -> pa.Table | None:
    import pyarrow.parquet as pq

    try:
        return pq.read_table(io.BytesIO(private.get(key)), schema=schema)
    except KeyError:
        return None


def _write(private: Store, key: str, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", compression_level=3)
    private.put(key, sink.getvalue())
