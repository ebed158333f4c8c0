"""The plan to reach k: generalise by whole columns first, then hold back as few patients as the cap allows.

Rewriting objects does not belong here (`tasks/risk/coarsen.py`), nor does judging the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from tasks.policy.gates import GatePolicy
from tasks.risk.measures import Measure, as_risk_table
from tasks.risk.profiles import Profiles, check_roles, read_profiles


@dataclass(frozen=True, slots=True)
class Suppression:
    """What to do before a candidate is frozen: patients (released ids) to hold back, and the level of every quasi-identifier.

    `reached` is False when no allowed plan reaches k; then nobody is held back and the gate over the candidate blocks it.
    """

    held_patient_ids: frozenset[str]
    measures: pa.Table = field(repr=False)
    levels: Mapping[str, int] = field(default_factory=dict)
    reached: bool = True


def plan_suppression(instances: pa.Table, policy: GatePolicy) -> Suppression:
    """Find whom to hold back so that every crowd left has at least k patients, under the policy's cap.

    Exact: after holding back, no class of quasi-identifiers has fewer than k distinct patients. The result does not depend on
    the order of rows.
    """
    check_roles(instances.column_names, policy)
    profiles = read_profiles(instances, policy)
    held = patients_to_hold(profiles, policy.k)
    cap = int(policy.max_suppressed * profiles.patients)
    reached = len(held) <= cap and len(held) < max(profiles.patients, 1)
    share = len(held) / profiles.patients if profiles.patients else 0.0
    measures = as_risk_table(
        [Measure("K1", "share of patients held back", share, profiles.patients, "block", at_most=policy.max_suppressed)]
    )
    return Suppression(frozenset(held) if reached else frozenset(), measures, dict.fromkeys(profiles.names, 0), reached)


def patients_to_hold(profiles: Profiles, k: int) -> set[str]:
    """Return the released ids of the fewest patients without whom every class has at least k.

    Holding back one patient shrinks all the classes he is in, so this repeats until nothing changes; the answer is unique
    (the largest set of patients that can stay).
    """
    connection = profiles.connection
    key = ", ".join(("true", *profiles.codes))
    connection.execute("CREATE OR REPLACE TEMP TABLE held (patient INTEGER)")
    while True:
        before = connection.execute("SELECT count(*) FROM held").fetchone()
        connection.execute(
            "INSERT INTO held SELECT DISTINCT patient FROM ("  # noqa: S608 - codes
            f"SELECT patient, count(*) OVER (PARTITION BY {key}) AS n FROM profiles ANTI JOIN held USING (patient)) WHERE n < {int(k)}"
        )
        if connection.execute("SELECT count(*) FROM held").fetchone() == before:
            break
    return {row[0] for row in connection.execute("SELECT patient_id FROM people JOIN held USING (patient)").fetchall()}
