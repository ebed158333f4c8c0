"""The gates' stages of a release: assemble without whom the plan holds back, judge the frozen candidate, keep what was said.

What is measured is in `tasks/risk`, what is judged in `expectations`, what people decide in `tasks/approval.py`.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from flows.review import this_operator
from flows.session import Session
from tasks import private
from tasks.archive import open_archive
from tasks.canaries import canary_keys
from tasks.candidates import keep_docs, keep_judgement, read_plan
from tasks.consistency.crosscheck import Crosscheck, cross_check, measure_crosscheck
from tasks.consistency.second_look import read_again
from tasks.consistency.sources import pull_again
from tasks.model import Reason, Receipt, Status, StudyRef, Verdict
from tasks.process import failed_receipt
from tasks.publish.candidate import Candidate, freeze_candidate, read_table
from tasks.publish.canonical import readable_json
from tasks.publish.store import Store
from tasks.registry import measure_consent, without_refused
from tasks.risk import Suppression, plan_suppression
from tasks.risk.balance import count_groups, measure_balance
from tasks.risk.coarsen import coarsen_candidate, held_rows
from tasks.risk.foresight import foresee_risk
from tasks.risk.published import freeze_levels, read_earlier, read_frozen_levels
from tasks.risk.words import measure_words, patients_with_refused_words, read_words, unread_words
from tasks.scan.strangers import read_people, sweep_reports
from tasks.schemas import FINDINGS, INSTANCES, RISK
from tasks.value_rules import read_rules, refused_objects

if TYPE_CHECKING:
    from expectations.gate import Judgement

OWN_REPORTS = "places in our own reports with a patient's values"


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


def compare_with_archive(session: Session, asked: Sequence[StudyRef], receipts: Sequence[Receipt]) -> list[Receipt]:
    """Pull a few studies a second time (I1, I2); what differs was damaged on its way, and is left for the next run as failed."""
    archive = open_archive(session.spec.archive, session.rules.secret, session.index_folder)
    share = session.rules.policy.gates.second_pull_share
    differing = pull_again(archive, asked, receipts, session.private, share, session.rules.secret, session.scratch)
    refs = {ref.study_key: ref for ref in asked}
    settled = []
    for receipt in receipts:
        if receipt.study_key in differing:
            receipt = failed_receipt(refs[receipt.study_key], receipt.work_id, Reason.PULL_FAILED, "second pull differs")
            private.put_receipt(session.private, receipt)
        settled.append(receipt)
    return settled


def assemble(session: Session, receipts: Sequence[Receipt]) -> tuple[Candidate | None, int]:
    """Gather the released objects of all receipts into a frozen candidate; return it with the number of patients held back.

    None when nothing is left to release.
    """
    canary_studies = canary_keys(session.rules.secret)
    everybody, findings = _tables_of(session, [r for r in receipts if r.study_key not in canary_studies])
    escaped, _ = _tables_of(session, [r for r in receipts if r.study_key in canary_studies])
    released = pa.array(sorted(r.study_key for r in receipts if r.status is Status.RELEASED), pa.string())
    table = pa.concat_tables([everybody, escaped])  # a canary that no gate holds goes along, and stops the publication
    of_released = pc.is_in(table["study_key"], value_set=released)
    table = table.filter(pc.and_(of_released, pc.equal(table["status"], Status.RELEASED.value)))
    table = without_refused(table, session.private, session.spec.cohort)
    if table.num_rows == 0:
        return None, 0
    ledger = sorted({*private.get_receipts_index(session.private), *(r.study_key for r in receipts)})
    found = cross_check(session.private, everybody, findings, ledger)
    held = frozenset(table["PatientID"].to_pylist()).intersection(frozenset().union(*found.held_back().values()))
    clean = held_rows(table, held)
    kept, plan = plan_candidate(session, clean) if clean.num_rows else (clean, None)
    if plan is None or kept.num_rows == 0:
        return None, len(held | plan.held_patient_ids) if plan else len(held)
    findings = findings.filter(pc.is_in(findings["sop_instance_uid"], value_set=kept["SOPInstanceUID"].combine_chunks()))
    candidate = freeze_candidate(session.private, session.spec.dataset, session.rules.policy, kept, findings)
    keep_plan(session, candidate, plan, everybody, kept, found, _outside(receipts))
    return candidate, len(held | plan.held_patient_ids)


def _tables_of(session: Session, receipts: Sequence[Receipt]) -> tuple[pa.Table, pa.Table]:
    """Return INSTANCES and FINDINGS of everything that was written for these receipts, whatever became of it."""
    store = session.private
    written = (private.get_table(store, private.instances_key(r.study_key), INSTANCES) for r in receipts)
    telling = [r for r in receipts if r.finding_count or r.status is Status.RELEASED]
    found = (private.get_table(store, private.findings_key(r.study_key), FINDINGS) for r in telling)
    return private.gather_tables(written, INSTANCES), private.gather_tables(found, FINDINGS)


def _outside(receipts: Sequence[Receipt]) -> int:
    return sum(n for r in receipts for _, reason, n in r.outcomes if reason == Reason.OUTSIDE_COHORT)


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


def keep_plan(
    session: Session, candidate: Candidate, plan: Suppression, cohort: pa.Table, kept: pa.Table, found: Crosscheck, outside: int
) -> None:
    """Write the plan beside its candidate: levels, who was held back by what, what that did to groups, and which words to read.

    `cohort`: INSTANCES of every study asked for, whatever became of it; `outside`: objects that came uncalled for.
    """
    gates = session.rules.policy.gates
    words = read_words(session.private, kept, gates)
    unread = unread_words(words, read_rules(session.private, session.rules.secret), gates)
    measures = pa.concat_tables(
        [
            plan.measures,
            measure_balance(cohort, kept, gates),
            measure_words(unread, gates),
            measure_crosscheck(found, kept, gates, outside),
            read_again(session.private, kept, gates, session.rules.secret, session.scratch),
            measure_consent(kept, session.private, session.spec.cohort),
        ]
    )
    held = {"K1": frozenset(plan.held_patient_ids), **found.held_back()}
    about = {
        "levels": dict(plan.levels),
        "held_patients": len(plan.held_patient_ids),
        "held_by_gate": {gate: len(patients) for gate, patients in sorted(held.items())},
        "shared_pixels": sorted(found.sharing),  # whom to tell the archive about
        "strangers": [asdict(s) for s in found.strangers],
        "groups": {facet: [asdict(g) for g in groups] for facet, groups in count_groups(cohort, kept).items()},
        "reached": plan.reached,
        "measures": measures.to_pylist(),
    }
    private.put_table(session.private, f"{candidate.prefix}words.parquet", unread)
    session.private.put(f"{candidate.prefix}plan.json", readable_json(about))


def judge_candidate(session: Session, candidate: Candidate, receipts: Sequence[Receipt]) -> tuple[Verdict, pa.Table]:
    """Run the great-expectations suites over the frozen tables; whatever cannot be judged is held. Keeps verdict and report."""
    from expectations.gate import judge, with_block, with_pass
    from tasks.report import write_report

    instances, findings = (read_table(session.private, candidate, name) for name in ("instances", "findings"))
    planned = read_plan(session.private, candidate.candidate_id)
    measures = pa.Table.from_pylist(planned["measures"], schema=RISK) if planned else None
    earlier = read_earlier(session.public)
    policy, store = session.rules.policy, session.private
    people = sorted({*private.get_receipts_index(store), *(r.study_key for r in receipts)})
    with tempfile.TemporaryDirectory(prefix="sallyport-docs-") as folder:
        docs = Path(folder)
        judgement = judge(instances, findings, receipts, policy, candidate.root, earlier, planned=measures, docs=docs)
        # PRIVACY: what we say about a candidate is searched before any of it is kept (T9, tests/flows/test_gate_stages.py).
        leaks = sweep_reports(reports_of(judgement, docs), read_people(store, people))
        if leaks:
            judgement = with_block(judgement, "T9", OWN_REPORTS, len(leaks), policy)
            shutil.rmtree(docs)
            docs.mkdir()
        else:
            judgement = with_pass(judgement, "T9", OWN_REPORTS, len(people), policy)
        keep_docs(store, candidate.candidate_id, docs)
    _keep(session, candidate, judgement)
    page = write_report(
        store, candidate.candidate_id, receipts, policy, read_rules(store, session.rules.secret), sweep=partial(_sweep, store, people)
    )
    if page is None:
        judgement = with_block(judgement, "T9", OWN_REPORTS, 1, policy)
        _keep(session, candidate, judgement)
    return judgement.verdict, judgement.verdicts


def reports_of(judgement: Judgement, docs: Path) -> dict[str, bytes]:
    """Return everything that says something about a candidate: Data Docs, suite records, verdicts and measures, by value-free names.

    Our own counts are left out: among a million objects one of them is bound to be somebody's record number.
    """
    records = {
        "suites": [r.as_dict() for r in judgement.records],
        "verdicts": [*judgement.verdicts.to_pylist(), *judgement.verdict.reasons],
        "measures": judgement.risk.to_pylist(),
    }
    said = {name: list(_leaves(record)) for name, record in records.items()}
    counts = {str(leaf).encode() for leaves in said.values() for leaf in leaves if isinstance(leaf, int)}
    texts = {name: "\n".join(leaf for leaf in leaves if isinstance(leaf, str)).encode() for name, leaves in said.items()}
    for number, page in enumerate(sorted(p for p in docs.rglob("*") if p.suffix == ".html")):
        texts[f"page {number} of the Data Docs"] = _LONG_NUMBER.sub(lambda m: b"#" if m[0] in counts else m[0], page.read_bytes())
    return texts


_LONG_NUMBER = re.compile(rb"\b\d{7,}\b")


def _leaves(record: Any) -> Iterator[Any]:
    if isinstance(record, Mapping):
        yield from (leaf for key, value in record.items() for leaf in (key, *_leaves(value)))
    elif isinstance(record, list | tuple):
        yield from (leaf for value in record for leaf in _leaves(value))
    else:
        yield record


def _sweep(store: Store, people: Sequence[str], texts: Mapping[str, bytes]) -> bool:
    return bool(sweep_reports(texts, read_people(store, people)))


def _keep(session: Session, candidate: Candidate, judgement: Judgement) -> None:
    suites = [record.as_dict() for record in judgement.records]
    keep_judgement(session.private, candidate.candidate_id, judgement.verdict, judgement.verdicts, judgement.risk, suites, this_operator())


def keep_levels(session: Session, candidate: Candidate) -> None:
    """Freeze the published candidate's levels for every later release of this dataset."""
    planned = read_plan(session.private, candidate.candidate_id)
    if planned:
        freeze_levels(session.private, planned["levels"], session.rules.policy.gates)
