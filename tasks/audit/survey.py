"""Many objects under audit: one pass over the files, then the questions that only all of them together answer.

What is asked of one object is in `objects`.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from tasks.audit.objects import AuditedObject, audit_object
from tasks.audit.report import QUESTIONS, AuditReport, GateSummary
from tasks.model import Finding
from tasks.policy import Policy
from tasks.scan import HOLD_SCORE
from tasks.scan.rarity import TOKENS, rare_tokens, token_rows
from tasks.schemas import INSTANCES
from tasks.secret import Secret

Observer = Callable[[str, int, int], None]
Pixels = Literal["none", "sample", "all"]
_FEW_PATIENTS = 3
_TEXT_PRONE = frozenset(("US", "SC", "XA", "RF", "CR", "DX", "MG", "PX", "ES", "OT", "XC", "GM", "OP", "IO"))


def survey(
    files: Sequence[Path], policy: Policy, pixels: Pixels = "sample", observe: Observer = lambda _stage, _done, _total: None
) -> AuditReport:
    """Audit files and answer every gate that needs no source identity; files that are no DICOM objects are only counted.

    `pixels`: whether text is looked for in no object, in one per series and all of text-prone kinds, or in all.
    Raises ReleaseError when the text engine is asked for and absent.
    """
    # PRIVACY: pydicom's warnings and messages quote values (tests/leaks/test_audit_canary.py).
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module="pydicom")
    audited: list[tuple[Path, AuditedObject]] = []
    for number, path in enumerate(files):
        found = audit_object(path, number)
        if found is not None:
            audited.append((path, found))
        observe("objects", number + 1, len(files))
    findings = [f for _, one in audited for f in one.findings]
    chosen = list(_to_read(audited, pixels))
    for number, (path, one) in enumerate(chosen):
        findings += _read_pixels(path, one)
        observe("pixels", number + 1, len(chosen))
    rows = [one.row for _, one in audited if one.row]
    summaries = [_summary(gate, findings, len(audited)) for gate in ("T2", "T3", "T5", "T6", "T10")]
    summaries.append(_rarity(audited))
    summaries.append(_summary("T7", findings, len(chosen)) if chosen or pixels == "all" else _not_run("T7", "no pixels were read"))
    summaries += _comparisons([(path, one.row) for path, one in audited if one.row and one.has_pixels], policy)
    measures = _crowds(rows, policy)
    summaries.append(_crowd_summary(measures, len(rows)))
    patients = len({r["PatientID"] for r in rows})
    order = {gate: i for i, gate in enumerate(QUESTIONS)}
    gates = tuple(sorted(summaries, key=lambda s: order[s.gate]))
    return AuditReport(len(files), len(audited), patients, gates, tuple(findings), tuple(measures))


def _summary(gate: str, findings: Iterable[Finding], looked_at: int) -> GateSummary:
    ours = [f for f in findings if f.rule.split(".")[0] == gate]
    grave = any(f.score >= HOLD_SCORE for f in ours)
    verdict = "block" if grave else "ask" if ours else "pass"
    return GateSummary(gate, QUESTIONS[gate], looked_at, len({f.sop_instance_uid for f in ours}), len(ours), verdict)


def _not_run(gate: str, why: str) -> GateSummary:
    return GateSummary(gate, QUESTIONS[gate], 0, 0, 0, "not run", why)


def _to_read(audited: Sequence[tuple[Path, AuditedObject]], pixels: Pixels) -> Iterator[tuple[Path, AuditedObject]]:
    with_pixels = [(path, one) for path, one in audited if one.has_pixels]
    if pixels == "all":
        yield from with_pixels
    elif pixels == "sample":
        by_series: dict[str, list[tuple[Path, AuditedObject]]] = defaultdict(list)
        for path, one in with_pixels:
            if one.row is None or one.row["Modality"] in _TEXT_PRONE:
                yield path, one
            else:
                by_series[one.row["SeriesInstanceUID"]].append((path, one))
        for objects in by_series.values():
            yield objects[len(objects) // 2]


def _read_pixels(path: Path, one: AuditedObject) -> list[Finding]:
    from tasks.errors import ReleaseError
    from tasks.scan.identity import SourceIdentity
    from tasks.scan.reading import text_in_pixels

    try:
        return text_in_pixels(path, SourceIdentity(), one.name)
    except (OSError, MemoryError, ReleaseError):
        raise
    except Exception:  # PRIVACY: a decoder's message may quote the header; what was not read is not clean
        return [Finding(one.name, "pixels", "unreadable", "T7.unread", 0.9)]


def _rarity(audited: Sequence[tuple[Path, AuditedObject]]) -> GateSummary:
    rows = [row for _, one in audited if one.row for row in token_rows(one.row["PatientID"], one.tokens)]
    patients = len({row["PatientID"] for row in rows})
    if patients < _FEW_PATIENTS:
        return _not_run("T4", f"fewer than {_FEW_PATIENTS} patients")
    table = pa.Table.from_pylist(rows, schema=TOKENS)
    rare = rare_tokens(table, _FEW_PATIENTS)
    places = Counter(rare["place"].to_pylist())
    detail = ", ".join(f"{place}: {n}" for place, n in places.most_common(4))
    return GateSummary("T4", QUESTIONS["T4"], table.num_rows, rare.num_rows, rare.num_rows, "ask" if rare.num_rows else "pass", detail)


def _comparisons(described: Sequence[tuple[Path, dict[str, Any]]], policy: Policy) -> Iterator[GateSummary]:
    """Compare all series with each other: copied pixels, look-alikes under two patients, scans that are not what their header says."""
    from tasks.consistency.copies import LEDGER, sharing_patients
    from tasks.consistency.evidence import StudyEvidence, flattened
    from tasks.consistency.likeness import measure_likeness, unpacked
    from tasks.consistency.plausible import measure_plausibility

    evidence = StudyEvidence("audit", [], Secret(os.urandom(32)))  # PRIVACY: its digests mean nothing after this audit
    for path, row in described:
        evidence.add(path, row)
    table = evidence.table()
    pictures = flattened(table, "pictures")
    kinds = [kind or "" for kind in pictures["Modality"].to_pylist()]
    images, names = unpacked(pictures["picture"].to_pylist()), pictures["PatientID"].to_pylist()
    alike = measure_likeness(images, names, kinds, policy.gates.alike_correlation).to_pylist()
    objects = flattened(table, "objects")
    odd = measure_plausibility(objects).to_pylist()
    shared = len(sharing_patients(objects.select(LEDGER.names).cast(LEDGER)))
    yield GateSummary(
        "I4", QUESTIONS["I4"], objects.num_rows, shared, shared, "ask" if shared else "pass", f"{shared} patients" if shared else ""
    )
    for (whole, *each), unit in ((alike, "patients"), (odd, "series")):
        verdict = "ask" if each else "pass"
        detail = f"{len(each)} {unit}" if each else ""
        yield GateSummary(whole["gate"], QUESTIONS[whole["gate"]], whole["n"], len(each), len(each), verdict, detail)


def _crowds(rows: list[dict[str, Any]], policy: Policy) -> list[dict[str, Any]]:
    from tasks.risk import measure_risk

    if not rows:
        return []
    table = pa.Table.from_pylist(rows, schema=INSTANCES)
    measured: list[dict[str, Any]] = measure_risk(table, policy.gates).to_pylist()
    return measured


def _crowd_summary(measures: Sequence[dict[str, Any]], looked_at: int) -> GateSummary:
    """Crowds are told, not judged: whether this data stays in a controlled tier is not known here."""
    smallest = next((m for m in measures if m["gate"] == "K1"), None)
    if smallest is None or smallest["value"] is None:
        return _not_run("K", "not measured")
    outside = sum(_is_outside(m) for m in measures)
    detail = f"smallest crowd {smallest['value']:g}; {outside} of {len(measures)} measures out of bounds"
    return GateSummary("K", QUESTIONS["K"], looked_at, 0, outside, "info" if outside else "pass", detail)


def _is_outside(measure: dict[str, Any]) -> bool:
    value, low, high = measure["value"], measure["at_least"], measure["at_most"]
    return value is None or (low is not None and value < low) or (high is not None and value > high)
