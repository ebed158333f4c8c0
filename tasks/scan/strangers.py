"""Everybody's identifiers against everybody else's texts (T1x), and against what we write about a candidate (T9).

The identities are read from the vault a few thousand people at a time, so memory does not grow with the slice; what is found
is named by place and kind, never by value. The search itself is `cohort`.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from tasks.model import Finding
from tasks.publish.store import Store
from tasks.scan.cohort import KINDS, index_cohort, kinds_of_others
from tasks.scan.identity import SourceIdentity

PEOPLE_AT_ONCE = 10_000
IDENTITIES = pa.schema(
    [
        pa.field("PatientID", pa.string(), nullable=False),  # released pseudonym
        pa.field("kind", pa.string(), nullable=False),
        pa.field("source_value", pa.string(), nullable=False),
    ]
)
"""Vault only: what the search over other people needs to know of the patients of one study."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody else's identifier in an object of a patient: where, never what."""

    patient_id: str
    sop_instance_uid: str
    place: str
    kind: str


def identity_rows(identity: SourceIdentity, patient_ids: Iterable[str]) -> pa.Table:
    """Return the IDENTITIES rows of one study; several patients in one study each get all of its values."""
    rows = [
        {"PatientID": patient, "kind": kind, "source_value": value}
        for patient in sorted(set(patient_ids))
        for kind, value in sorted(identity.values)
        if kind in KINDS
    ]
    return pa.Table.from_pylist(rows, schema=IDENTITIES)


def read_people(private: Store, study_keys: Iterable[str]) -> Iterator[tuple[str, SourceIdentity]]:
    """Yield (released PatientID, identity) of the patients of these studies, as the vault has them; a patient may come again."""
    import pyarrow.parquet as pq

    from tasks.private import identities_key

    for key in study_keys:
        try:
            table = pq.read_table(io.BytesIO(private.get(identities_key(key))), schema=IDENTITIES)
        except KeyError:
            continue
        of_patient: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for row in table.to_pylist():
            of_patient[row["PatientID"]].add((row["kind"], row["source_value"]))
        for patient, values in of_patient.items():
            yield patient, SourceIdentity(frozenset(values))


def find_strangers(
    texts: pa.Table,
    people: Iterable[tuple[str, SourceIdentity]],
    own: Callable[[str], SourceIdentity],
    at_once: int = PEOPLE_AT_ONCE,
) -> list[Stranger]:
    """Return where a text of one patient holds an identifier of another one.

    `texts`: PatientID, SOPInstanceUID, place, text (`tasks/consistency/evidence.py`). `own` gives a patient's own identity.
    """
    rows_of = _rows_by_text(texts)
    asked = lru_cache(maxsize=1024)(own)
    found: set[Stranger] = set()
    for identities in _some_at_once(people, at_once):
        index = index_cohort(identities)
        if not len(index.automaton):
            continue
        for text, rows in rows_of.items():
            if not kinds_of_others(text, index, ""):
                continue
            for patient, uid, place in rows:
                for kind in kinds_of_others(text, index, patient, lambda patient=patient: asked(patient)):  # type: ignore[misc]  # bound now
                    found.add(Stranger(patient, uid, place, kind))
    return sorted(found, key=lambda s: (s.patient_id, s.sop_instance_uid, s.place, s.kind))


def sweep_reports(
    reports: Mapping[str, bytes], people: Iterable[tuple[str, SourceIdentity]], at_once: int = PEOPLE_AT_ONCE
) -> list[Finding]:
    """Return where something that we wrote about a candidate holds anybody's identifier (T9); names of reports must be value-free."""
    found: set[tuple[str, str]] = set()
    for identities in _some_at_once(people, at_once):
        index = index_cohort(identities)
        if len(index.automaton):
            found.update((name, kind) for name, text in reports.items() for kind in kinds_of_others(text, index, ""))
    return [Finding("", name, kind, "T9.value", 1.0) for name, kind in sorted(found)]


def _rows_by_text(texts: pa.Table) -> dict[bytes, list[tuple[str, str, str]]]:
    """Return who has each distinct text: most texts are everybody's, and are searched once."""
    rows: dict[bytes, list[tuple[str, str, str]]] = defaultdict(list)
    columns = (texts[name].to_pylist() for name in ("text", "PatientID", "SOPInstanceUID", "place"))
    for text, patient, uid, place in zip(*columns, strict=True):
        rows[text].append((patient, uid, place))
    return rows


def _some_at_once(people: Iterable[tuple[str, SourceIdentity]], at_once: int) -> Iterator[dict[str, SourceIdentity]]:
    some: dict[str, SourceIdentity] = {}
    for patient, identity in people:
        known = some.get(patient)
        some[patient] = SourceIdentity(known.values | identity.values) if known else identity
        if len(some) >= at_once:
            yield some
            some = {}
    if some:
        yield some
