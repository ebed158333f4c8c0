"""Makes clean candidate tables for the gates' tests: every patient, study and object is synthetic."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from tasks.model import Receipt, Status
from tasks.risk.measures import Measure, as_risk_table
from tasks.schemas import FINDINGS, INSTANCES

NO_FINDINGS = FINDINGS.empty_table()


def instance_row(patient: int, study: int = 0, number: int = 0, **changed: Any) -> dict[str, Any]:
    """Return one clean INSTANCES row; `changed` replaces columns."""
    study_uid = f"2.25.{10_000 + patient * 10 + study}"
    row: dict[str, Any] = dict.fromkeys(INSTANCES.names)
    sha256 = hashlib.sha256(f"{patient}/{study}/{number}".encode()).hexdigest()
    row |= {
        "study_key": f"study-{patient}-{study}",
        "PatientID": f"P{patient:05d}",
        "StudyInstanceUID": study_uid,
        "SeriesInstanceUID": f"{study_uid}.1",
        "SOPInstanceUID": f"{study_uid}.1.{number + 1}",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "TransferSyntaxUID": "1.2.840.10008.1.2.1",
        "quarantine_key": f"quarantine/objects/{sha256[:2]}/{sha256}.dcm",
        "size_bytes": 1000,
        "sha256": sha256,
        "pixel_data_offset": 100,
        "pixel_data_length": 900,
        "status": "released",
        "PatientSex": "F",
        "patient_age_years": 50,
        "StudyDate": date(2020, 1, 1) + timedelta(days=30 * study),
        "Modality": "CT",
        "BodyPartExamined": "CHEST",
        "Manufacturer": "Synthetic",
        "ManufacturerModelName": "One",
        "deid_option_codes": ["113100", "113101"],
        "BurnedInAnnotation": "NO",
        "RecognizableVisualFeatures": "NO",
        "LongitudinalTemporalInformationModified": "MODIFIED",
        "pixels_examined": True,
        "blanked_regions": 0,
        "face_verdict": "no face",
        "face_in_fov": False,
    }
    assert not set(changed) - set(INSTANCES.names)
    return row | changed


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=INSTANCES)


def clean_candidate(patients: int = 24, objects: int = 2) -> list[dict[str, Any]]:
    """Return the rows of patients who all share their quasi-identifiers."""
    return [instance_row(p, 0, n) for p in range(patients) for n in range(objects)]


def clean_measures(rows: list[dict[str, Any]]) -> pa.Table:
    """Return what assembling a candidate measured of it when nothing is wrong: every gate that needs all studies at once."""
    n = len({row["PatientID"] for row in rows})
    gates = ("I1", "I2", "I4", "I5", "I7", "T1x", "T4", "T7", "P1", "C2", "C3")
    return as_risk_table([Measure(gate, f"nothing wrong by {gate}", 0, n, "block", at_most=0) for gate in gates])


def receipts_of(rows: list[dict[str, Any]]) -> list[Receipt]:
    """Return the receipts that fit the rows."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["study_key"]] = counts.get(row["study_key"], 0) + 1
    return [Receipt(key, "f", "w", Status.RELEASED, None, count, (("released", "", count),)) for key, count in sorted(counts.items())]


def finding(uid: str, rule: str = "T1.exact", kind: str = "patient_name", score: float = 1.0) -> dict[str, Any]:
    return {"sop_instance_uid": uid, "place": "(0010,4000)", "kind": kind, "rule": rule, "score": score}


def findings(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=FINDINGS)
