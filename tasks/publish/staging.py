"""Build every file of a release in a local folder, down to its signatures, before anything is put.

The order in which files are put, and the commit, are in `release.py`. Nothing finer than a day is written: the same candidate
published on the same day gives the same bytes.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.model import Verdict
from tasks.publish.candidate import Candidate
from tasks.publish.canonical import readable_json, sha256_hex, sha256_stream
from tasks.publish.digests import ReleaseDigests
from tasks.publish.documents import ReleaseDescription, write_documents
from tasks.publish.log import Entry, Log
from tasks.publish.manifest_files import parts, read_grain
from tasks.publish.manifest_schemas import MANIFESTS, SCHEMA_VERSION
from tasks.publish.manifests import ReleaseFacts, write_manifests
from tasks.publish.signing import Signer, allowed_signers, sign_dsse, sign_minisign, sign_ssh
from tasks.publish.store import Store
from tasks.publish.terms import changed_terms, terms_of
from tasks.spec import Publication

SIGNATURES = ("SHA256SUMS.sshsig", "SHA256SUMS.minisig")
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
GATES_PREDICATE = "urn:sallyport:gates:v1"
APPROVAL_PREDICATE = "urn:sallyport:approval:v1"


@dataclass(frozen=True, slots=True)
class Staged:
    """A release ready to be put: its files in the order of putting, and the body of its log entry."""

    files: dict[str, Path]
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Basis:
    """What a release is made from, whatever its id and its place in the log will be."""

    scratch: Path
    public: Store
    candidate: Candidate
    instances: Path  # Parquet, INSTANCES rows
    digests: ReleaseDigests
    verdict: Verdict
    verdicts: pa.Table
    signer: Signer
    on: date
    publication: Publication
    approval: dict[str, str] | None


def stage_release(basis: Basis, log: Log, release_id: str) -> Staged:
    """Build manifests, documents, checksums, attestations and signatures of the release that would follow the log's head."""
    candidate, publication, scratch = basis.candidate, basis.publication, basis.scratch
    folder = scratch / "release"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "attestations").mkdir(parents=True)
    current = log.current()
    previous = fetch_manifests(basis.public, current.release_id, scratch / "previous") if current else None
    policy_id = f"{candidate.policy_name}@{candidate.policy_sha256[:16]}"
    facts = ReleaseFacts(candidate.dataset, release_id, publication.access_tier, publication.license_spdx, policy_id)
    write_manifests(basis.instances, basis.digests, facts, folder / "manifests", previous=previous)
    gates = summarize_verdicts(basis.verdicts)
    about = ReleaseDescription(
        dataset=candidate.dataset,
        release_id=release_id,
        on=basis.on,
        root=candidate.root,
        counts={k: v for k, v in candidate.counts.items() if k != "findings"},
        changes=count_changes(folder / "manifests"),
        policy_name=candidate.policy_name,
        policy_sha256=candidate.policy_sha256,
        policy=candidate.policy,
        option_codes=_option_codes(basis.instances),
        publication=publication,
        gates=gates,
        previous_release_id=current.release_id if current else "",
        changed_terms=tuple(_changed_terms(basis, current)),
    )
    evidence = {
        "approved": basis.verdict.approved,
        "policy": {"name": candidate.policy_name, "sha256": candidate.policy_sha256},
        "suites": sorted(basis.verdict.suites),
        "gates": gates,
        "candidate_id": candidate.candidate_id,
    }
    extra = {"changed_terms": list(about.changed_terms)} if about.changed_terms else None
    return finish_release(folder, about, basis.signer, log, evidence=evidence, approval=basis.approval, extra=extra)


def _changed_terms(basis: Basis, current: Entry | None) -> list[str]:
    if current is None:
        return []
    terms = terms_of(basis.publication, basis.candidate.dataset)
    return changed_terms(basis.public, current, terms, basis.candidate.policy_sha256)


