"""The gates' stages over real objects: plan, coarsen, freeze, judge, settle, without an archive and without Prefect's server."""

from __future__ import annotations

import hashlib
import io
import json

import pyarrow as pa
import pytest
from pydicom import dcmread
from pydicom.filewriter import dcmwrite

from expectations.suites import LEFTOVERS
from flows.gates import assemble, judge_candidate, keep_levels
from flows.session import Session
from tasks import private
from tasks.consistency.evidence import StudyEvidence
from tasks.consistency.sources import RECORD, SecondPull, keep_second_pulls
from tasks.model import PulledFile
from tasks.policy import load_policy
from tasks.process import Rules
from tasks.publish.store import open_store
from tasks.risk.published import read_frozen_levels
from tasks.scan import SourceIdentity
from tasks.scan.strangers import identity_rows
from tasks.schemas import FINDINGS, INSTANCES
from tasks.secret import Secret
from tasks.spec import parse_spec
from tasks.value_rules import Decision, keep_rules
from tests.publish.corpus import dicom_bytes
from tests.unit.gate_tables import instance_row, receipts_of

SECRET = Secret(b"s" * 32)


def _object(store, number, **facts):
    """Put one object on the private side with all that a worker notes of it; every patient has pixels of his own."""
    same_pixels_as = facts.pop("same_pixels_as", number)
    source_name = facts.pop("source_name", f"Stammbaum{number:04d}^Quirin")
    dataset = dcmread(io.BytesIO(dicom_bytes(number, 1, 1, 1)))
    dataset.PixelData = hashlib.shake_128(str(same_pixels_as).encode()).digest(len(dataset.PixelData))
    dataset.SeriesDescription = facts.get("SeriesDescription", "axial")
    dataset.PatientAge, dataset.PatientSex = f"{facts['patient_age_years']:03d}Y", facts["PatientSex"]
    dataset.StudyDescription = facts.get("StudyDescription", "CHEST")
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    data = buffer.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    key = f"quarantine/objects/{sha256[:2]}/{sha256}.dcm"
    store.put(key, data)
    row = instance_row(number, quarantine_key=key, sha256=sha256, size_bytes=len(data), PatientSize=None, PatientWeight=None, **facts)
    source = store.local_path(key)
    evidence = StudyEvidence(row["study_key"], [PulledFile(source, "source", len(data))], SECRET)
    evidence.add(source, row)
    private.put_table(store, private.evidence_key(row["study_key"]), evidence.table())
    known = SourceIdentity(frozenset({("patient_name", source_name), ("patient_id", f"MRN{number:07d}")}))
    private.put_table(store, private.identities_key(row["study_key"]), identity_rows(known, [row["PatientID"]]))
    return row


@pytest.fixture
def make_session(tmp_path):
    def make(people, gates=None):
        policy = load_policy().with_gates(gates or {})
        spec = parse_spec(
            {
                "dataset": "test",
                "archive": {"kind": "folder", "path": str(tmp_path)},
                "private": (tmp_path / "private").as_uri(),
                "public": (tmp_path / "public").as_uri(),
                "secret": {"env": "NONE"},
                "gates": gates or {},
            }
        )
        store = open_store(spec.private)
        session = Session("run", spec, Rules("test", policy, SECRET, {}), store, open_store(spec.public), tmp_path, tmp_path)
        rows = [_object(store, number, **facts) for number, facts in enumerate(people, 1)]
        for row in rows:
            private.put_table(store, private.instances_key(row["study_key"]), pa.Table.from_pylist([row], schema=INSTANCES))
            private.put_table(store, private.findings_key(row["study_key"]), FINDINGS.empty_table())
        receipts = receipts_of(rows)
        keep_second_pulls(store, {r.study_key: SecondPull(r.study_key, r.fingerprint, True, 1, 0) for r in receipts[:1]})
        return session, receipts

    return make


def _person(age, sex="F", **more):
    return {"patient_age_years": age, "PatientSex": sex, **more}


