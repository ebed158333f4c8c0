"""A small private side for tests of publishing: tiny valid DICOM objects, their INSTANCES rows, an approving verdict."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from tasks.model import Verdict
from tasks.policy import load_policy
from tasks.publish.candidate import Candidate, freeze_candidate
from tasks.publish.store import Store
from tasks.schemas import CROSSWALK, FINDINGS, INSTANCES, VERDICTS

DAY = date(2026, 11, 21)
CODES = ("113100", "113101", "113107")


def uid(*numbers: int) -> str:
    return "2.25." + ".".join(str(n) for n in numbers)


@dataclass(frozen=True)
class Shape:
    patients: int = 3
    studies: int = 1
    series: int = 2
    instances: int = 3
    first_patient: int = 1
    revision: int = 0  # changes the bytes of the first patient's first series


def dicom_bytes(patient: int, study: int, series: int, instance: int, revision: int = 0, pixels: int = 64) -> bytes:
    """Return one tiny released CT object; four numbers say where it belongs."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, uid(patient, study, series, instance)
    ds.StudyDate, ds.Modality, ds.PatientID, ds.PatientName = "20200102", "CT", f"P{patient:04d}", "DEIDENTIFIED"
    ds.PatientIdentityRemoved = "YES"
    codes = []
    for code in CODES:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "DCM", "de-identification"
        codes.append(item)
    ds.DeidentificationMethodCodeSequence = Sequence(codes)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid(patient, study), uid(patient, study, series)
    ds.InstanceNumber = instance
    ds.BurnedInAnnotation, ds.RecognizableVisualFeatures, ds.LongitudinalTemporalInformationModified = "NO", "NO", "MODIFIED"
    ds.Rows = ds.Columns = int(pixels**0.5)
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation, ds.SamplesPerPixel, ds.PhotometricInterpretation = 7, 0, 1, "MONOCHROME2"
    ds.PixelData = bytes((i * 7 + instance + revision) % 256 for i in range(min(pixels, 4096))).ljust(pixels, b"\1")
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = CTImageStorage, ds.SOPInstanceUID
    buffer = io.BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def instance_row(data: bytes, patient: int, study: int, series: int, instance: int) -> dict[str, object]:
    digest = hashlib.sha256(data).hexdigest()
    row: dict[str, object] = dict.fromkeys(INSTANCES.names)
    row |= {
        "study_key": f"key{patient:04d}{study:02d}",
        "PatientID": f"P{patient:04d}",
        "StudyInstanceUID": uid(patient, study),
        "SeriesInstanceUID": uid(patient, study, series),
        "SOPInstanceUID": uid(patient, study, series, instance),
        "SOPClassUID": str(CTImageStorage),
        "TransferSyntaxUID": str(ExplicitVRLittleEndian),
        "quarantine_key": f"quarantine/objects/{digest[:2]}/{digest}.dcm",
        "size_bytes": len(data),
        "sha256": digest,
        "status": "released",
        "PatientSex": "MF"[patient % 2],
        "patient_age_years": 30 + patient % 70,
        "StudyDate": date(2020, 1, 2) + timedelta(days=study * 10),
        "Modality": "CT",
        "SeriesNumber": series,
        "SeriesDescription": "axial",
        "BodyPartExamined": "CHEST",
        "SliceThickness": 2.5,
        "pixel_spacing_row_mm": 0.5,
        "pixel_spacing_col_mm": 0.5,
        "InstanceNumber": instance,
        "Rows": 8,
        "Columns": 8,
        "NumberOfFrames": 1,
        "BitsStored": 8,
        "PhotometricInterpretation": "MONOCHROME2",
        "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "ImagePositionPatient": [0.0, 0.0, 2.5 * instance],
        "references_series": [],
        "references_instances": [],
        "deid_option_codes": list(CODES),
        "BurnedInAnnotation": "NO",
        "RecognizableVisualFeatures": "NO",
        "LongitudinalTemporalInformationModified": "MODIFIED",
        "pixels_examined": True,
        "blanked_regions": 0,
        "face_verdict": "not applicable",
        "defacing_method": "",
    }
    return row


def fill_private(private: Store, shape: Shape = Shape(), skip_patients: frozenset[int] = frozenset()) -> pa.Table:
    """Put objects and crosswalks on the private side; return the INSTANCES rows."""
    import pyarrow.parquet as pq

    rows = []
    for patient in range(shape.first_patient, shape.first_patient + shape.patients):
        if patient in skip_patients:
            continue
        for study in range(1, shape.studies + 1):
            crosswalk = []
            for series in range(1, shape.series + 1):
                for instance in range(1, shape.instances + 1):
                    revised = shape.revision if (patient, study, series) == (shape.first_patient, 1, 1) else 0
                    data = dicom_bytes(patient, study, series, instance, revised)
                    row = instance_row(data, patient, study, series, instance)
                    private.put(str(row["quarantine_key"]), data)
                    rows.append(row)
                    crosswalk.append(crosswalk_row(row, patient))
            sink = io.BytesIO()
            pq.write_table(pa.Table.from_pylist(crosswalk, CROSSWALK), sink)
            private.put(f"vault/crosswalk/{crosswalk[0]['study_instance_uid'] and row['study_key']}.parquet", sink.getvalue())
    return pa.Table.from_pylist(rows, INSTANCES)


def crosswalk_row(row: dict[str, object], patient: int) -> dict[str, object]:
    return {
        "source_path": f"in/{row['SOPInstanceUID']}",
        "source_patient_id": f"MRN-{patient:05d}",
        "source_study_instance_uid": f"1.2.{row['StudyInstanceUID']}",
        "source_series_instance_uid": f"1.2.{row['SeriesInstanceUID']}",
        "source_sop_instance_uid": f"1.2.{row['SOPInstanceUID']}",
        "patient_id": row["PatientID"],
        "study_instance_uid": row["StudyInstanceUID"],
        "series_instance_uid": row["SeriesInstanceUID"],
        "sop_instance_uid": row["SOPInstanceUID"],
        "object_path": None,
        "status": "released",
        "reason": None,
        "date_shift_days": -17,
    }


def approve(candidate: Candidate) -> tuple[Verdict, pa.Table]:
    """Return an approving verdict over the candidate and its table."""
    verdict = Verdict(candidate.root, True, (), candidate.policy_sha256, ("leftover", "risk", "utility"))
    rows = [
        {
            "gate": gate, "version": "1", "policy_sha256": candidate.policy_sha256, "unit": "release", "key": "", "measure": "0",
            "threshold": "0", "verdict": "pass", "n": 3, "ci_low": None,
        }
        for gate in ("leftover", "risk", "utility")
    ]  # fmt: skip
    return verdict, pa.Table.from_pylist(rows, VERDICTS)


def frozen(private: Store, shape: Shape = Shape(), skip_patients: frozenset[int] = frozenset()) -> Candidate:
    """Fill the private side and freeze what is on it as a candidate."""
    return freeze_candidate(private, "sample", load_policy(), fill_private(private, shape, skip_patients), FINDINGS.empty_table())
