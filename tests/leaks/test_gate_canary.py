"""No value of a judged table comes out of the gate: not in verdicts, records, Data Docs, reasons, logs, warnings or standard streams."""

from __future__ import annotations

import json
import logging
import warnings

import pytest

from expectations.gate import judge
from expectations.results import RESULT_FORMAT
from tasks.policy import load_policy
from tasks.schemas import INSTANCES
from tests.unit.gate_tables import clean_candidate, clean_measures, finding, findings, receipts_of, table

CANARY = "Kanarienvogel^Quendolina"
KEYS = {"SOPInstanceUID", "study_key", "PatientID", "StudyInstanceUID", "SeriesInstanceUID"}  # released names: verdicts may carry them
TEXTS = [f.name for f in INSTANCES if str(f.type) == "string" and f.name not in KEYS]


@pytest.mark.slow
@pytest.mark.parametrize("broken", [False, True], ids=["judged", "an expectation raises"])
def test_a_canary_in_every_column_stays_inside(broken, caplog, capfd, tmp_path):
    rows = clean_candidate(max(24, len(TEXTS)), 1)
    for row, column in zip(rows, TEXTS, strict=False):
        row[column] = f"{CANARY} {column}"
        row["SoftwareVersions"] = [CANARY]
    instances = table(rows)
    if broken:
        instances = instances.drop_columns(["sha256"])
    caplog.set_level(logging.DEBUG)
    place = finding(rows[0]["SOPInstanceUID"]) | {"place": CANARY, "kind": CANARY}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        judgement = judge(instances, findings(place), receipts_of(rows), load_policy(), "a", planned=clean_measures(rows), docs=tmp_path)
    said = json.dumps([r.as_dict() for r in judgement.records]) + repr(judgement) + json.dumps(judgement.verdicts.to_pylist())
    said += json.dumps(judgement.risk.to_pylist()) + caplog.text + "".join(str(w.message) for w in caught) + "".join(capfd.readouterr())
    pages = [p.read_text("utf-8") for p in tmp_path.rglob("*.html")]
    assert len(pages) == (0 if broken else 13)
    assert "Kanarienvogel" not in said + "".join(pages)
    assert not judgement.verdict.approved


@pytest.mark.slow
def test_the_pages_show_what_every_check_asks(tmp_path):
    rows = clean_candidate()
    judge(table(rows), findings(), receipts_of(rows), load_policy(), "a", planned=clean_measures(rows), docs=tmp_path)
    pages = "".join(p.read_text("utf-8") for p in tmp_path.rglob("*.html"))
    assert "A study belongs to one patient" in pages
    assert "Somebody looked at every object that has pixels" in pages


def test_the_pinned_format_quotes_no_value():
    assert RESULT_FORMAT["exclude_unexpected_values"] is True
    assert RESULT_FORMAT["include_unexpected_rows"] is False
    assert RESULT_FORMAT["partial_unexpected_count"] == 0
