"""The pattern of a patient's visits: how many studies, and how many days apart (K6).

Shifting dates hides when somebody came, not how often and at what distance; day-exact intervals make almost everybody with
three studies unique. Quasi-identifiers do not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from tasks.risk.profiles import PATIENT, connect


@dataclass(frozen=True, slots=True)
class VisitPatterns:
    """`hidden` patients share their pattern of visits with at least the crowd asked for."""

    patients: int
    hidden: int

    @property
    def share(self) -> float:
        return self.hidden / self.patients if self.patients else 1.0


def measure_intervals(instances: pa.Table, crowd: int) -> VisitPatterns:
    """Count the patients whose (number of studies, days since the first) is shared by at least `crowd` patients.

    A study without a date counts as a visit at an unknown day. Without the columns StudyInstanceUID and StudyDate there is
    no pattern to see.
    """
    columns = [PATIENT, "StudyInstanceUID", "StudyDate"]
    if not set(columns) <= set(instances.column_names):
        return VisitPatterns(0, 0)
    connection = connect()
    connection.register("source", instances.select(columns))
    row = connection.execute(
        """
        WITH visits AS (SELECT "PatientID" AS patient, "StudyInstanceUID", min("StudyDate") AS day FROM source GROUP BY ALL),
        spans AS (SELECT patient, day - min(day) OVER (PARTITION BY patient) AS days FROM visits),
        patterns AS (SELECT patient, list(days ORDER BY days NULLS LAST) AS pattern FROM spans GROUP BY patient),
        crowds AS (SELECT count(*) AS n FROM patterns GROUP BY pattern)
        SELECT coalesce(sum(n), 0), coalesce(sum(n) FILTER (n >= ?), 0) FROM crowds
        """,
        [crowd],
    ).fetchone()
    assert row is not None
    return VisitPatterns(int(row[0]), int(row[1]))
