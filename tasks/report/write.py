"""Writes a candidate's report and its list of values to the private side. Counting and layout do not belong here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tasks.candidates import read_candidate_table, read_judged, read_plan
from tasks.model import Receipt
from tasks.policy import Policy
from tasks.publish.store import Store
from tasks.report.facts import gather_facts
from tasks.report.page import Page, render_page
from tasks.report.regulators import answer_regulators
from tasks.report.silhouettes import make_silhouettes
from tasks.report.text import csv_table
from tasks.report.thumbnails import make_thumbnails
from tasks.value_rules import ValueRules


def write_report(
    private: Store,
    candidate_id: str,
    receipts: Sequence[Receipt],
    policy: Policy,
    rules: ValueRules | None = None,
    sweep: Callable[[Mapping[str, bytes]], bool] = lambda _texts: False,
) -> str | None:
    """Write `candidates/<id>/report.html` and `values.csv`; return the report's key. The candidate must have been judged.

    `sweep` says whether these texts hold somebody's identifier; then nothing is written, and None is returned (T9).
    """
    page = render_report(private, candidate_id, receipts, policy, rules)
    key = f"candidates/{candidate_id}/report.html"
    values = [(v.column, v.value, v.patients, v.objects, v.decided or "") for v in page.facts.values]
    table, html = csv_table(("column", "value", "patients", "objects", "decided"), values), render_page(page).encode()
    if sweep({"report": html, "values": "\n".join(v.value for v in page.facts.values).encode()}):
        return None
    private.put(f"candidates/{candidate_id}/values.csv", table)
    private.put(key, html)
    return key


def render_report(private: Store, candidate_id: str, receipts: Sequence[Receipt], policy: Policy, rules: ValueRules | None = None) -> Page:
    """Gather everything that the report of one judged candidate shows."""
    tables = {name: read_candidate_table(private, candidate_id, name) for name in ("instances", "findings", "verdicts", "risk", "words")}
    return Page(
        candidate=read_judged(private, candidate_id),
        facts=gather_facts(tables, receipts, policy, rules, read_plan(private, candidate_id)),
        answers=answer_regulators(tables["verdicts"], policy.gates.k),
        thumbnails=make_thumbnails(private, tables["instances"]),
        silhouettes=make_silhouettes(private, tables["instances"]),
        smallest_crowd=policy.gates.k,
    )
