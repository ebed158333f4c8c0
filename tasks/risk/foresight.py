"""Risk before anything is pulled: every measure that one header per study allows (`release --dry-run`).

PRIVACY: the table holds identified facts and stays in memory; only measures leave (tests/unit/test_foresight.py). What the
release itself shows is measured again on the de-identified objects.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from tasks.model import StudyRef
from tasks.policy import Policy
from tasks.risk.measures import measure_risk
from tasks.risk.plan import plan_suppression
from tasks.schemas import INSTANCES
from tasks.secret import Secret

_COLUMNS = (
    *("PatientID", "StudyInstanceUID", "StudyDate", "PatientSex", "patient_age_years", "PatientSize", "PatientWeight", "EthnicGroup"),
    *("PregnancyStatus", "Modality", "BodyPartExamined", "Manufacturer", "ManufacturerModelName"),
)
_TEXTS = ("PatientSex", "EthnicGroup", "Modality", "BodyPartExamined", "Manufacturer", "ManufacturerModelName")
_WANTED = ("PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientAge", "StudyDate", "PatientSize", "PatientWeight", *_TEXTS)


class HeaderArchive(Protocol):
    def pull_header(self, ref: StudyRef, into: Path) -> Path | None:
        """Copy the beginning of one object of the study; None when the archive cannot."""
        ...


@dataclass(frozen=True, slots=True)
class Foresight:
    """What a release of these studies would meet: RISK rows, how many patients would be held back, at which levels."""

    studies: int
    unreadable: int
    risk: pa.Table = field(repr=False)
    held_patients: int
    levels: Mapping[str, int]
    reached: bool

    def rows(self) -> list[dict[str, Any]]:
        """Return the measures for people and JSON, each with whether it is within its bounds."""
        return [{**m, "within": _within(m)} for m in self.risk.to_pylist()]


def foresee_risk(archive: HeaderArchive, refs: Iterable[StudyRef], policy: Policy, secret: Secret, scratch: Path) -> Foresight:
    """Measure the crowds, patterns of visits, rare values and extremes of the studies asked for, from one header each.

    What the policy removes from headers is left out: without patient characteristics no age and sex, without dates no day.
    """
    rows, unreadable = [], 0
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # PRIVACY: its warnings quote values that are malformed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, ref in enumerate(r for r in refs if r.source_study_uid):
            row = _read(archive, ref, policy, secret, scratch / f"header-{number}")
            unreadable += row is None
            rows += [row] if row else []
    schema = pa.schema([INSTANCES.field(name) for name in _COLUMNS])
    table = pa.Table.from_pylist(rows, schema=schema)
    plan = plan_suppression(table, policy.gates)
    return Foresight(table.num_rows, unreadable, measure_risk(table, policy.gates), len(plan.held_patient_ids), plan.levels, plan.reached)


def _read(archive: HeaderArchive, ref: StudyRef, policy: Policy, secret: Secret, target: Path) -> dict[str, Any] | None:
    from pydicom import dcmread

    try:
        path = archive.pull_header(ref, target)
        if path is None:
            return None
        dataset = dcmread(path, stop_before_pixels=True, force=True, specific_tags=list(_WANTED))
        return _row(dataset, ref, policy, secret)
    except Exception:  # PRIVACY: a reader's message may quote a value; the study is counted as unreadable
        return None
    finally:
        target.unlink(missing_ok=True)


def _row(dataset: Any, ref: StudyRef, policy: Policy, secret: Secret) -> dict[str, Any]:
    person = secret.digest("dry-run-patient", str(dataset.get("IssuerOfPatientID", "")), str(dataset.get("PatientID", ""))).hex()
    row: dict[str, Any] = dict.fromkeys(_COLUMNS)
    row |= {"PatientID": person, "StudyInstanceUID": ref.study_key}
    row |= {name: str(dataset.get(name, "") or "").strip() or None for name in _TEXTS}
    day = _day(dataset.get("StudyDate"))
    row["StudyDate"] = None if policy.headers.dates == "remove" else day
    row["patient_age_years"] = _age(dataset, day, policy.headers.age_cap_years)
    row["PatientSize"], row["PatientWeight"] = (_number(dataset.get(n)) for n in ("PatientSize", "PatientWeight"))
    if not policy.headers.retain_patient_characteristics:
        row |= dict.fromkeys(("PatientSex", "patient_age_years", "PatientSize", "PatientWeight", "EthnicGroup"))
    if policy.headers.retain_device == "no":
        row |= dict.fromkeys(("Manufacturer", "ManufacturerModelName"))
    return row


def _age(dataset: Any, day: date | None, cap: int) -> int | None:
    from tasks.describe import age_in_years

    stated = age_in_years(str(dataset.get("PatientAge", "") or ""))
    born = _day(dataset.get("PatientBirthDate"))
    if stated is None and born and day and born <= day:
        stated = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    return None if stated is None else min(stated, cap)


def _day(value: Any) -> date | None:
    text = str(value or "")
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if len(text) == 8 else None
    except ValueError:
        return None


def _number(value: Any) -> float | None:
    try:
        return None if value in (None, "") else float(value)
    except (TypeError, ValueError):
        return None


def _within(measure: Mapping[str, Any]) -> bool:
    low, high, value = measure["at_least"], measure["at_most"], measure["value"]
    return value is not None and (low is None or value >= low) and (high is None or value <= high)
