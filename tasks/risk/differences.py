"""What two releases tell together: crowds over their union, their intersection, and those who came or went between them (K7).

Reading earlier releases does not belong here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tasks.errors import UsageError
from tasks.policy.gates import GatePolicy
from tasks.risk.profiles import PATIENT, connect, quote

RELEASE = "release_id"


@dataclass(frozen=True, slots=True)
class Difference:
    """The smallest crowd of one comparison with one earlier release; None when nobody is in it."""

    release_id: str
    comparison: str  # union | intersection | added | removed
    smallest: int | None
    patients: int


def compare_with_earlier(instances: pa.Table, earlier: pa.Table, policy: GatePolicy) -> list[Difference]:
    """Measure the crowds that the candidate forms together with each earlier release.

    `earlier`: rows of all earlier releases with `release_id`, PatientID (or patient_id) and the quasi-identifiers that were
    published. Patients in both releases are linkable by their pseudonym, so their crowd is that of both facts together:
    two releases at different granularity cut each other's crowds. Facts that only one release shows are compared as shown.
    """
    if "patient_id" in earlier.column_names and PATIENT not in earlier.column_names:
        earlier = earlier.rename_columns([PATIENT if n == "patient_id" else n for n in earlier.column_names])
    if PATIENT not in earlier.column_names:
        raise UsageError("earlier releases", f"have no column {PATIENT}", "give the rows of their manifests")
    if RELEASE not in earlier.column_names:
        earlier = earlier.append_column(RELEASE, pa.array(["earlier"] * earlier.num_rows, pa.string()))
    quasi = [n for n in policy.quasi_identifiers() if n in instances.column_names]
    connection = connect()
    connection.register("now_rows", instances.select([PATIENT, *quasi]))
    shown_then = [n for n in quasi if n in earlier.column_names]
    connection.register("then_rows", earlier.select([PATIENT, RELEASE, *shown_then]))
    connection.execute(f"CREATE TEMP TABLE now_facts AS SELECT DISTINCT {_facts(quasi)} FROM now_rows")  # noqa: S608 - quoted
    releases = [r[0] for r in connection.execute("SELECT DISTINCT release_id FROM then_rows ORDER BY 1").fetchall()]
    return [d for release in releases for d in _compare(connection, str(release), quasi, shown_then)]


def _facts(columns: list[str]) -> str:
    """One patient id and one text of all facts per row; the length before each fact keeps them apart."""
    parts = [f"coalesce(CAST(length(CAST({quote(n)} AS VARCHAR)) AS VARCHAR) || ':' || CAST({quote(n)} AS VARCHAR), '-')" for n in columns]
    return f'"PatientID" AS patient, concat({", ".join(parts)}) AS facts' if parts else "\"PatientID\" AS patient, '' AS facts"


def _compare(connection: Any, release: str, quasi: list[str], shown_then: list[str]) -> Iterator[Difference]:
    then = f"SELECT DISTINCT {_facts(shown_then)} FROM then_rows WHERE release_id = ?"  # noqa: S608 - quoted
    connection.execute(f"CREATE OR REPLACE TEMP TABLE then_facts AS {then}", [release])
    common = [n for n in quasi if n in shown_then]
    union = (
        f"SELECT DISTINCT {_facts(common)} FROM now_rows UNION SELECT DISTINCT {_facts(common)} FROM then_rows"  # noqa: S608 - quoted
        " WHERE release_id = getvariable('release')"
    )
    connection.execute("SET VARIABLE release = ?", [release])
    both = "SELECT n.patient, n.facts || '|' || t.facts AS facts FROM now_facts n JOIN then_facts t USING (patient)"
    added = "SELECT patient, facts FROM now_facts ANTI JOIN then_facts USING (patient)"
    removed = "SELECT patient, facts FROM then_facts ANTI JOIN now_facts USING (patient)"
    for comparison, rows in (("union", union), ("intersection", both), ("added", added), ("removed", removed)):
        row = connection.execute(
            f"SELECT min(n), count(*) FROM (SELECT count(DISTINCT patient) AS n FROM ({rows}) GROUP BY facts)"  # noqa: S608 - own
        ).fetchone()
        people = connection.execute(f"SELECT count(DISTINCT patient) FROM ({rows})").fetchone()  # noqa: S608 - own
        yield Difference(release, comparison, None if row[0] is None else int(row[0]), int(people[0]))
