"""The gates' stages of a release: assemble without whom the plan holds back, judge the frozen candidate, keep what was said.

What is measured is in `tasks/risk`, what is judged in `expectations`, what people decide in `tasks/approval.py`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flows.review import this_operator
from flows.session import Session
from tasks import private
from tasks.archive import open_archive
from tasks.candidates import keep_docs, keep_judgement
from tasks.model import Receipt, Status, StudyRef, Verdict
from tasks.publish.candidate import Candidate, freeze_candidate, read_table
from tasks.publish.canonical import readable_json
from tasks.registry import without_refused
from tasks.risk import Suppression, plan_suppression
from tasks.risk.balance import measure_balance
from tasks.risk.coarsen import coarsen_candidate, held_rows
from tasks.risk.foresight import foresee_risk
from tasks.risk.published import freeze_levels, read_earlier, read_frozen_levels
from tasks.risk.words import measure_words, patients_with_refused_words, read_words, unread_words
from tasks.schemas import FINDINGS, INSTANCES, RISK
from tasks.value_rules import read_rules, refused_objects


def foresee(session: Session, asked: Sequence[StudyRef]) -> tuple[dict[str, Any], ...]:
    """Measure the risk of the studies asked for from one header each, before anything is pulled; empty where the archive gives none."""
    archive: Any = open_archive(session.spec.archive, session.rules.secret, session.index_folder)
    if not hasattr(archive, "pull_header"):
        return ()
    foresight = foresee_risk(archive, asked, session.rules.policy, session.rules.secret, session.scratch)
    held = {
        "gate": "K1",
        "measure": "patients that would be held back",
        "value": float(foresight.held_patients),
        "n": foresight.studies,
        "within": foresight.reached,
    }
    unread = {"gate": "I2", "measure": "studies without a readable header", "value": float(foresight.unreadable), "n": foresight.studies}
    return (*foresight.rows(), held, {**unread, "within": foresight.unreadable == 0})


def assemble(session: Session, receipts: Sequence[Receipt]) -> tuple[Candidate | None, int]:
    """Gather the released objects of all receipts into a frozen candidate; return it with the number of patients held back.

    None when nothing is left to release.
    """
    cohort, found = [INSTANCES.empty_table()], [FINDINGS.empty_table()]
    released = {r.study_key for r in receipts if r.status is Status.RELEASED}
    for receipt in receipts:
        cohort.append(private.get_table(session.private, private.instances_key(receipt.study_key), INSTANCES))
        if receipt.study_key in released:
            found.append(private.get_table(session.private, private.findings_key(receipt.study_key), FINDINGS))
    everybody = pa.concat_tables(cohort)
    of_released = pc.is_in(everybody["study_key"], value_set=pa.array(sorted(released), pa.string()))
    table = everybody.filter(pc.and_(of_released, pc.equal(everybody["status"], Status.RELEASED.value)))
    table = without_refused(table, session.private, session.spec.cohort)
    if table.num_rows == 0:
        return None, 0
    kept, plan = plan_candidate(session, table)
    if kept.num_rows == 0:
        return None, len(plan.held_patient_ids)
    findings = pa.concat_tables(found)
    findings = findings.filter(pc.is_in(findings["sop_instance_uid"], value_set=kept["SOPInstanceUID"].combine_chunks()))
    candidate = freeze_candidate(session.private, session.spec.dataset, session.rules.policy, kept, findings)
    keep_plan(session, candidate, plan, everybody, kept)
    return candidate, len(plan.held_patient_ids)


def plan_candidate(session: Session, released: pa.Table) -> tuple[pa.Table, Suppression]:
    """Return the rows that may be frozen, coarse enough and without those held back, and the plan that says why.

    Studies with a value that a reviewer refused, and patients with a refused word, stay behind.
    """
    gates, store = session.rules.policy.gates, session.private
    rules = read_rules(store, session.rules.secret)
    if refused := refused_objects(released, rules):
        of_refused = pc.is_in(released["SOPInstanceUID"], value_set=pa.array(sorted(refused), pa.string()))
        studies = released.filter(of_refused)["study_key"].unique()
        released = released.filter(pc.invert(pc.is_in(released["study_key"], value_set=studies)))
    words = read_words(store, released, gates)
    released = held_rows(released, patients_with_refused_words(words, rules))
    plan = plan_suppression(released, gates, read_frozen_levels(store, gates))
    kept = coarsen_candidate(store, held_rows(released, plan.held_patient_ids), plan.levels, gates)
    return kept, plan


def keep_plan(session: Session, candidate: Candidate, plan: Suppression, cohort: pa.Table, kept: pa.Table) -> None:
    """Write the plan beside its candidate: levels, how many were held back, what that did to groups, and which words to read.

    `cohort`: INSTANCES of every study asked for, whatever became of it.
    """
    gates = session.rules.policy.gates
    words = read_words(session.private, kept, gates)
    unread = unread_words(words, read_rules(session.private, session.rules.secret), gates)
    measures = pa.concat_tables([plan.measures, measure_balance(cohort, kept, gates), measure_words(unread, gates)])
    about = {
        "levels": dict(plan.levels),
        "held_patients": len(plan.held_patient_ids),
        "reached": plan.reached,
        "measures": measures.to_pylist(),
    }
    private.put_table(session.private, f"{candidate.prefix}words.parquet", unread)
    session.private.put(f"{candidate.prefix}plan.json", readable_json(about))


def judge_candidate(session: Session, candidate: Candidate, receipts: Sequence[Receipt]) -> tuple[Verdict, pa.Table]:
    """Run the great-expectations suites over the frozen tables; whatever cannot be judged is held. Keeps verdict and report."""
    from expectations.gate import judge
    from tasks.report import write_report

    instances, findings = (read_table(session.private, candidate, name) for name in ("instances", "findings"))
    planned = _plan(session, candidate)
    measures = pa.Table.from_pylist(planned["measures"], schema=RISK) if planned else None
    earlier = read_earlier(session.public)
    with tempfile.TemporaryDirectory(prefix="sallyport-docs-") as folder:
        docs = Path(folder)
        judgement = judge(instances, findings, receipts, session.rules.policy, candidate.root, earlier, planned=measures, docs=docs)
        keep_docs(session.private, candidate.candidate_id, docs)
    suites = [record.as_dict() for record in judgement.records]
    verdict, verdicts = judgement.verdict, judgement.verdicts
    keep_judgement(session.private, candidate.candidate_id, verdict, verdicts, judgement.risk, suites, this_operator())
    rules = read_rules(session.private, session.rules.secret)
    write_report(session.private, candidate.candidate_id, receipts, session.rules.policy, rules)
    return verdict, verdicts


def keep_levels(session: Session, candidate: Candidate) -> None:
    """Freeze the published candidate's levels for every later release of this dataset."""
    planned = _plan(session, candidate)
    if planned:
        freeze_levels(session.private, planned["levels"], session.rules.policy.gates)


def _plan(session: Session, candidate: Candidate) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(session.private.get(f"{candidate.prefix}plan.json"))
    except KeyError:
        return {}
    return found
