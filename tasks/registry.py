"""Consent and opt-out: which patients may not be released, read from a CSV or Parquet file or a database, again at commit.

It is asked twice: when studies are found (nothing of a refused patient is pulled), and over the candidate before it is
published (tasks/registry.refused_patients). Withdrawal of what is published already is in tasks/publish.
"""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.compute as pc

from tasks import private
from tasks.archive.credentials import read_credential
from tasks.archive_spec import SqlRegistry
from tasks.errors import HeldError, UsageError
from tasks.publish.store import Store
from tasks.publish.suppression import without_withdrawn
from tasks.risk.measures import Measure, as_risk_table
from tasks.schemas import CROSSWALK
from tasks.spec import Cohort

Row = tuple[str, str]
"""(issuer or "", patient id) as the registry writes them."""

_ID_COLUMNS = ("patient_id", "patientid", "mrn", "source_patient_id")
_ISSUER_COLUMNS = ("issuer", "issuer_of_patient_id", "issuerofpatientid")


@dataclass(frozen=True, slots=True)
class Registry:
    """The patients who said no, and those who said yes where only they may be released."""

    opted_out: frozenset[Row] = field(repr=False, default=frozenset())
    consented: frozenset[Row] | None = field(repr=False, default=None)
    _opted_out_ids: frozenset[str] = field(repr=False, init=False, default=frozenset())
    _consented_ids: frozenset[str] = field(repr=False, init=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "_opted_out_ids", frozenset(i for _, i in self.opted_out))
        object.__setattr__(self, "_consented_ids", frozenset(i for _, i in self.consented or ()))

    @property
    def refuses_nobody(self) -> bool:
        """Say whether there is nothing to ask."""
        return not self.opted_out and self.consented is None

    def refuses(self, patient_id: str, issuer: str | None = None) -> bool:
        """Say whether this patient may not be released. `issuer` "" means that there is none, None that nobody knows.

        PRIVACY: opting out is matched broadly (case, spaces, leading zeros that spreadsheets eat, unknown issuers), consent
        narrowly; an error keeps a patient in, never lets one out (tests/archive/test_registry.py).
        """
        who, what = _broad(issuer or "", patient_id)
        if ("", what) in self.opted_out or (who, what) in self.opted_out or (not who and what in self._opted_out_ids):
            return True
        if self.consented is None:
            return False
        if issuer is None:
            return patient_id.strip() not in self._consented_ids
        return (issuer.strip(), patient_id.strip()) not in self.consented and ("", patient_id.strip()) not in self.consented


def read_registry(cohort: Cohort) -> Registry:
    """Read the registries that a cohort names, now. One that cannot be read is a UsageError: nothing is released without it."""
    opted_out = frozenset(_broad(issuer, i) for issuer, i in _rows(cohort.opt_out, "cohort.opt_out")) if cohort.opt_out else frozenset()
    if not cohort.consent:
        return Registry(opted_out)
    consented = frozenset(_rows(cohort.consent, "cohort.consent"))
    if not consented:
        raise UsageError("cohort.consent", "has no entries, so nobody could be released", "check the file or the query")
    return Registry(opted_out, consented)


def refused_patients(store: Store, study_keys: Iterable[str], registry: Registry) -> frozenset[str]:
    """Return the released PatientIDs, among these studies, of patients who may not be released.

    Asks the crosswalk, which knows what the headers said: an archive's own answers may be older than its files.
    """
    if registry.refuses_nobody:
        return frozenset()
    refused = set()
    for key in study_keys:
        table = private.get_table(store, private.crosswalk_key(key), CROSSWALK)
        pairs = set(zip(table["source_patient_id"].to_pylist(), table["patient_id"].to_pylist(), strict=True))
        refused |= {released for source, released in pairs if released and registry.refuses(source or "")}
    return frozenset(refused)


def without_refused(instances: pa.Table, store: Store, cohort: Cohort) -> pa.Table:
    """Return the INSTANCES rows of patients who may be released, by the registries as they are now."""
    keys = pc.unique(instances["study_key"]).to_pylist()
    refused = refused_patients(store, keys, read_registry(cohort))
    return instances.filter(pc.invert(pc.is_in(instances["PatientID"], value_set=pa.array(sorted(refused), pa.string()))))


