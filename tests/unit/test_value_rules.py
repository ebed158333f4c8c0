"""What a reviewer refused stays refused; rules hold no value and cannot be forged."""

from __future__ import annotations

import json

import pytest

from tasks.errors import UsageError
from tasks.publish.store import open_store
from tasks.secret import Secret
from tasks.value_rules import Decision, keep_rules, read_decisions, read_rules, refused_objects
from tests.unit.gate_tables import clean_candidate, table

SECRET = Secret(b"s" * 32)
ROOT = "ab" * 32


def test_refused_values_name_their_objects_and_later_decisions_win(tmp_path):
    private = open_store(str(tmp_path))
    rows = clean_candidate(3, 1)
    rows[1]["StudyDescription"] = "THE FAMOUS CASE"
    instances = table(rows)
    keep_rules(private, SECRET, [Decision("StudyDescription", "THE FAMOUS CASE", "refuse")], reviewer="Ada")
    assert refused_objects(instances, read_rules(private, SECRET)) == {rows[1]["SOPInstanceUID"]}
    keep_rules(private, SECRET, [Decision("StudyDescription", "THE FAMOUS CASE", "accept")], reviewer="Ada")
    rules = read_rules(private, SECRET)
    assert rules.choice("StudyDescription", "THE FAMOUS CASE") == "accept"
    assert rules.choice("SeriesDescription", "THE FAMOUS CASE") is None
    assert refused_objects(instances, rules) == set()


def test_a_rule_holds_no_value(tmp_path):
    private = open_store(str(tmp_path))
    key = keep_rules(private, SECRET, [Decision("StudyDescription", "THE FAMOUS CASE", "refuse")], reviewer="Ada")
    assert b"FAMOUS" not in private.get(key)


def test_a_rule_written_without_the_secret_is_refused(tmp_path):
    private = open_store(str(tmp_path))
    key = keep_rules(private, SECRET, [Decision("StudyDescription", "X", "refuse")], reviewer="Ada")
    record = json.loads(private.get(key))
    record["rules"] = []
    private.put(key, json.dumps(record).encode())
    with pytest.raises(UsageError):
        read_rules(private, SECRET)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"decisions": []}',
        json.dumps({"candidate_root": ROOT, "decisions": [{"column": "c", "value": "v", "choice": "maybe"}]}),
        json.dumps({"candidate_root": "ff" * 32, "decisions": []}),
    ],
)
def test_a_file_of_decisions_that_is_none_is_an_error(tmp_path, text):
    path = tmp_path / "decisions.json"
    path.write_text(text)
    with pytest.raises(UsageError):
        read_decisions(path, ROOT)
