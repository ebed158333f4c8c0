"""The policy's tables are complete: every published column has a role, every gate of the map exists, every crowd follows k."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pyarrow as pa
import pytest

from tasks.errors import UsageError
from tasks.policy import load_policy
from tasks.policy.gates import GatePolicy, shipped_columns
from tasks.policy.vocabulary import gates, mandatory
from tasks.publish.manifest_schemas import MANIFESTS
from tasks.report.regulators import answer_regulators, documentation, questions
from tasks.schemas import INSTANCES, VERDICTS

PUBLISHED = sorted({c.name for columns in MANIFESTS.values() for c in columns} | set(INSTANCES.names))


@pytest.mark.parametrize("column", PUBLISHED)
def test_every_published_column_has_a_role(column):
    assert column in shipped_columns()


def test_every_crowd_follows_k_unless_it_is_written_down():
    loose, tight = GatePolicy(k=1), GatePolicy(k=20)
    names = ("interval_crowd_at_least", "difference_crowd_at_least", "rare_patients_at_least", "report_cell_at_least")
    assert [getattr(loose, n) for n in names] == [1] * 4
    assert [getattr(tight, n) for n in names] == [20] * 4
    assert (loose.average_risk_at_most, GatePolicy().average_risk_at_most, tight.average_risk_at_most) == (1.0, 0.05, 0.02)
    assert GatePolicy(k=1, rare_patients=5).rare_patients_at_least == 5
    assert (loose.rare_word_patients_at_least, GatePolicy().rare_word_patients_at_least) == (1, 3)


def test_the_shipped_policies_are_as_strict_as_they_say():
    assert (load_policy("shifted-dates").gates.k, load_policy("strict").gates.k) == (11, 20)
    assert load_policy("strict").gates.average_risk_at_most == 0.02
    assert load_policy("strict").gates.max_suppressed == 0.01


def test_a_loosened_policy_has_another_digest():
    assert load_policy().with_gates({"k": 1}).sha256 != load_policy().sha256


@pytest.mark.parametrize(
    "overrides",
    [
        {"k": 0},
        {"k": "many"},
        {"minimum": 3},
        {"columns": {"PatientAge": {"role": "secret"}}},
        {"columns": {"patient_age_years": {"role": "quasi", "bands": [10, 5]}}},
        {"columns": {"patient_age_years": {"role": "quasi", "bands": [5, 12]}}},
        {"columns": {"Rows": {"role": "technical", "bands": [5]}}},
        {"columns": {"EthnicGroup": {"role": "quasi", "bands": [5], "parents": [{"a": "b"}]}}},
    ],
    ids=str,
)
def test_a_wrong_threshold_or_hierarchy_is_an_error_that_names_the_field(overrides):
    with pytest.raises(UsageError, match="policy: gates"):
        load_policy().with_gates(overrides)


def test_a_policy_may_change_one_column_and_keeps_the_others():
    columns = load_policy().with_gates({"columns": {"Modality": {"role": "technical"}}}).gates.columns
    assert columns["Modality"].role == "technical"
    assert columns["patient_age_years"].role == "quasi"


def test_the_regulators_map_names_gates_that_exist():
    assert {g for _, _, gates in questions() for g in gates} <= set(gates())
    assert sum(f.startswith("HIPAA") for f, _, _ in questions()) == 19


def test_a_question_is_answered_by_the_gravest_word_and_never_by_silence():
    rows = [
        {**dict.fromkeys(VERDICTS.names, ""), "n": 1, "ci_low": None, "gate": g, "verdict": v} for g, v in (("K1", "pass"), ("K2", "block"))
    ]

    table = pa.Table.from_pylist(rows, schema=VERDICTS)
    answers = {a.item.split(":")[0]: a.verdict for a in answer_regulators(table)}
    assert answers["maximum risk of 0.09 for public release"] == "pass"
    assert answers["average risk for a closed audience"] == "block"
    assert answers["inference"] == "not judged"
    loosened = {a.item.split(":")[0]: a.verdict for a in answer_regulators(table, k=1)}
    assert loosened["maximum risk of 0.09 for public release"] == "loosened: k = 1"


def test_the_page_in_the_documentation_is_the_generated_one():
    page = Path(__file__).resolve().parents[2] / "infra" / "docs" / "gates.md"
    assert documentation() == page.read_text("utf-8"), "run `make docs`"


def test_every_gate_has_a_threshold_that_the_policy_knows():
    named = {gate.threshold for gate in gates().values()} - {""}
    assert named <= set(GatePolicy.model_fields)


def test_every_gate_that_may_leave_a_person_in_answers_a_regulator():
    answered = {g for _, _, of_question in questions() for g in of_question}
    assert {g for g in gates() if g[0] in "TKX"} - answered <= {"T", "T6"}, "a gate that nobody asked for"
    assert mandatory() > {"T1", "T1x", "I1", "I2", "I4", "I7", "T7", "P1", "K1", "C2", "C3"}


def test_the_top_of_the_repository_holds_code_and_tool_files_only():
    """Documentation lives in infra/docs, so that one look at the top shows the product."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        pytest.skip("not a checkout")
    tracked = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {path.split("/")[0] for path in tracked if "/" in path} <= {".ci", ".github", "flows", "tasks", "expectations", "tests", "infra"}
