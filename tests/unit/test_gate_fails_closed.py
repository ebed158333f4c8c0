"""A suite that did not run, raised, or left a check unevaluated holds the candidate."""

from __future__ import annotations

import pyarrow as pa
import pytest

import expectations.gate as gate
import expectations.tables as tables
from expectations.gate import judge
from tasks.policy import load_policy
from tests.unit.gate_tables import NO_FINDINGS, clean_candidate, clean_measures, receipts_of, table

SECRET = "Zz^Canary"


def judged(**changed):
    rows = clean_candidate()
    arguments = {
        "instances": table(rows),
        "findings": NO_FINDINGS,
        "receipts": receipts_of(rows),
        "policy": load_policy(),
        "candidate_root": "a",
        "planned": clean_measures(rows),
    }
    return judge(**(arguments | changed))


def broken(judgement):
    return [v["gate"] for v in judgement.verdicts.to_pylist() if v["verdict"] == "broken"]


def _raise(*_, **__):
    raise ValueError(SECRET)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["measure_risk", "hold_reason"])
def test_a_measure_that_raises_holds_and_says_only_its_class(monkeypatch, name):
    from tests.unit.gate_tables import finding, findings

    monkeypatch.setattr(tables, name, _raise)
    judgement = judged(findings=findings(finding(clean_candidate()[0]["SOPInstanceUID"])))
    assert not judgement.verdict.approved
    assert "ValueError" in {r.trouble for r in judgement.records}
    assert SECRET not in repr(judgement)


@pytest.mark.slow
@pytest.mark.parametrize("suite", gate.SUITE_NAMES)
def test_a_suite_that_raises_holds(monkeypatch, suite):
    import expectations.suites as suites

    monkeypatch.setitem(suites.SUITES, suite, (("instances", _raise),))
    judgement = judged()
    assert not judgement.verdict.approved
    assert suite not in judgement.verdict.suites
    assert suite in broken(judgement)


@pytest.mark.slow
@pytest.mark.parametrize("suite", gate.SUITE_NAMES)
def test_a_suite_that_is_absent_holds(monkeypatch, suite):
    import expectations.suites as suites

    monkeypatch.delitem(suites.SUITES, suite)
    assert suite in broken(judged())


@pytest.mark.slow
@pytest.mark.parametrize("suite", gate.SUITE_NAMES)
def test_a_suite_without_expectations_holds(monkeypatch, suite):
    import expectations.suites as suites

    monkeypatch.setitem(suites.SUITES, suite, (("instances", lambda policy: []),))
    judgement = judged()
    assert not judgement.verdict.approved
    assert suite not in judgement.verdict.suites


def test_a_library_that_answers_nothing_holds(monkeypatch):
    import great_expectations as gx

    class Answer:
        results = ()

    monkeypatch.setattr(gx.ValidationDefinition, "run", lambda *_, **__: Answer())
    judgement = judged()
    assert not judgement.verdict.approved
    assert judgement.verdict.suites == ()


@pytest.mark.slow
def test_a_failure_without_row_numbers_holds(monkeypatch):
    """The library says that a measure failed, but not which: none of them passes."""
    import expectations.results as results

    monkeypatch.setattr(results, "_rows", lambda _: ())
    rows = clean_candidate(10)
    judgement = judged(instances=table(rows), receipts=receipts_of(rows))
    assert not judgement.verdict.approved
    assert "K" in broken(judgement)


@pytest.mark.slow
@pytest.mark.parametrize("column", ["sha256", "PatientID", "pixels_examined", "face_verdict", "deid_option_codes", "status"])
def test_a_table_without_a_column_holds(column):
    judgement = judged(instances=table(clean_candidate()).drop_columns([column]))
    assert not judgement.verdict.approved
    assert broken(judgement)


@pytest.mark.slow
def test_a_column_without_a_role_holds():
    instances = table(clean_candidate())
    judgement = judged(instances=instances.append_column("Occupation", pa.nulls(instances.num_rows, pa.string())))
    assert not judgement.verdict.approved
    assert "re-identification risk" not in judgement.verdict.suites


@pytest.mark.slow
def test_all_values_null_holds():
    instances = table(clean_candidate())
    nulls = pa.table({n: pa.nulls(instances.num_rows, t) for n, t in zip(instances.schema.names, instances.schema.types, strict=True)})
    assert not judged(instances=nulls).verdict.approved
