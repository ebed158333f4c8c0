"""What the scan says of a whole candidate, as RISK rows: near misses (T1) and rare words (T4) that a person must read.

Findings that hold their own object are judged as findings; what a value out of bounds means is written in each row.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tasks.policy.gates import GatePolicy
from tasks.risk.measures import Measure, as_risk_table
from tasks.scan.rarity import TOKENS, rare_tokens, words_of

DESCRIPTIONS = ("StudyDescription", "SeriesDescription", "ProtocolName", "BodyPartExamined", "ContrastBolusAgent")


def measure_leftovers(instances: pa.Table, findings: pa.Table, policy: GatePolicy) -> pa.Table:
    """Return the T1 and T4 rows of a candidate (INSTANCES and FINDINGS)."""
    ours = findings.filter(pc.is_in(findings["sop_instance_uid"], value_set=pc.unique(instances["SOPInstanceUID"]).cast(pa.string())))
    near = ours.filter(pc.equal(ours["rule"], "T1.fuzzy"))
    objects = len(pc.unique(near["sop_instance_uid"]))
    rare = rare_tokens(description_tokens(instances), policy.rare_word_patients_at_least)
    patients = len(pc.unique(instances["PatientID"]))
    # Among fewer patients than the threshold every word is rare, and nothing can be told from that.
    words = rare.num_rows if patients >= policy.rare_word_patients_at_least else 0
    return as_risk_table(
        [
            Measure("T1", "objects with a near miss of the patient's values", objects, instances.num_rows, "ask", at_most=0),
            Measure("T4", "words of too few patients that nobody has read", words, patients, policy.rare_words, at_most=0),
        ]
    )


def description_tokens(instances: pa.Table) -> pa.Table:
    """Return TOKENS of the descriptions in the table, each word of each patient once."""
    seen: dict[tuple[str, str, str], None] = {}
    columns = [c for c in DESCRIPTIONS if c in instances.column_names]
    distinct = instances.select(["PatientID", *columns]).group_by(["PatientID", *columns]).aggregate([])
    for row in distinct.to_pylist():
        for column in columns:
            for word in words_of(row[column] or ""):
                seen[(row["PatientID"], column, word)] = None
    return pa.Table.from_pylist([dict(zip(TOKENS.names, key, strict=True)) for key in seen], schema=TOKENS)
