"""No value of a judged table comes out of the gate: not in verdicts, records, reasons, logs, warnings or standard streams."""

from __future__ import annotations

import json
import logging
import warnings

import pytest

from expectations.gate import judge
from expectations.results import RESULT_FORMAT
from tasks.policy import load_policy
from tasks.schemas import INSTANCES
from tests.unit.gate_tables import clean_candidate, finding, findings, receipts_of, table

CANARY = "Kanarienvogel^Quendolina"
KEYS = {"SOPInstanceUID", "study_key", "PatientID", "StudyInstanceUID", "SeriesInstanceUID"}  # released names: verdicts may carry them
TEXTS = [f.name for f in INSTANCES if str(f.type) == "string" and f.name not in KEYS]


@pytest.mark.parametrize("column", TEXTS)
def test_a_canary_in_any_column_stays_inside(column, caplog, capfd):
    rows = clean_candidate()
    rows[0][column] = CANARY
    caplog.set_level(logging.DEBUG)
    place = finding(rows[0]["SOPInstanceUID"]) | {"place": CANARY, "kind": CANARY}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        judgement = judge(table(rows), findings(place), receipts_of(rows), load_policy(), "a")
    said = json.dumps([r.as_dict() for r in judgement.records]) + repr(judgement) + json.dumps(judgement.verdicts.to_pylist())
    said += json.dumps(judgement.risk.to_pylist()) + caplog.text + "".join(str(w.message) for w in caught) + "".join(capfd.readouterr())
    assert CANARY not in said
    assert not judgement.verdict.approved


def test_the_pinned_format_quotes_no_value():
    assert RESULT_FORMAT["exclude_unexpected_values"] is True
    assert RESULT_FORMAT["include_unexpected_rows"] is False
    assert RESULT_FORMAT["partial_unexpected_count"] == 0
