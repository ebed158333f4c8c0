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
    """Purge quarantined objects, rows and candidates that hold anything of the scope; return the number of objects.

    # PRIVACY: what names something goes after it, so that a withdrawal that was killed finds all of it again: tests/publish/test_crash.py.
    """
    gone = scope.series | series
    studies = {key: table for key in scope.study_keys if (table := _read(private, _instances(key), INSTANCES)) is not None}
    objects = {key for table in studies.values() for key in _hit(table, gone, scope)["quarantine_key"].to_pylist()}
    files: set[str] = set()
    tables: set[str] = set()
    for candidate in sorted({key.split("/")[1] for key in private.keys("candidates/")}):
        table = _read(private, f"candidates/{candidate}/instances.parquet", INSTANCES)
        if table is not None and _hit(table, gone, scope).num_rows:
            files |= set(private.keys(f"candidates/{candidate}/"))
            tables.add(f"candidates/{candidate}/instances.parquet")
            objects |= set(_hit(table, gone, scope)["quarantine_key"].to_pylist())
    discard_unfinished(private, lambda key: key in objects or key in files)
    purge(private, objects)
    for study_key in scope.study_keys:
        if study_key in studies:
            _shrink_study(private, study_key, studies[study_key], gone, scope)
        _account(private, study_key, scope)
    purge(private, files - tables)
    purge(private, tables)
    return len(objects)


def _instances(study_key: str) -> str:
    return f"quarantine/instances/{study_key}.parquet"


def _shrink_study(private: Store, study_key: str, table: pa.Table, gone: set[str] | frozenset[str], scope: Scope) -> None:
    """Take the withdrawn objects out of what is noted of a study; its table of instances, which names them, last."""
    hit = _hit(table, gone, scope)
    named = hit["SOPInstanceUID"].combine_chunks()
    kept = table.filter(pc.invert(pc.is_in(table["SOPInstanceUID"], value_set=named)))
    findings_key = f"quarantine/findings/{study_key}.parquet"
    if not kept.num_rows:
        purge(private, [findings_key, private_side.evidence_key(study_key)])
        purge(private, [_instances(study_key)])
        return
    findings = _read(private, findings_key, FINDINGS)
    if findings is not None:
        _replace(private, findings_key, findings.filter(pc.invert(pc.is_in(findings["sop_instance_uid"], value_set=named))))
    _shrink_evidence(private, study_key, frozenset(hit["SeriesInstanceUID"].to_pylist()), frozenset(hit["SOPInstanceUID"].to_pylist()))
    _replace(private, _instances(study_key), kept)


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
    _replace(private, key, pa.Table.from_pylist(rows, schema=EVIDENCE))


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


def _replace(private: Store, key: str, table: pa.Table) -> None:
    """Write a table over the old one, of which no version stays."""
    _write(private, key, table)
    if sum(v.key == key for v in private.versions(key)) > 1:
        purge(private, [key])
        _write(private, key, table)


def _write(private: Store, key: str, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", compression_level=3)
    private.put(key, sink.getvalue())
