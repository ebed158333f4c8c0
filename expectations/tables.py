"""The tables that the suites judge: the candidate's own, with the counts that a single row cannot show.

Nothing is decided here; a table that cannot be built is left out, which holds the candidate.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from tasks.consistency.sisters import measure_sisters
from tasks.model import Finding, Receipt
from tasks.policy import Policy
from tasks.policy.gates import GatePolicy
from tasks.risk import measure_risk
from tasks.scan import hold_reason
from tasks.scan.measures import measure_near_misses

FINDING_GATES = ("T1", "T1x", "T2", "T3", "T5", "T6", "T7", "T10", "U", "T")
SETTLED = ("no face", "defaced", "already defaced", "not applicable")
RECEIPTS = pa.schema(
    [
        pa.field("study_key", pa.string()),
        pa.field("instance_count", pa.int64()),
        pa.field("outcome_count", pa.int64()),
        pa.field("released_count", pa.int64()),
    ]
)


def tables_to_judge(
    instances: pa.Table,
    findings: pa.Table,
    receipts: Sequence[Receipt] | pa.Table,
    policy: Policy,
    earlier: pa.Table | None,
    planned: pa.Table | None = None,
) -> tuple[dict[str, pa.Table], dict[str, str]]:
    """Return the tables by name, and for each one that could not be built the class name of the trouble."""
    builders: dict[str, Callable[[], pa.Table]] = {
        "instances": lambda: instances_to_judge(instances, policy),
        "receipts": lambda: receipts_to_judge(receipts, instances),
        "studies": lambda: _in_candidate(receipts_to_judge(receipts, instances)),
        "findings": lambda: findings_to_judge(findings, instances, policy.gates),
        "risk": lambda: pa.concat_tables(
            [
                measure_risk(instances, policy.gates, earlier),
                measure_near_misses(instances, findings),
                measure_sisters(instances),
                *([] if planned is None else [planned]),
            ]
        ),
    }
    tables: dict[str, pa.Table] = {}
    trouble: dict[str, str] = {}
    for name, build in builders.items():
        try:
            tables[name] = build()
        except Exception as error:  # PRIVACY: a message may quote a value; only the class's name is kept (test_gate_fails_closed)
            trouble[name] = type(error).__name__
    return tables, trouble


def instances_to_judge(instances: pa.Table, policy: Policy) -> pa.Table:
    """Return INSTANCES with what only several rows show: patients per study, studies per series; and what was looked at."""
    table = _with_count(instances, "StudyInstanceUID", "PatientID", "patients_of_study")
    table = _with_count(table, "SeriesInstanceUID", "StudyInstanceUID", "studies_of_series")
    has_pixels = pc.fill_null(pc.greater(table["pixel_data_length"], 0), False)
    examined = pc.fill_null(table["pixels_examined"], False)
    settled = pc.is_in(table["face_verdict"], value_set=pa.array(SETTLED))
    table = table.append_column("pixels_looked_at", pc.or_(pc.invert(has_pixels), examined))
    return table.append_column("face_settled", pc.or_(pc.invert(has_pixels), settled))


def receipts_to_judge(receipts: Sequence[Receipt] | pa.Table, instances: pa.Table) -> pa.Table:
    """Return one row per receipt, and one per study of the candidate that has none, with the objects in the candidate."""
    rows = receipts.select(RECEIPTS.names).to_pylist() if isinstance(receipts, pa.Table) else [_counts(r) for r in receipts]
    counted_rows = instances.group_by("study_key").aggregate([([], "count_all")])
    in_candidate = Counter(dict(zip(counted_rows["study_key"].to_pylist(), counted_rows["count_all"].to_pylist(), strict=True)))
    without = [
        {"study_key": key, "instance_count": 0, "outcome_count": 0, "released_count": 0}
        for key in sorted(set(in_candidate) - {r["study_key"] for r in rows})
    ]
    counted = [{**r, "candidate_count": in_candidate[r["study_key"]]} for r in [*rows, *without]]
    return pa.Table.from_pylist(counted, schema=RECEIPTS.append(pa.field("candidate_count", pa.int64())))


def findings_to_judge(findings: pa.Table, instances: pa.Table, policy: GatePolicy) -> pa.Table:
    """Return the findings that concern the candidate (its objects, or a whole study), and per gate whether each holds its object.

    A finding whose rule names no known gate counts for all of them together (`T_holds`).
    """
    uids = findings["sop_instance_uid"]
    concerned = pc.or_(pc.is_in(uids, value_set=instances["SOPInstanceUID"].combine_chunks()), pc.equal(uids, ""))
    table = findings.filter(concerned)
    rows = table.to_pylist()
    by_object: dict[str, list[Finding]] = defaultdict(list)
    for row in rows:
        by_object[row["sop_instance_uid"]].append(Finding(**row))
    held = {uid for uid, of_object in by_object.items() if hold_reason(of_object, policy) is not None}
    alone = [hold_reason([Finding(**row)], policy) is not None for row in rows]
    # Findings that hold only together count each: an object is held for a reason that somebody can look up.
    together = held - {row["sop_instance_uid"] for row, holds in zip(rows, alone, strict=True) if holds}
    holds = [one or row["sop_instance_uid"] in together for row, one in zip(rows, alone, strict=True)]
    gates = [_gate_of(row["rule"]) for row in rows]
    for gate in FINDING_GATES:
        flags = [h and g == gate for h, g in zip(holds, gates, strict=True)]
        table = table.append_column(f"{gate}_holds", pa.array(flags, pa.bool_()))
    return table.append_column("SOPInstanceUID", table["sop_instance_uid"])


def _gate_of(rule: str) -> str:
    gate = rule.split(".", 1)[0]
    if gate[:1] == "U" and gate[1:].isdigit():
        return "U"
    return gate if gate in FINDING_GATES else "T"


def _in_candidate(receipts: pa.Table) -> pa.Table:
    return receipts.filter(pc.greater(receipts["candidate_count"], 0))


def _counts(receipt: Receipt) -> dict[str, str | int]:
    return {
        "study_key": receipt.study_key,
        "instance_count": receipt.instance_count,
        "outcome_count": sum(count for _, _, count in receipt.outcomes),
        "released_count": sum(count for status, _, count in receipt.outcomes if status == "released"),
    }


def _with_count(table: pa.Table, by: str, counted: str, name: str) -> pa.Table:
    counts = table.group_by(by).aggregate([(counted, "count_distinct")])
    at = pc.index_in(table[by], value_set=counts[by].combine_chunks())
    return table.append_column(name, pc.take(counts[f"{counted}_count_distinct"], at))
