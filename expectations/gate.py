"""The gate: runs the suites over a candidate's tables and says approved, or held with reasons.

A suite that is missing, raised, or left an expectation unevaluated holds the candidate. What is measured is computed in
`tasks`; how great-expectations may answer is in `expectations/results.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from expectations.docs import open_context, write_docs
from expectations.results import RESULT_FORMAT, ROW, CheckRecord, SuiteRecord, copy_records
from expectations.tables import tables_to_judge
from tasks.model import GateVerdict, Receipt, Verdict
from tasks.policy import Policy
from tasks.schemas import VERDICTS

if TYPE_CHECKING:
    import pandas as pd

GATE_VERSION = "1"
SUITE_NAMES = ("integrity", "leftover PHI", "re-identification risk")
HOLDING = frozenset({"quarantine", "block", "ask", "broken"})


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict over a candidate, its table, and what each suite said; no value of a patient in any of them."""

    verdict: Verdict
    verdicts: pa.Table = field(repr=False)  # VERDICTS
    records: tuple[SuiteRecord, ...]
    risk: pa.Table = field(repr=False)  # RISK


def judge(
    instances: pa.Table,
    findings: pa.Table,
    receipts: Sequence[Receipt] | pa.Table,
    policy: Policy,
    candidate_root: str,
    earlier: pa.Table | None = None,
    *,
    planned: pa.Table | None = None,
    docs: Path | None = None,
) -> Judgement:
    """Judge a candidate's INSTANCES, FINDINGS and receipts against the policy; never raises over data, always answers.

    `receipts`: receipts, or a table with `study_key, instance_count, outcome_count, released_count`. `earlier`: rows of all
    earlier releases. `planned`: RISK rows measured while the candidate was assembled. `docs`: an empty folder that gets
    great-expectations' Data Docs. Approved only when all suites ran to the end and no check blocks, quarantines, asks or broke.
    """
    tables, trouble = tables_to_judge(instances, findings, receipts, policy, earlier, planned)
    records = _run_suites(tables, policy, trouble, docs)
    rows = [row for record in records for row in _verdict_rows(record, tables, policy)]
    reasons = tuple(sorted({f"{r.gate}: {r.measure} ({r.verdict})" for r in rows if r.verdict in HOLDING}))
    ran = tuple(r.suite for r in records if r.ran)
    approved = not reasons and ran == SUITE_NAMES and bool(candidate_root)
    if not approved and not reasons:
        reasons = ("gate: the candidate has no digest, or a suite did not run (broken)",)
    verdict = Verdict(candidate_root, approved, reasons, policy.sha256, ran)
    table = pa.Table.from_pylist([_as_row(r) for r in rows], schema=VERDICTS)
    return Judgement(verdict, table, records, tables.get("risk", _no_risk()))


def with_block(judgement: Judgement, gate: str, measure: str, n: int, policy: Policy) -> Judgement:
    """Return a judgement that a gate outside the suites blocks; of the rest, which may hold what leaked, nothing is kept."""
    row = _row(policy, gate, "release", "", measure, "<= 0", "block", n)
    verdict = Verdict(judgement.verdict.candidate_root, False, (f"{gate}: {measure} (block)",), policy.sha256, ())
    return Judgement(verdict, pa.Table.from_pylist([_as_row(row)], schema=VERDICTS), (), _no_risk())


def with_pass(judgement: Judgement, gate: str, measure: str, n: int, policy: Policy) -> Judgement:
    """Return a judgement with the row of a gate outside the suites that passed; the verdict stays what it was."""
    row = _as_row(_row(policy, gate, "release", "", measure, "<= 0", "pass", n))
    table = pa.concat_tables([judgement.verdicts, pa.Table.from_pylist([row], schema=VERDICTS)])
    return Judgement(judgement.verdict, table, judgement.records, judgement.risk)


def _run_suites(tables: Mapping[str, pa.Table], policy: Policy, trouble: Mapping[str, str], docs: Path | None) -> tuple[SuiteRecord, ...]:
    try:
        context = open_context(docs)
    except Exception as error:
        return tuple(SuiteRecord(name, False, (), type(error).__name__) for name in SUITE_NAMES)
    records = tuple(_run_suite(context, name, tables, policy, trouble) for name in SUITE_NAMES)
    if docs is not None:
        write_docs(context, docs, records)
    return records


