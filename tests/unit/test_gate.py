"""The gate approves a clean candidate, and holds every defect with its gate's name."""

from __future__ import annotations

import pytest

from expectations.gate import SUITE_NAMES, judge
from tasks.policy import load_policy
from tests.unit.gate_tables import NO_FINDINGS, clean_candidate, clean_measures, finding, findings, instance_row, receipts_of, table

POLICY = load_policy()
ROOT = "a" * 64


def judged(rows, found=NO_FINDINGS, receipts=None, policy=POLICY, earlier=None):
    receipts = receipts_of(rows) if receipts is None else receipts
    return judge(table(rows), found, receipts, policy, ROOT, earlier, planned=clean_measures(rows))


def held_by(judgement):
    return {v["gate"] for v in judgement.verdicts.to_pylist() if v["verdict"] != "pass"}


@pytest.mark.slow
def test_a_clean_candidate_is_approved_by_all_suites():
    judgement = judged(clean_candidate())
    assert judgement.verdict.reasons == ()
    assert judgement.verdict.approved
    assert judgement.verdict.suites == SUITE_NAMES
    assert judgement.verdict.candidate_root == ROOT
    assert judgement.verdict.policy_sha256 == POLICY.sha256


def _changed(index=0, **changes):
    rows = clean_candidate()
    rows[index] |= changes
    return rows


DEFECTS = [
    ("pixels of which nobody said anything", _changed(pixels_examined=None), "T7"),
    ("a face", _changed(face_verdict="face left"), "X3"),
    ("a head that nobody could assess", _changed(face_verdict="not assessable"), "X3"),
    ("a head of which nobody said anything", _changed(face_verdict=None), "X3"),
    ("a patient alone with his age", [*clean_candidate(), instance_row(99, patient_age_years=77)], "K1"),
    ("ten patients", clean_candidate(10), "K1"),
    ("one patient", clean_candidate(1), "K1"),
    ("no patient", [], "I2"),
]
FOUND = [(f"{gate}.rule", gate) for gate in ("T1", "T1x", "T2", "T3", "T5", "T6", "T7", "T10")]
FOUND += [("U1.pixels", "U"), ("something.new", "T")]


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "gate"), [d[1:] for d in DEFECTS], ids=[d[0] for d in DEFECTS])
def test_a_defect_holds_the_candidate(rows, gate):
    judgement = judged(rows)
    assert not judgement.verdict.approved
    assert gate in held_by(judgement)


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "gate"), FOUND)
def test_a_finding_holds_under_the_name_of_its_gate(rule, gate):
    rows = clean_candidate()
    judgement = judged(rows, findings(finding(rows[0]["SOPInstanceUID"], rule)))
    assert held_by(judgement) == {gate}


@pytest.mark.slow
def test_findings_below_the_line_hold_nothing():
    rows = clean_candidate()
    assert judged(rows, findings(finding(rows[0]["SOPInstanceUID"], "P1.ocr.removed", score=0.0))).verdict.approved


@pytest.mark.slow
def test_a_finding_holds_its_object_by_its_released_uid():
    rows = clean_candidate()
    judgement = judged(rows, findings(finding(rows[3]["SOPInstanceUID"])))
    held = [v for v in judgement.verdicts.to_pylist() if v["verdict"] != "pass"]
    assert [(v["gate"], v["unit"], v["key"], v["verdict"]) for v in held] == [("T1", "instance", rows[3]["SOPInstanceUID"], "quarantine")]
    assert not judgement.verdict.approved


@pytest.mark.slow
def test_a_finding_about_an_object_that_stays_behind_holds_nothing():
    assert judged(clean_candidate(), findings(finding("2.25.999"))).verdict.approved


@pytest.mark.slow
def test_a_receipt_that_does_not_add_up_holds():
    from dataclasses import replace

    rows = clean_candidate()
    first, *others = receipts_of(rows)
    assert "I2" in held_by(judged(rows, receipts=[replace(first, instance_count=3), *others]))


@pytest.mark.slow
def test_a_study_without_a_receipt_holds():
    rows = clean_candidate()
    assert "I2" in held_by(judged(rows, receipts=receipts_of(rows)[1:]))


@pytest.mark.slow
def test_a_missing_object_of_a_study_holds():
    rows = clean_candidate()
    assert "I2" in held_by(judged(rows[1:], receipts=receipts_of(rows)))


@pytest.mark.slow
def test_a_study_left_out_as_a_whole_is_fine():
    rows = clean_candidate(25)
    assert judged(rows[2:], receipts=receipts_of(rows)).verdict.approved


@pytest.mark.slow
def test_a_candidate_without_a_digest_is_never_approved():
    rows = clean_candidate()
    assert not judge(table(rows), NO_FINDINGS, receipts_of(rows), POLICY, "", planned=clean_measures(rows)).verdict.approved


@pytest.mark.slow
def test_a_small_release_can_be_made_on_purpose():
    """`gates: {k: 1}` loosens every crowd, and the policy's digest says so."""
    policy = POLICY.with_gates({"k": 1})
    rows = [instance_row(1), instance_row(2, patient_age_years=77, Modality="MR", BodyPartExamined="KNEE")]
    judgement = judged(rows, policy=policy)
    assert judgement.verdict.reasons == ()
    assert judgement.verdict.policy_sha256 != POLICY.sha256
