"""No check is idle: switching any one of them off lets a planted defect through."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

import expectations.suites as suites
from expectations.gate import judge
from tasks.policy import load_policy
from tests.unit.gate_tables import NO_FINDINGS, clean_candidate, clean_measures, finding, findings, receipts_of, table
from tests.unit.test_gate import FOUND

POLICY = load_policy()


def _row(**changes):
    rows = clean_candidate()
    rows[0] |= changes
    return {"instances": table(rows), "receipts": receipts_of(rows)}


def _found(rule, score=1.0):
    rows = clean_candidate()
    return {"findings": findings(finding(rows[0]["SOPInstanceUID"], rule, score=score))}


def _nulls():
    """A row of nothing but nulls, which only the checks for missing values see."""
    rows = clean_candidate()
    return {"instances": pa.concat_tables([table(rows), table([dict.fromkeys(rows[0])])])}


def _receipts(change):
    rows = clean_candidate()
    first, *others = receipts_of(rows)
    return {"receipts": change(first, others)}


DEFECTS = {
    "The candidate is not empty": {"instances": table([])},
    **dict.fromkeys((f"{c} is never missing" for c in suites.NEVER_MISSING), _nulls()),
    **dict.fromkeys((f"{c} is a valid UID" for c in suites.UIDS), _row(**dict.fromkeys(suites.UIDS, "1.02"))),
    "No object is in the candidate twice": {"instances": table([*clean_candidate(), clean_candidate()[0]])},
    "Every object has its digest": _row(sha256="x"),
    "Only objects that passed every stage": _row(status="quarantined"),
    "A study belongs to one patient": _row(PatientID="P00001"),
    "A series belongs to one study": _row(SeriesInstanceUID="2.25.10010.1"),
    "Every object declares the Basic Profile (113100)": _row(deid_option_codes=["113107"]),
    "Every object declares its options": _row(deid_option_codes=None),
    "Every object says of its dates what the policy does": _row(LongitudinalTemporalInformationModified="REMOVED"),
    "One receipt per study": _receipts(lambda first, others: [first, first, *others]),
    "Every receipt accounts for every object that the archive holds of its study": _receipts(
        lambda first, others: [replace(first, instance_count=3), *others]
    ),
    "Every study in the candidate has exactly the objects that its receipt released": _receipts(lambda first, others: others),
    **{suites.LEFTOVERS[gate]: _found(rule) for rule, gate in FOUND},
    "Every finding has a score from 0 to 1": _found("T1.exact", score=-1.0),
    "Somebody looked at every object that has pixels": _row(pixels_examined=False),
    "No object says that it has burned-in text": _row(BurnedInAnnotation="YES"),
    "No object may still show a face": _row(face_verdict="face left"),
    "Every gate that must speak has spoken": {"planned": None},
    "Every measure lies within its bounds": {"instances": table(clean_candidate(10)), "receipts": receipts_of(clean_candidate(10))},
}
NEEDS_ITS_TABLE = {"Risk was measured", "Every measure has a value"}


_failed: dict[int, set[str]] = {}


def _failing_of(defect):
    """What a defect fails, judged once for all the checks that share it."""
    if id(defect) not in _failed:
        _failed[id(defect)] = _failing(_judged(**defect))
    return _failed[id(defect)]


def _judged(**changed):
    rows = clean_candidate()
    arguments = {"instances": table(rows), "findings": NO_FINDINGS, "receipts": receipts_of(rows), "policy": POLICY, "candidate_root": "a"}
    arguments["planned"] = clean_measures(rows)
    return judge(**(arguments | changed))


def _failing(judgement):
    return {c.description for r in judgement.records for c in r.checks if c.outcome != "pass"}


def test_every_check_has_its_defect():
    described = {e.description for parts in suites.SUITES.values() for _, build in parts for e in build(POLICY)}
    assert described - NEEDS_ITS_TABLE == set(DEFECTS)


@pytest.mark.slow
@pytest.mark.parametrize("description", sorted(DEFECTS))
def test_its_defect_fails_the_check(description):
    assert description in _failing_of(DEFECTS[description])


@pytest.mark.slow
def test_risk_that_was_not_measured_fails(monkeypatch):
    import expectations.tables as tables
    from tasks.schemas import RISK

    for name in ("measure_risk", "measure_near_misses", "measure_sisters"):
        monkeypatch.setattr(tables, name, lambda *_: RISK.empty_table())
    assert {"Risk was measured", "Every gate that must speak has spoken"} <= _failing(_judged(planned=None))
    unmeasured = [
        {"gate": "K1", "unit": "release", "key": "", "measure": "m", "value": None, "at_least": 1.0, "n": 1, "action": "block"}
    ] * 2
    monkeypatch.setattr(tables, "measure_risk", lambda *_: pa.Table.from_pylist(unmeasured, schema=RISK))
    assert {"Every measure has a value", "Every measure lies within its bounds"} <= _failing(_judged())
