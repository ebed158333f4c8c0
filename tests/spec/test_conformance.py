"""What the documents say is what the rules do; what inspect shows is what deidentify does."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from flows.cli import app
from tasks.deidentify.conformance import README, STATEMENT, statement, written
from tests.spec.made import ct_bytes


def test_the_conformance_statement_is_generated_from_the_rules() -> None:
    assert statement() == STATEMENT.read_text("utf-8"), "run `make docs`"


def test_the_readmes_table_is_generated_from_the_rules() -> None:
    text = README.read_text("utf-8")
    assert written(text) == text, "run `make docs`"


def test_inspect_masks_values_unless_asked(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(ct_bytes())
    masked = CliRunner().invoke(app, ["inspect", str(file), "--no-pixels"])
    shown = CliRunner().invoke(app, ["inspect", str(file), "--no-pixels", "--show-values"])
    assert (masked.exit_code, shown.exit_code) == (0, 0)
    assert "MRN0077123" not in masked.stdout
    assert "MRN0077123" in shown.stdout


def test_inspect_names_rule_and_clause_of_every_element(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(ct_bytes())
    rows = json.loads(CliRunner().invoke(app, ["inspect", str(file), "--no-pixels", "--json"]).stdout)["elements"]
    by_keyword = {row["keyword"]: row for row in rows}
    assert by_keyword["AccessionNumber"]["action"] == "Z"
    assert by_keyword["StudyDate"]["clause"] == "PS3.15 E.3.6"
    assert all(row["clause"] and row["action"] for row in rows)


def test_inspect_of_something_else_names_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"text" * 100)
    result = CliRunner().invoke(app, ["inspect", str(file)])
    assert result.exit_code != 0
    assert "not_dicom" in str(result.exception)