def finish_release(
    folder: Path,
    about: ReleaseDescription,
    signer: Signer,
    log: Log,
    *,
    evidence: dict[str, Any],
    approval: dict[str, str] | None,
    extra: dict[str, Any] | None = None,
) -> Staged:
    """Write documents, release.json, attestations, SHA256SUMS and signatures around the manifests that are in the folder."""
    seq = log.seq + 1
    write_documents(folder, about)
    bound = {"dataset": about.dataset, "release_id": about.release_id, "seq": seq, "released_on": about.on.isoformat()}
    (folder / "attestations").mkdir(exist_ok=True)
    gates = _statement(about, GATES_PREDICATE, {**bound, **evidence})
    (folder / "attestations/gates.dsse.json").write_bytes(sign_dsse(signer, gates))
    if approval is not None:
        statement = _statement(about, APPROVAL_PREDICATE, {**bound, **approval})
        (folder / "attestations/approval.dsse.json").write_bytes(sign_dsse(signer, statement))
    trusted = [key for key_id, key in sorted(log.keys.items()) if log.trusts(key, seq)]
    (folder / "allowed_signers").write_bytes(allowed_signers(trusted))
    (folder / "minisign.pub").write_text(signer.public.minisign_text)
    (folder / "release.json").write_bytes(readable_json(_release_json(folder, about, bound, log, extra or {})))
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    sums = "".join(f"{_digest(folder / name)}  {name}\n" for name in names).encode()
    (folder / "SHA256SUMS").write_bytes(sums)
    (folder / "SHA256SUMS.sshsig").write_bytes(sign_ssh(signer, sums))
    comment = f"{about.dataset} {about.release_id} root {about.root}"
    (folder / "SHA256SUMS.minisig").write_bytes(sign_minisign(signer, sums, comment))
    # The gates' attestation holds root, id and day, so whoever puts it first has claimed the id; release.json comes last of the content.
    first, last = "attestations/gates.dsse.json", "release.json"
    order = [first, *(n for n in names if n not in (first, last)), last, "SHA256SUMS", *SIGNATURES]
    body = {
        **bound,
        "root": about.root,
        "counts": dict(about.counts),
        "sha256sums_sha256": sha256_hex(sums),
        "release_json_sha256": _digest(folder / "release.json"),
        **(extra or {}),
    }
    return Staged({name: folder / name for name in order}, body)


def summarize_verdicts(verdicts: pa.Table) -> list[dict[str, Any]]:
    """Count verdicts per gate, unit, threshold and outcome; measures are shown for the release as a whole only, never for one unit.

    # PRIVACY: a per-patient measure in a permanent signed file could not be withdrawn: tests/publish/test_release_protocol.py.
    """
    groups: Counter[tuple[str, ...]] = Counter()
    units: Counter[tuple[str, ...]] = Counter()
    for row in verdicts.to_pylist():
        whole = row["unit"] == "release"
        key = (row["gate"], row["version"], row["unit"], row["measure"] if whole else "", row["threshold"], row["verdict"])
        groups[key] += int(row["n"])
        units[key] += 1
    names = ("gate", "version", "unit", "measure", "threshold", "verdict")
    return [{**dict(zip(names, key, strict=True)), "units": units[key], "n": groups[key]} for key in sorted(groups)]


def fetch_manifests(public: Store, release_id: str, into: Path) -> Path:
    """Copy a release's manifests from the store into a local folder and return it; KeyError when a grain is missing."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    for key in public.keys(f"releases/{release_id}/manifests/"):
        with public.open(key) as source, (into / key.rsplit("/", 1)[-1]).open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    missing = [grain for grain in MANIFESTS if not parts(into, grain)]
    if missing:
        raise KeyError(missing[0])
    return into


def count_changes(manifests: Path) -> dict[str, int]:
    """Count the rows of the change manifest by kind."""
    import pyarrow.compute as pc

    counted = pc.value_counts(read_grain(manifests, "change", ["change"])["change"])
    return dict(sorted((row["values"], row["counts"]) for row in counted.to_pylist()))


def _statement(about: ReleaseDescription, predicate_type: str, predicate: dict[str, Any]) -> dict[str, Any]:
    subject = {"name": f"{about.dataset}/{about.release_id}", "digest": {"sha256": about.root}}
    return {"_type": STATEMENT_TYPE, "subject": [subject], "predicateType": predicate_type, "predicate": predicate}


def _release_json(folder: Path, about: ReleaseDescription, bound: dict[str, Any], log: Log, extra: dict[str, Any]) -> dict[str, Any]:
    manifests = [
        {"path": p.relative_to(folder).as_posix(), "sha256": _digest(p), "size_bytes": p.stat().st_size}
        for p in sorted((folder / "manifests").iterdir())
    ]
    return {
        **bound,
        **extra,
        "schema_version": SCHEMA_VERSION,
        "root": about.root,
        "counts": dict(about.counts),
        "changes": dict(about.changes),
        "policy": {"name": about.policy_name, "sha256": about.policy_sha256, "settings": dict(about.policy)},
        "deid_option_codes": list(about.option_codes),
        **terms_of(about.publication, about.dataset),
        "previous_release_id": about.previous_release_id,
        "previous_head_sha256": log.head_sha256,
        "manifests": manifests,
    }


def _option_codes(instances: Path) -> tuple[str, ...]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    found: set[str] = set()
    for batch in pq.ParquetFile(instances).iter_batches(columns=["deid_option_codes"]):
        found.update(v for v in pc.unique(pc.list_flatten(batch["deid_option_codes"])).to_pylist() if v)
    return tuple(sorted(found))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return sha256_stream(file)[0]