def _run_suite(context: Any, name: str, tables: Mapping[str, pa.Table], policy: Policy, trouble: Mapping[str, str]) -> SuiteRecord:
    """Run one suite; whatever goes wrong in it becomes a record of a suite that did not run."""
    try:
        from expectations.suites import SUITES

        parts = []
        for table_name, expectations_for in SUITES[name]:
            if table_name not in tables:
                return SuiteRecord(name, False, (), trouble.get(table_name, "MissingTable"))
            parts.append(_evaluate(context, name, table_name, tables[table_name], expectations_for(policy)))
    except Exception as error:  # PRIVACY: only the class's name may leave; see tests/unit/test_gate_fails_closed.py
        return SuiteRecord(name, False, (), type(error).__name__)
    checks = tuple(c for part in parts for c in part.checks)
    return SuiteRecord(name, all(p.ran for p in parts), checks, next((p.trouble for p in parts if p.trouble), ""))


def _evaluate(context: Any, suite: str, table_name: str, table: pa.Table, expectations: list[Any]) -> SuiteRecord:
    import great_expectations as gx

    for number, expectation in enumerate(expectations):
        expectation.meta = {**expectation.meta, "check": f"{suite}/{table_name}/{number}"}
    title = f"{suite}: {table_name}"
    source = context.data_sources.add_pandas(title).add_dataframe_asset(table_name)
    suite_of_table = context.suites.add(gx.ExpectationSuite(name=title, expectations=expectations))
    definition = gx.ValidationDefinition(name=title, data=source.add_batch_definition_whole_dataframe("whole"), suite=suite_of_table)
    context.validation_definitions.add(definition)
    answer = definition.run(batch_parameters={"dataframe": _frame(table)}, result_format=dict(RESULT_FORMAT))
    return copy_records(suite, expectations, answer.results)


def _frame(table: pa.Table) -> pd.DataFrame:
    import pandas as pd

    numbered = table.append_column(ROW, pa.array(range(table.num_rows), pa.int64()))
    frame: pd.DataFrame = numbered.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def _verdict_rows(record: SuiteRecord, tables: Mapping[str, pa.Table], policy: Policy) -> list[GateVerdict]:
    if not record.checks:
        return [_row(policy, record.suite, "release", "", "suite ran to the end", "all checks", "broken", 0)]
    return [row for check in record.checks for row in _rows_of_check(check, tables, policy)]


def _rows_of_check(check: CheckRecord, tables: Mapping[str, pa.Table], policy: Policy) -> list[GateVerdict]:
    table_name = check.check.split("/")[1]
    if check.outcome == "broken":
        return [_row(policy, check.gate, "release", "", check.description, "evaluated", "broken", 0)]
    if check.action == "measure" and check.outcome == "fail" and not check.rows:
        # Failed, and the library did not say where: nothing of it may count as passed.
        return [_row(policy, check.gate, "release", "", check.description, "all", "broken", check.unexpected_count)]
    if table_name == "risk" and check.action == "measure":
        return [_row_of_measure(m, i in check.rows, policy) for i, m in enumerate(tables["risk"].to_pylist())]
    if check.outcome == "pass":
        return [_row(policy, check.gate, "release", "", check.description, "all", "pass", check.element_count)]
    keys = _keys(tables[table_name], check)
    if not keys:
        return [_row(policy, check.gate, "release", "", check.description, "all", check.action, check.unexpected_count)]
    return [_row(policy, check.gate, check.unit, key, check.description, "all", check.action, 1) for key in keys]


def _row_of_measure(measure: Mapping[str, Any], outside: bool, policy: Policy) -> GateVerdict:
    bounds = [f"{sign} {measure[b]:g}" for b, sign in (("at_least", ">="), ("at_most", "<=")) if measure[b] is not None]
    verdict = str(measure["action"]) if outside else "pass"
    return _row(policy, measure["gate"], measure["unit"], measure["key"], measure["measure"], " and ".join(bounds), verdict, measure["n"])


def _keys(table: pa.Table, check: CheckRecord) -> list[str]:
    column = {"instance": "SOPInstanceUID", "study": "study_key"}.get(check.unit, "")
    if column not in table.column_names:
        return []
    keys = table[column]
    return sorted({str(keys[row].as_py() or "") for row in check.rows})


def _row(policy: Policy, gate: str, unit: str, key: str, measure: str, threshold: str, verdict: str, n: int) -> GateVerdict:
    return GateVerdict(gate, GATE_VERSION, policy.sha256, unit, key, measure, threshold, verdict, n)


def _as_row(row: GateVerdict) -> dict[str, Any]:
    return {name: getattr(row, name) for name in VERDICTS.names}


def _no_risk() -> pa.Table:
    from tasks.schemas import RISK

    return RISK.empty_table()
