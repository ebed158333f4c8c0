"""Candidates: a set of de-identified instances frozen under a digest, so that judges, reviewers and the publisher mean the same bytes.

Judging does not belong here (expectations/), nor does publishing.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.policy import Policy
from tasks.publish.canonical import canonical_json, readable_json, sha256_hex, sha256_stream, write_parquet
from tasks.publish.causes import Cause, refuse
from tasks.publish.digests import compute_digests
from tasks.publish.store import Store
from tasks.publish.suppression import without_withdrawn
from tasks.schemas import FINDINGS, INSTANCES

_SCHEMAS = {"instances": INSTANCES, "findings": FINDINGS}
_ORDER = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One frozen candidate; its tables are on the private store under `prefix`."""

    candidate_id: str
    dataset: str
    root: str
    prefix: str  # "candidates/<candidate_id>/"
    policy_name: str
    policy_sha256: str
    counts: Mapping[str, int]  # patients, studies, series, instances, size_bytes, findings
    tables: Mapping[str, str] = field(default_factory=dict)  # file name: sha256
    policy: Mapping[str, Any] = field(default_factory=dict, repr=False)  # every setting, defaults included


def freeze_candidate(private: Store, dataset: str, policy: Policy, instances: pa.Table, findings: pa.Table) -> Candidate:
    """Write the candidate's tables and digest under `candidates/<id>/`; the same content always gives the same id and bytes.

    `instances` are INSTANCES rows of status released; `findings` are their FINDINGS rows. What was withdrawn is left out.
    """
    # PRIVACY: the archive, and so tonight's run, still has a withdrawn patient: tests/publish/test_withdraw.py.
    instances = without_withdrawn(private, instances)
    instances = instances.select(INSTANCES.names).cast(INSTANCES).sort_by([(c, "ascending") for c in _ORDER])
    findings = findings.select(FINDINGS.names).cast(FINDINGS).sort_by([(c, "ascending") for c in FINDINGS.names])
    _check_rows(instances)
    root = compute_digests(instances).root
    files = {"instances.parquet": _parquet(instances, INSTANCES), "findings.parquet": _parquet(findings, FINDINGS)}
    tables = {name: sha256_hex(data) for name, data in files.items()}
    identity = {"dataset": dataset, "root": root, "policy_sha256": policy.sha256, "tables": tables}
    candidate_id = sha256_hex(canonical_json(identity))[:16]
    candidate = Candidate(
        candidate_id=candidate_id,
        dataset=dataset,
        root=root,
        prefix=f"candidates/{candidate_id}/",
        policy_name=policy.name,
        policy_sha256=policy.sha256,
        counts={
            "patients": len(instances["PatientID"].unique()),
            "studies": len(instances["StudyInstanceUID"].unique()),
            "series": len(instances["SeriesInstanceUID"].unique()),
            "instances": instances.num_rows,
            "size_bytes": sum(instances["size_bytes"].to_pylist()),
            "findings": findings.num_rows,
        },
        tables=tables,
        policy=policy.model_dump(mode="json"),
    )
    for name, data in files.items():
        private.put(candidate.prefix + name, data)
    private.put(candidate.prefix + "candidate.json", readable_json(asdict(candidate)))
    return candidate


def read_candidate(private: Store, candidate_id: str) -> Candidate:
    """Return a frozen candidate by its id; a ReleaseError when there is none or its description is damaged."""
    where = f"candidates/{candidate_id}/candidate.json"
    try:
        data = json.loads(private.get(where))
        return Candidate(**data)
    except KeyError:
        raise refuse(Cause.CANDIDATE_CHANGED, f"candidate {candidate_id}", "no such candidate") from None
    except (ValueError, TypeError):
        raise refuse(Cause.CANDIDATE_CHANGED, f"candidate {candidate_id}", "candidate.json cannot be read") from None


def read_table(private: Store, candidate: Candidate, name: str) -> pa.Table:
    """Return a frozen table (`instances` or `findings`), refused unless its bytes are the frozen ones."""
    import pyarrow.parquet as pq

    schema = _SCHEMAS[name]
    try:
        data = private.get(f"{candidate.prefix}{name}.parquet")
    except KeyError:
        raise refuse(Cause.CANDIDATE_CHANGED, f"candidate {candidate.candidate_id}", f"{name} is missing") from None
    if sha256_hex(data) != candidate.tables.get(f"{name}.parquet"):
        raise refuse(Cause.CANDIDATE_CHANGED, f"candidate {candidate.candidate_id}", f"{name} was changed")
    return pq.read_table(io.BytesIO(data)).cast(schema)


def fetch_table(private: Store, candidate: Candidate, name: str, into: Path) -> Path:
    """Copy a frozen table into a local folder, refused unless its bytes are the frozen ones; return the Parquet file."""
    import pyarrow.parquet as pq

    where, path = f"candidate {candidate.candidate_id}", into / f"{name}.parquet"
    try:
        with private.open(f"{candidate.prefix}{name}.parquet") as source, path.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    except KeyError:
        raise refuse(Cause.CANDIDATE_CHANGED, where, f"{name} is missing") from None
    with path.open("rb") as file:
        if sha256_stream(file)[0] != candidate.tables.get(f"{name}.parquet"):
            raise refuse(Cause.CANDIDATE_CHANGED, where, f"{name} was changed")
    if pq.read_schema(path).names != _SCHEMAS[name].names:
        raise refuse(Cause.CANDIDATE_CHANGED, where, f"{name} has other columns")
    return path


def _check_rows(instances: pa.Table) -> None:
    if any(status != "released" for status in instances["status"].unique().to_pylist()):
        raise refuse(Cause.CANDIDATE_CHANGED, "candidate", "holds rows that are not released")
    if len(instances["SOPInstanceUID"].unique()) != instances.num_rows:
        raise refuse(Cause.CANDIDATE_CHANGED, "candidate", "names an instance twice")


def _parquet(table: pa.Table, schema: pa.Schema) -> bytes:
    sink = io.BytesIO()
    write_parquet(table, schema, sink)
    return sink.getvalue()
