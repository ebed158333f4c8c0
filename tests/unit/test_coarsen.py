"""A plan's levels are in the objects themselves, at every depth, and nothing else of the object changes."""

from __future__ import annotations

import io

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence

from tasks.errors import ReleaseError
from tasks.policy.gates import GatePolicy
from tasks.publish.store import open_store
from tasks.risk.coarsen import coarse_value, coarsen_candidate
from tests.publish.corpus import dicom_bytes
from tests.unit.gate_tables import instance_row, table

POLICY = GatePolicy()
LEVELS = {"patient_age_years": 2, "PatientSex": 1, "PatientSize": 1, "PatientWeight": 3, "EthnicGroup": 0, "PregnancyStatus": 0}


def _private(tmp_path, age="047Y"):
    import hashlib

    dataset = dcmread(io.BytesIO(dicom_bytes(1, 1, 1, 1)))
    dataset.PatientAge, dataset.PatientSex, dataset.PatientSize, dataset.PatientWeight = age, "F", "1.73", "71.5"
    inner = Dataset()
    inner.PatientAge, inner.PatientWeight = age, "71.5"
    dataset.ReferencedPatientSequence = Sequence([inner])
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    data = buffer.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    private = open_store(str(tmp_path))
    key = f"quarantine/objects/{sha256[:2]}/{sha256}.dcm"
    private.put(key, data)
    offset = data.rindex(dataset.PixelData)
    facts = {"patient_age_years": 47, "PatientSize": 1.73, "PatientWeight": 71.5}
    row = instance_row(1, sha256=sha256, quarantine_key=key, size_bytes=len(data), pixel_data_offset=offset, **facts)
    return private, table([row]), data


def test_headers_say_no_more_than_the_plan(tmp_path):
    private, instances, before = _private(tmp_path)
    coarse = coarsen_candidate(private, instances, LEVELS, POLICY).to_pylist()[0]
    assert (coarse["patient_age_years"], coarse["PatientSex"], coarse["PatientSize"], coarse["PatientWeight"]) == (40, None, 1.7, 60.0)
    data = private.get(coarse["quarantine_key"])
    dataset = dcmread(io.BytesIO(data))
    inner = dataset.ReferencedPatientSequence[0]
    assert (dataset.PatientAge, dataset.PatientSex, float(dataset.PatientSize), float(dataset.PatientWeight)) == ("040Y", "", 1.7, 60.0)
    assert (inner.PatientAge, float(inner.PatientWeight)) == ("040Y", 60.0)
    assert coarse["size_bytes"] == len(data)
    assert data[coarse["pixel_data_offset"] :][:64] == dcmread(io.BytesIO(before)).PixelData
    unchanged = {e.keyword: e.value for e in dcmread(io.BytesIO(before)) if not e.keyword.startswith("Patient") and e.VR != "SQ"}
    assert {k: dataset.get(k) for k in unchanged} == unchanged


def test_the_same_plan_gives_the_same_bytes_and_a_second_time_changes_nothing(tmp_path):
    private, instances, _ = _private(tmp_path)
    once = coarsen_candidate(private, instances, LEVELS, POLICY)
    assert coarsen_candidate(private, instances, LEVELS, POLICY) == once
    assert coarsen_candidate(private, once, LEVELS, POLICY) == once


def test_exact_levels_touch_no_object(tmp_path):
    private, instances, _ = _private(tmp_path)
    assert coarsen_candidate(private, instances, dict.fromkeys(LEVELS, 0), POLICY) is instances


def test_months_become_a_band_of_years(tmp_path):
    private, instances, _ = _private(tmp_path, age="030M")
    rows = [{**instances.to_pylist()[0], "patient_age_years": 2}]
    coarse = coarsen_candidate(private, table(rows), {"patient_age_years": 1}, POLICY).to_pylist()[0]
    assert dcmread(io.BytesIO(private.get(coarse["quarantine_key"]))).PatientAge == "000Y"


def test_an_object_that_was_changed_on_the_private_side_stops(tmp_path):
    private, instances, before = _private(tmp_path)
    private.put(instances["quarantine_key"][0].as_py(), before + b"x")
    with pytest.raises(ReleaseError, match="was changed"):
        coarsen_candidate(private, instances, LEVELS, POLICY)


@pytest.mark.parametrize(("value", "level", "expected"), [(1.15, 1, 1.15), (1.2, 2, 1.2), (1.29, 1, 1.25), (None, 1, None), (1.7, 4, None)])
def test_a_value_that_opens_a_band_stays_in_it(value, level, expected):
    assert coarse_value(value, POLICY.columns["PatientSize"], level) == expected
