"""Does a crowd share a secret? Sensitive values within the classes that are large enough (K4).

A value that nearly everybody in the dataset has tells nothing about a crowd, so a class counts only when its values are
both uniform and unlike the dataset's. Crowd sizes do not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from tasks.policy.gates import GatePolicy
from tasks.risk.profiles import PATIENT, connect, level_sql, quote


@dataclass(frozen=True, slots=True)
class SharedSecrets:
    """Classes of at least k patients, and how many of them give a sensitive value away."""

    classes: int
    disclosing: int
    largest_share: float
    smallest_entropy_l: float
    largest_distance: float


def measure_shared_secrets(instances: pa.Table, sensitive: str, policy: GatePolicy) -> SharedSecrets:
    """Measure the largest share, entropy l-diversity and equal-distance t of one sensitive column over classes of k or more.

    Patients are counted once per value. The distance is half the sum of absolute differences to the whole dataset.
    """
    quasi = {n: c for n, c in policy.quasi_identifiers().items() if n in instances.column_names}
    connection = connect()
    connection.register("source", instances.select([PATIENT, *quasi, sensitive]))
    keys = "".join(f", {level_sql(n, c, 0)} AS q{i}" for i, (n, c) in enumerate(quasi.items()))
    names = ", ".join(["true", *(f"q{i}" for i in range(len(quasi)))])
    connection.execute(
        f'CREATE TEMP TABLE facts AS SELECT DISTINCT "PatientID" AS patient, {quote(sensitive)} AS s{keys} FROM source'  # noqa: S608 - quoted
        f" WHERE {quote(sensitive)} IS NOT NULL"
    )
    connection.execute(
        f"CREATE TEMP TABLE cells AS SELECT dense_rank() OVER (ORDER BY {names}) AS class, s, patient FROM facts"  # noqa: S608 - own names
    )
    row = connection.execute(
        """
        WITH big AS (SELECT class FROM cells GROUP BY class HAVING count(DISTINCT patient) >= ?),
        counts AS (SELECT class, s, count(*) AS n FROM cells JOIN big USING (class) GROUP BY class, s),
        totals AS (SELECT class, sum(n) AS total FROM counts GROUP BY class),
        global AS (SELECT s, count(*) / (SELECT count(*) FROM cells)::DOUBLE AS q FROM cells GROUP BY s),
        -- 1/2 sum |p - q| over all values equals the sum of (p - q) over those that are more frequent in the class.
        shares AS (SELECT class, n / total::DOUBLE AS p, q FROM counts JOIN totals USING (class) JOIN global USING (s)),
        classes AS (SELECT max(p) AS share, exp(-sum(p * ln(p))) AS l, sum(greatest(p - q, 0)) AS t FROM shares GROUP BY class)
        SELECT count(*), coalesce(sum(CASE WHEN (share > ? OR l < ? - 1e-9) AND t > ? THEN 1 ELSE 0 END), 0),
               coalesce(max(share), 0), coalesce(min(l), 1), coalesce(max(t), 0) FROM classes
        """,
        [max(policy.k, 2), policy.max_share, policy.entropy_l, policy.closeness_t],
    ).fetchone()
    assert row is not None
    return SharedSecrets(int(row[0]), int(row[1]), float(row[2]), float(row[3]), float(row[4]))