@pytest.mark.slow
def test_ages_are_banded_in_the_objects_until_every_crowd_is_large_enough(make_session):
    session, receipts = make_session([_person(40 + i % 20) for i in range(60)])
    candidate, held = assemble(session, receipts)
    assert held == 0
    verdict, _ = judge_candidate(session, candidate, receipts)
    assert verdict.reasons == ()
    assert verdict.approved
    instances = private.get_table(session.private, f"{candidate.prefix}instances.parquet", INSTANCES)
    assert set(instances["patient_age_years"].to_pylist()) == {40, 50}
    ages = {str(dcmread(io.BytesIO(session.private.get(k))).PatientAge) for k in instances["quarantine_key"].to_pylist()}
    assert ages == {"040Y", "050Y"}
    assert json.loads(session.private.get(f"{candidate.prefix}plan.json"))["levels"]["patient_age_years"] == 2
    kept = {k.removeprefix(candidate.prefix) for k in session.private.keys(candidate.prefix)}
    assert {"report.html", "values.csv", "verdict.json", "verdicts.parquet", "risk.parquet", "suites.json", "data_docs/index.html"} <= kept
    keep_levels(session, candidate)
    assert read_frozen_levels(session.private, session.rules.policy.gates)["patient_age_years"] == 2


@pytest.mark.slow
def test_one_outlier_is_held_back_and_the_others_keep_their_detail(make_session):
    session, receipts = make_session([_person(50) for _ in range(40)] + [_person(89, "M")])
    candidate, held = assemble(session, receipts)
    assert held == 1
    assert candidate.counts["patients"] == 40
    assert judge_candidate(session, candidate, receipts)[0].approved


@pytest.mark.slow
def test_too_few_patients_are_held_by_k(make_session):
    session, receipts = make_session([_person(50) for _ in range(10)])
    candidate, held = assemble(session, receipts)
    verdict, _ = judge_candidate(session, candidate, receipts)
    assert held == 0
    assert any(reason.startswith("K1: smallest crowd") for reason in verdict.reasons)


@pytest.mark.slow
def test_a_word_of_one_patient_is_asked_about_and_a_refused_one_stays_behind(make_session):
    people = [_person(50) for _ in range(40)] + [_person(50, StudyDescription="CHEST QUENDOLINA")]
    session, receipts = make_session(people)
    candidate, _ = assemble(session, receipts)
    verdict, _ = judge_candidate(session, candidate, receipts)
    assert verdict.reasons == ("T4: words of fewer than 3 patients that nobody has read (ask)",)
    assert "quendolina" in session.private.get(f"{candidate.prefix}report.html").decode()
    keep_rules(session.private, SECRET, [Decision("word", "quendolina", "refuse")], reviewer="Ada")
    without, _ = assemble(session, receipts)
    assert without.counts["patients"] == 40
    assert judge_candidate(session, without, receipts)[0].approved
    keep_rules(session.private, SECRET, [Decision("word", "quendolina", "accept")], reviewer="Ada")
    accepted, _ = assemble(session, receipts)
    assert accepted.counts["patients"] == 41
    assert judge_candidate(session, accepted, receipts)[0].approved


@pytest.mark.slow
def test_a_refused_value_keeps_its_study_behind(make_session):
    session, receipts = make_session([_person(50) for _ in range(40)] + [_person(50, StudyDescription="HEAD")])
    keep_rules(session.private, SECRET, [Decision("StudyDescription", "HEAD", "refuse")], reviewer="Ada")
    candidate, _ = assemble(session, receipts)
    assert candidate.counts["studies"] == 40


def test_nothing_is_left_when_everything_is_refused(make_session):
    session, receipts = make_session([_person(50)])
    keep_rules(session.private, SECRET, [Decision("Modality", "CT", "refuse")], reviewer="Ada")
    assert assemble(session, receipts) == (None, 0)


@pytest.mark.slow
def test_a_patient_with_another_patients_name_stays_behind_and_nobody_elses_data_does(make_session):
    people = [_person(50) for _ in range(40)] + [_person(50, SeriesDescription="ax Stammbaum0003, Quirin")]
    session, receipts = make_session(people)
    candidate, _ = assemble(session, receipts)
    instances = private.get_table(session.private, f"{candidate.prefix}instances.parquet", INSTANCES)
    assert set(instances["PatientID"].to_pylist()) == {f"P{n:05d}" for n in range(1, 41)}
    verdict, verdicts = judge_candidate(session, candidate, receipts)
    assert verdict.approved, verdict.reasons
    said = {(v["measure"], v["n"]): v["verdict"] for v in verdicts.to_pylist() if v["gate"] == "T1x"}
    assert said == {("places with another patient's values", 40): "pass", ("patients held back", 41): "pass", **_nothing_found("T1x")}


