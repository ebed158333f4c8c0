"""A dry run foresees the risk from one header per study; nothing of a header leaves, and a bad header is counted."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.filewriter import dcmwrite

from tasks.model import StudyRef
from tasks.policy import load_policy
from tasks.risk.foresight import foresee_risk
from tasks.secret import Secret
from tests.publish.corpus import dicom_bytes

SECRET = Secret(b"s" * 32)
CANARY = "Kanarienvogel"


@dataclass
class Archive:
    headers: list[bytes | None]

    def pull_header(self, ref: StudyRef, into: Path) -> Path | None:
        data = self.headers[int(ref.study_key)]
        if data is None:
            return None
        into.write_bytes(data)
        return into


def _header(number, age="050Y", day="20200102", born=""):
    dataset = dcmread(io.BytesIO(dicom_bytes(number, 1, 1, 1)))
    dataset.PatientID, dataset.PatientName, dataset.Manufacturer = f"{CANARY}{number}", f"{CANARY}^X", CANARY
    dataset.PatientAge, dataset.PatientSex, dataset.StudyDate, dataset.PatientBirthDate = age, "F", day, born
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def _foresee(headers, tmp_path, policy="shifted-dates", **gates):
    refs = [StudyRef(str(i), "f", 1, f"1.{i}") for i in range(len(headers))]
    return foresee_risk(Archive(headers), refs, load_policy(policy).with_gates(gates), SECRET, tmp_path)


def _values(foresight):
    return {m["measure"]: m["value"] for m in foresight.rows()}


def test_crowds_of_a_clean_cohort(tmp_path):
    foresight = _foresee([_header(i) for i in range(24)], tmp_path)
    assert (foresight.studies, foresight.unreadable, foresight.held_patients, foresight.reached) == (24, 0, 0, True)
    assert _values(foresight)["smallest crowd"] == 24
    assert [m["gate"] for m in foresight.rows() if not m["within"]] == []


def test_a_patient_who_would_be_held_back_is_foreseen(tmp_path):
    foresight = _foresee([_header(i) for i in range(24)] + [_header(24, age="081Y")], tmp_path)
    assert foresight.held_patients == 1
    assert {"K1", "K3"} <= {m["gate"] for m in foresight.rows() if not m["within"]}


def test_age_comes_from_the_birth_date_and_is_capped(tmp_path):
    headers = [_header(0, age="", born="19100101"), _header(1, age="090Y"), _header(2, age="090Y", day="bad")]
    assert _values(_foresee(headers, tmp_path, k=3))["smallest crowd"] == 3


@pytest.mark.slow
def test_what_the_policy_removes_is_no_risk(tmp_path):
    headers = [_header(i, age=f"{20 + i:03d}Y") for i in range(24)]
    assert _values(_foresee(headers, tmp_path, "strict"))["smallest crowd"] == 24


def test_nothing_of_a_header_is_told_or_left_and_bad_ones_are_counted(tmp_path, caplog, recwarn):
    malformed = _header(0).replace(b"20200102", CANARY.encode()[:8])
    recwarn.clear()
    foresight = _foresee([_header(0), None, b"", b"\x00" * 300, malformed], tmp_path)
    assert CANARY[:8] not in caplog.text + "".join(str(w.message) for w in recwarn)
    assert foresight.unreadable >= 1
    assert CANARY not in repr(foresight) + repr(foresight.rows())
    assert list(tmp_path.iterdir()) == []
