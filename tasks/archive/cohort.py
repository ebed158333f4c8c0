"""Decide whether a study belongs to a cohort, from the facts that an archive tells about it.

Which studies exist is the archive's matter; who consented is in tasks/registry.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tasks.errors import UsageError
from tasks.registry import Registry, read_registry
from tasks.spec import Cohort

MAX_LIST_ENTRIES = 5_000_000
_NOBODY = Registry()


@dataclass(frozen=True, slots=True)
class StudyFacts:
    """What an archive says of one study (identified values)."""

    study_date: str = field(repr=False)  # DA, or ""
    modalities: frozenset[str]
    accessions: frozenset[str] = field(repr=False)
    patients: frozenset[tuple[str, str]] = field(repr=False)  # (issuer or "", patient id)
    descriptions: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CohortFilter:
    """A cohort with its private lists read. An empty criterion asks for everything."""

    since: str
    until: str
    modalities: frozenset[str]
    descriptions: tuple[str, ...]  # wild cards
    accessions: frozenset[str] | None = field(repr=False)
    patient_ids: frozenset[str] | None = field(repr=False)
    registry: Registry = _NOBODY

    @property
    def asks_for_all(self) -> bool:
        """Say whether no criterion is set."""
        criteria = (self.since, self.until, self.modalities, self.descriptions)
        return not any(criteria) and self.accessions is None and self.patient_ids is None and self.registry.refuses_nobody

    def admits(self, facts: StudyFacts) -> bool:
        """Say whether a study meets every criterion; what the archive does not say meets none."""
        day = facts.study_date if len(facts.study_date) == 8 and facts.study_date.isdigit() else ""
        return (
            (not self.since or (bool(day) and day >= self.since))
            and (not self.until or (bool(day) and day <= self.until))
            and (not self.modalities or not self.modalities.isdisjoint(facts.modalities))
            and (not self.descriptions or any(_matches(d, wanted) for d in facts.descriptions for wanted in self.descriptions))
            and (self.accessions is None or not self.accessions.isdisjoint(facts.accessions))
            and not any(self.registry.refuses(patient_id, issuer) for issuer, patient_id in facts.patients)
            and (self.patient_ids is None or not self.patient_ids.isdisjoint(patient_id for _, patient_id in facts.patients))
        )


def read_cohort(cohort: Cohort) -> CohortFilter:
    """Read the lists that the cohort names and return its filter; a list that cannot be read is a UsageError."""
    return CohortFilter(
        since=cohort.since.strftime("%Y%m%d") if cohort.since else "",
        until=cohort.until.strftime("%Y%m%d") if cohort.until else "",
        modalities=frozenset(cohort.modalities),
        descriptions=tuple(sorted(cohort.descriptions)),
        accessions=_read_list(cohort.accessions, "cohort.accessions", ("accession", "accession_number", "accessionnumber")),
        patient_ids=_read_list(cohort.patients, "cohort.patients", ("patient_id", "patientid", "mrn")),
        registry=read_registry(cohort),
    )


def _matches(value: str, wanted: str) -> bool:
    """Say whether a value matches a wild card (* and ?; PS3.4 C.2.2.2.4)."""
    pattern = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in wanted)
    return re.fullmatch(pattern, value, re.DOTALL) is not None


def _read_list(path: str | None, where: str, headings: tuple[str, ...]) -> frozenset[str] | None:
    """Return the entries of a CSV file: the column with one of the headings, else the first column."""
    if path is None:
        return None
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            entries = frozenset(_column(csv.reader(file), headings))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(where, f"cannot be read ({type(error).__name__})", "name a UTF-8 CSV file with one entry a line") from None
    if not entries:
        raise UsageError(where, "has no entries", "leave the field out to ask for everything")
    if len(entries) > MAX_LIST_ENTRIES:
        raise UsageError(where, f"has more than {MAX_LIST_ENTRIES} entries", "split the cohort")
    return entries


def _column(rows: Iterable[list[str]], headings: tuple[str, ...]) -> Iterable[str]:
    column = 0
    for number, row in enumerate(rows):
        if number == 0:
            names = [cell.strip().lower() for cell in row]
            found = [i for i, name in enumerate(names) if name in headings]
            if found:
                column = found[0]
                continue
        if len(row) > column and row[column].strip():
            yield row[column].strip()
