"""What the scan says of a whole candidate, as a RISK row: near misses (T1) that a person must read.

Findings that hold their own object are judged as findings; words of too few patients (T4) are in `tasks/risk/words.py`.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tasks.risk.measures import Measure, as_risk_table


def measure_near_misses(instances: pa.Table, findings: pa.Table) -> pa.Table:
    """Return the T1 row of a candidate (INSTANCES and FINDINGS)."""
    ours = findings.filter(pc.is_in(findings["sop_instance_uid"], value_set=pc.unique(instances["SOPInstanceUID"]).cast(pa.string())))
    near = ours.filter(pc.equal(ours["rule"], "T1.fuzzy"))
    objects = len(pc.unique(near["sop_instance_uid"]))
    return as_risk_table([Measure("T1", "objects with a near miss of the patient's values", objects, instances.num_rows, "ask", at_most=0)])
