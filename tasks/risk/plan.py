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
from tasks.risk.search import find_levels, read_lattice


@dataclass(frozen=True, slots=True)
class Suppression:
    """What to do before a candidate is frozen: patients (released ids) to hold back, and the level of every quasi-identifier.

    `reached` is False when no allowed plan reaches k; then nobody is held back and the gate over the candidate blocks it.
    """

    held_patient_ids: frozenset[str]
    measures: pa.Table = field(repr=False)
    levels: Mapping[str, int] = field(default_factory=dict)
    reached: bool = True


def plan_suppression(instances: pa.Table, policy: GatePolicy, frozen: Mapping[str, int] | None = None) -> Suppression:
    """Find the levels, and whom to hold back, so that every crowd left has at least k patients, under the policy's cap.

    Exact: with the columns at these levels and those patients held back, no class of quasi-identifiers has fewer than k
    distinct patients. `frozen`: the levels of an earlier release of this dataset; granularity never changes between
    releases, so then only patients are held back. The result does not depend on the order of rows.
    """
    check_roles(instances.column_names, policy)
    profiles = read_profiles(instances, policy)
    cap = int(policy.max_suppressed * profiles.patients)
    exact = dict.fromkeys(profiles.names, 0)
    if policy.k == 1 or not profiles.patients:
        return _plan(set(), profiles.patients, policy, exact, reached=profiles.patients > 0)
    levels = {n: frozen.get(n, 0) for n in profiles.names} if frozen is not None else _levels(profiles, policy, cap)
    if levels is None:
        return _plan(set(), profiles.patients, policy, exact, reached=False)
    shown = read_profiles(instances, policy, levels) if any(levels.values()) else profiles
    held = patients_to_hold(shown, policy.k)
    reached = len(held) <= cap and len(held) < profiles.patients
    return _plan(held if reached else set(), profiles.patients, policy, levels, reached)


def _levels(profiles: Profiles, policy: GatePolicy, cap: int) -> Mapping[str, int] | None:
    if profiles.patients < policy.k:
        return None
    return find_levels(read_lattice(profiles, policy), profiles.names, policy, cap)


def _plan(held: set[str], patients: int, policy: GatePolicy, levels: Mapping[str, int], reached: bool) -> Suppression:
    share = len(held) / patients if patients and reached else float(not reached)
    measure = Measure("K1", "share of patients held back", share, patients, "block", at_most=policy.max_suppressed)
    return Suppression(frozenset(held), as_risk_table([measure]), dict(levels), reached)


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