def check_consent(instances: pa.Table, store: Store, cohort: Cohort) -> None:
    """Read the registries once more, right before publishing. Raises HeldError when somebody in the candidate is refused."""
    if without_refused(instances, store, cohort).num_rows != instances.num_rows:
        raise HeldError("publish", "a patient of the candidate opted out since it was judged", "run the release again")


def measure_consent(instances: pa.Table, store: Store, cohort: Cohort) -> pa.Table:
    """Return the C2 and C3 rows of a candidate: objects of patients who may not be released, and objects that were withdrawn."""
    refused = instances.num_rows - without_refused(instances, store, cohort).num_rows
    withdrawn = instances.num_rows - without_withdrawn(store, instances).num_rows
    patients = len(pc.unique(instances["PatientID"]))
    return as_risk_table(
        [
            Measure("C2", "objects of patients who opted out or did not consent", refused, patients, "block", at_most=0),
            Measure("C3", "objects that were withdrawn", withdrawn, patients, "block", at_most=0),
        ]
    )


def _broad(issuer: str, patient_id: str) -> Row:
    return issuer.strip().casefold(), "".join(patient_id.split()).casefold().lstrip("0")


def _rows(source: str | SqlRegistry, where: str) -> Iterator[Row]:
    """Yield (issuer, patient id). PRIVACY: no message quotes what was read."""
    try:
        names, rows = _query(source, where) if isinstance(source, SqlRegistry) else _file(Path(source))
        yield from _columns(names, rows, where)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(where, f"cannot be read ({type(error).__name__})", "check the file or the database and its permissions") from None


def _columns(names: list[str], rows: Iterable[Iterable[object]], where: str) -> Iterator[Row]:
    lower = [str(name).strip().lower() for name in names]
    ids = [i for i, name in enumerate(lower) if name in _ID_COLUMNS]
    issuers = [i for i, name in enumerate(lower) if name in _ISSUER_COLUMNS]
    if not ids and len(lower) > 1:
        raise UsageError(where, "has no column patient_id", "name the column patient_id, and issuer if there is one")
    column = ids[0] if ids else 0
    if not ids and names and names[0].strip():
        yield "", names[0].strip()  # a list without a heading
    for row in rows:
        cells = ["" if cell is None else str(cell).strip() for cell in row]
        if len(cells) > column and cells[column]:
            yield (cells[issuers[0]] if issuers and len(cells) > issuers[0] else "", cells[column])


def _file(path: Path) -> tuple[list[str], Iterable[Iterable[object]]]:
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PAR1":
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        return table.column_names, zip(*(column.to_pylist() for column in table.columns), strict=True)
    with path.open(encoding="utf-8-sig", newline="") as text:
        rows = [row for row in csv.reader(text) if any(cell.strip() for cell in row)]
    return (rows[0], rows[1:]) if rows else ([], [])


def _query(source: SqlRegistry, where: str) -> tuple[list[str], list[Iterable[object]]]:
    url = read_credential(source.url, f"{where}.url")
    parsed = urlparse(url)
    if parsed.scheme == "sqlite":
        path = Path(unquote(parsed.path))
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as connection:
            cursor = connection.execute(source.query)
            return [d[0] for d in cursor.description], cursor.fetchall()
    if parsed.scheme in ("postgresql", "postgres"):
        return _query_postgres(url, source.query)
    raise UsageError(f"{where}.url", "names a kind of database that is not known", "write postgresql://… or sqlite:///file")


def _query_postgres(url: str, query: str) -> tuple[list[str], list[Iterable[object]]]:
    import asyncio

    import asyncpg

    async def ask() -> tuple[list[str], list[Iterable[object]]]:
        connection = await asyncpg.connect(url, timeout=30, command_timeout=120)
        try:
            async with connection.transaction(readonly=True):
                statement = await connection.prepare(query)
                names = [attribute.name for attribute in statement.get_attributes()]
                return names, [tuple(record) for record in await statement.fetch()]
        finally:
            await connection.close()

    return asyncio.run(ask())