def _nothing_found(gate):
    return {(LEFTOVERS[gate], 0): "pass"}


@pytest.mark.slow
def test_ones_own_rare_name_is_no_strangers(make_session):
    """Two people of one name: what both share tells of nobody else."""
    people = [_person(50, source_name="Quendolina^Aurelie", SeriesDescription="Quendolina Aurelie") for _ in range(2)]
    session, receipts = make_session([*people, *(_person(50) for _ in range(38))], {"rare_words": "info"})
    candidate, _ = assemble(session, receipts)
    assert candidate.counts["patients"] == 40


@pytest.mark.slow
def test_patients_who_share_their_pixels_stay_behind(make_session):
    session, receipts = make_session([_person(50) for _ in range(40)] + [_person(50, same_pixels_as=7)])
    candidate, _ = assemble(session, receipts)
    assert candidate.counts["patients"] == 39
    assert judge_candidate(session, candidate, receipts)[0].approved


@pytest.mark.slow
def test_a_patient_with_one_leaking_object_stays_behind_as_a_whole_and_many_block_everything(make_session):
    session, receipts = make_session([_person(50) for _ in range(41)])
    leaking = instance_row(41)
    leak = {"sop_instance_uid": leaking["SOPInstanceUID"], "place": "(0010,4000)", "kind": "patient_name", "rule": "T1.exact", "score": 1.0}
    private.put_table(session.private, private.findings_key(leaking["study_key"]), pa.Table.from_pylist([leak], schema=FINDINGS))
    candidate, _ = assemble(session, receipts)
    assert candidate.counts["patients"] == 40
    verdict, _ = judge_candidate(session, candidate, receipts)
    assert verdict.reasons == ("T1: share of objects that kept a value of their own patient (block)",), "1 of 41 is more than 0.1 %"


@pytest.mark.slow
def test_a_study_without_evidence_is_never_released(make_session):
    session, receipts = make_session([_person(50) for _ in range(40)])
    session.private.delete(private.evidence_key(receipts[0].study_key))
    candidate, _ = assemble(session, receipts)
    verdict, _ = judge_candidate(session, candidate, receipts)
    gates = {reason.split(":")[0] for reason in verdict.reasons}
    assert {"T1x", "I4", "I5", "P1"} <= gates


@pytest.mark.slow
def test_a_release_whose_sources_nobody_compared_is_held(make_session):
    session, receipts = make_session([_person(50) for _ in range(40)])
    session.private.delete(RECORD)
    candidate, _ = assemble(session, receipts)
    verdict, _ = judge_candidate(session, candidate, receipts)
    assert {"I1", "I2"} <= {reason.split(":")[0] for reason in verdict.reasons}


@pytest.mark.slow
def test_our_own_reports_are_searched_before_they_are_kept(make_session, monkeypatch):
    import flows.gates as gates

    session, receipts = make_session([_person(50) for _ in range(40)])
    candidate, _ = assemble(session, receipts)
    clean = gates.reports_of
    monkeypatch.setattr(gates, "reports_of", lambda judgement, docs: clean(judgement, docs) | {"suites": b"seen: Quirin Stammbaum0003"})
    verdict, verdicts = judge_candidate(session, candidate, receipts)
    assert verdict.reasons == (f"T9: {gates.OWN_REPORTS} (block)",)
    assert verdicts.num_rows == 1
    kept = [key for key in session.private.keys(candidate.prefix) if "data_docs" in key]
    assert kept == [], "what leaked is not kept"


@pytest.mark.slow
def test_a_small_dataset_is_released_on_purpose(make_session):
    session, receipts = make_session([_person(50), _person(71, "M", StudyDescription="UNIQUE WORDS")], {"k": 1})
    candidate, _ = assemble(session, receipts)
    assert judge_candidate(session, candidate, receipts)[0].approved
