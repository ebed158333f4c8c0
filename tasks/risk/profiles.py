"""What the tables say of each patient: one row per patient and distinct combination of quasi-identifiers.

Patients are counted, never rows: a patient with eleven studies is a crowd of one. Thresholds do not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tasks.errors import UsageError
from tasks.policy.gates import ColumnRole, GatePolicy

if TYPE_CHECKING:
    import duckdb

PATIENT = "PatientID"


@dataclass(frozen=True, slots=True)
class Profiles:
    """An open duckdb connection that holds `profiles(patient, q0, q1, …)` with integer codes in place of values.

    Codes are dense ranks (0 for null), so that nothing of a value is left in the SQL; `names[i]` is the column behind `q{i}`.
    """

    connection: duckdb.DuckDBPyConnection
    names: tuple[str, ...]
    patients: int

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(f"q{i}" for i in range(len(self.names)))


def connect(threads: int = 1) -> duckdb.DuckDBPyConnection:
    """Open an in-memory duckdb that reads no configuration, no extension and no file."""
    import duckdb

    return duckdb.connect(config={"threads": threads, "enable_external_access": "false", "autoinstall_known_extensions": "false"})


def quote(name: str) -> str:
    """Quote a column name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def check_roles(columns: list[str], policy: GatePolicy) -> None:
    """Raise UsageError unless every column has a role in the policy."""
    missing = sorted(set(columns) - set(policy.columns))
    if missing:
        raise UsageError(
            "policy: gates.columns", f"no role for {', '.join(missing[:5])}", "say what each can tell: quasi, rare, …, technical"
        )


def level_sql(name: str, column: ColumnRole, level: int, source: str | None = None) -> str:
    """Return the SQL expression that shows a column at one level of its hierarchy: 0 exact, the last hidden."""
    value = source or quote(name)
    if level == 0:
        return value
    if level >= column.level_count - 1:
        return "NULL"
    if column.bands:
        width = column.bands[level - 1]
        # The small addend keeps 1.15 / 0.05 = 22.999… in the band that it opens.
        return f"CAST(floor(CAST({value} AS DOUBLE) / {width!r} + 1e-9) AS BIGINT)"
    raise ValueError("parents are mapped on Arrow, before SQL")


def read_profiles(instances: pa.Table, policy: GatePolicy, levels: Mapping[str, int] | None = None) -> Profiles:
    """Collect the distinct (patient, quasi-identifiers) rows of a table at the given levels (exact where none is given).

    A quasi-identifier that the table lacks counts as null for everybody.
    """
    if PATIENT not in instances.column_names:
        raise UsageError("table", f"has no column {PATIENT}", "give one row per object or study, with the released PatientID")
    quasi = {n: c for n, c in policy.quasi_identifiers().items() if n in instances.column_names}
    table = instances.select([PATIENT, *quasi])
    for name, column in quasi.items():
        if column.parents:
            table = _mapped(table, name, column, (levels or {}).get(name, 0))
    connection = connect()
    connection.register("source", table)
    shown = [quote(n) if c.parents else level_sql(n, c, (levels or {}).get(n, 0)) for n, c in quasi.items()]
    _number_rows(connection, shown)
    patients = connection.execute("SELECT count(DISTINCT patient) FROM profiles").fetchone()
    assert patients is not None
    return Profiles(connection, tuple(quasi), int(patients[0]))


def _number_rows(connection: Any, shown: list[str]) -> None:
    columns = "".join(f", {sql} AS v{i}" for i, sql in enumerate(shown))
    connection.execute(f"CREATE TEMP TABLE seen AS SELECT DISTINCT {quote(PATIENT)} AS patient_id{columns} FROM source")  # noqa: S608 - quoted names
    connection.execute(
        "CREATE TEMP TABLE people AS SELECT patient_id, row_number() OVER () - 1 AS patient FROM (SELECT DISTINCT patient_id FROM seen)"
    )
    codes = []
    for i in range(len(shown)):
        connection.execute(
            f"CREATE TEMP TABLE codes{i} AS SELECT v, row_number() OVER (ORDER BY v) AS code"  # noqa: S608 - own names
            f" FROM (SELECT DISTINCT v{i} AS v FROM seen WHERE v{i} IS NOT NULL)"
        )
        codes.append(f"CAST(coalesce(codes{i}.code, 0) AS INTEGER) AS q{i}")
    joins = "".join(f" LEFT JOIN codes{i} ON codes{i}.v = seen.v{i}" for i in range(len(shown)))
    picked = "".join(f", {c}" for c in codes)
    connection.execute(
        f"CREATE TEMP TABLE profiles AS SELECT CAST(people.patient AS INTEGER) AS patient{picked}"  # noqa: S608 - own names
        f" FROM seen JOIN people ON people.patient_id IS NOT DISTINCT FROM seen.patient_id{joins}"
    )
    connection.execute("DROP TABLE seen")


def level_codes(profiles: Profiles, index: int, column: ColumnRole, level: int) -> Any:
    """Return an array that gives, for every exact code of a quasi-identifier, its code at one level (0 stays unknown)."""
    import numpy as np

    rows = profiles.connection.execute(f"SELECT code, v FROM codes{index} ORDER BY code").fetchall()  # noqa: S608 - own names
    if level >= column.level_count - 1:
        return np.zeros(len(rows) + 1, np.int64)
    if level == 0:
        return np.arange(len(rows) + 1, dtype=np.int64)
    if column.bands:
        sql = level_sql("v", column, level)
        found = profiles.connection.execute(f"SELECT dense_rank() OVER (ORDER BY {sql}) FROM codes{index} ORDER BY code").fetchall()  # noqa: S608
        return np.array([0, *(int(r[0]) for r in found)], np.int64)
    parents = _climb(profiles.names[index], column, level, [r[1] for r in rows])
    number = {parent: i for i, parent in enumerate(sorted(set(parents)), start=1)}
    return np.array([0, *(number[parent] for parent in parents)], np.int64)


def _climb(name: str, column: ColumnRole, level: int, values: list[str]) -> list[str]:
    """Return every value's ancestor at a level; a value that the hierarchy does not cover is an error that names no value."""
    for parents in column.parents[:level]:
        uncovered = sum(1 for v in values if v not in parents)
        if uncovered:
            raise UsageError(
                f"policy: gates.columns.{name}", f"its hierarchy does not cover {uncovered} values", "add a parent for every value"
            )
        values = [parents[v] for v in values]
    return values


def _mapped(table: pa.Table, name: str, column: ColumnRole, level: int) -> pa.Table:
    """Show a coded column at one level of its hierarchy."""
    values = table[name].to_pylist()
    if level >= column.level_count - 1:
        shown: list[str | None] = [None] * len(values)
    else:
        distinct = sorted({v for v in values if v is not None})
        ancestors = dict(zip(distinct, _climb(name, column, level, distinct), strict=True))
        shown = [None if v is None else ancestors[v] for v in values]
    return table.set_column(table.column_names.index(name), name, pa.array(shown, pa.string()))
