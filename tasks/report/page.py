"""The page: HTML around the facts. Every value of the data passes through `tasks/report/text.py`."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import groupby

from tasks.candidates import JudgedCandidate
from tasks.report.facts import Bars, Facts, GateSummary, GroupCount, ValueCount
from tasks.report.plots import bars
from tasks.report.regulators import Answer
from tasks.report.text import attribute, html
from tasks.report.thumbnails import Thumbnail

SHOWN_VALUES = 300
_OF_NUMBERS = frozenset(("value", "units", "patients asked for", "in the candidate", "share"))


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on one report."""

    candidate: JudgedCandidate
    facts: Facts
    answers: Sequence[Answer]
    thumbnails: Sequence[Thumbnail] = ()
    silhouettes: Sequence[Thumbnail] = ()
    smallest_crowd: int = 11


def render_page(page: Page) -> str:
    """Return the self-contained page; its only script and style are named by digest in its own content security policy."""
    style, script = _part("report.css"), _part("report.js")
    csp = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    c = page.candidate
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{csp}">',
            '<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Candidate {html(c.candidate_id)} of {html(c.dataset)}</title><style>{style}</style></head>",
            f'<body data-root="{attribute(c.verdict.candidate_root)}" data-candidate="{attribute(c.candidate_id)}">',
            *_sections(page),
            f"<script>{script}</script></body></html>",
        ]
    )


def _sections(page: Page) -> Iterator[str]:
    facts = page.facts
    yield from _head(page.candidate)
    holding = [g for g in facts.gates if g.verdict not in ("pass", "info")]
    yield '<section id="holds"><h2>1. What holds it</h2>'
    yield _gate_table(holding) if holding else "<p>No gate holds this candidate and none asks.</p>"
    yield '</section><section id="content"><h2>2. What is in it</h2>'
    yield _figures(("Patients by modality", facts.modalities), ("Patients by age", facts.ages), ("Patients by sex", facts.people))
    yield '</section><section id="risk"><h2>3. Crowds</h2><p>People who share all their quasi-identifiers form a crowd.'
    yield f" The policy wants {page.smallest_crowd} patients or more in each.</p>{_figures(('Crowds by size', facts.crowds))}</section>"
    yield '<section id="values"><h2>4. Values to read</h2>'
    yield from _values(facts.values)
    yield '</section><section id="pixels"><h2>5. Pixels that were changed</h2>'
    yield from _pictures(page.thumbnails)
    if page.silhouettes:
        yield "<h3>Heads from the side</h3><p>A nose, lips or a chin that can be told from one another are a face.</p>"
        yield _gallery(page.silhouettes)
    yield '</section><section id="held"><h2>6. What was left behind, and what was found</h2>'
    yield _figures(("Objects by outcome", facts.outcomes), ("Findings by rule", facts.findings), ("Patients held back by gate", facts.held))
    yield _groups(facts.groups)
    yield '</section><section id="gates"><h2>7. Every gate</h2><details><summary>All measures</summary>'
    yield f'{_gate_table(facts.gates)}</details></section><section id="regulators"><h2>8. Regulators’ questions</h2>'
    for framework, answers in groupby(page.answers, key=lambda a: a.framework):
        rows = [_cell(a.item) + _cell(", ".join(a.gates)) + _verdict_cell(a.verdict) for a in answers]
        yield f"<h3>{html(framework)}</h3>" + _table(("question", "gates", "today"), rows)
    yield "</section>"


def _head(c: JudgedCandidate) -> Iterator[str]:
    asks = bool(c.verdict.reasons) and all(r.endswith("(ask)") for r in c.verdict.reasons)
    state = "The gates let it pass" if c.verdict.approved else "The gates ask a person" if asks else "Held"
    kind = "pass" if c.verdict.approved else "ask" if asks else "block"
    counts = ", ".join(f"{n:,} {html(unit)}" for unit, n in c.counts.items() if unit in ("patients", "studies", "series", "instances"))
    root, name = c.verdict.candidate_root, html(c.candidate_id)
    yield f'<header class="{kind}"><h1>{html(c.dataset)}: candidate {name}</h1><p class="state">{state}</p>'
    yield f"<p>{counts}; policy {html(c.policy_name)}; judged {html(c.judged_at[:16].replace('T', ' '))} UTC</p>"
    yield f'<p>Digest <code id="digest"><b>{html(root[:12])}</b>{html(root[12:])}</code></p>'
    yield "<p>Private: this page shows values of de-identified objects that were not released. To decide, type the first 12 digits back: "
    yield f"<code>sallyport approve SPEC {name}</code> or <code>sallyport refuse SPEC {name}</code>.</p></header>"


def _gate_table(gates: Sequence[GateSummary]) -> str:
    rows = [
        _cell(g.gate)
        + _cell(g.measure)
        + _number(None if g.value is None else f"{g.value:g}")
        + _cell(g.threshold)
        + _verdict_cell(g.verdict)
        + _number(f"{g.units:,}")
        for g in gates
    ]
    return _table(("gate", "measure", "value", "threshold", "verdict", "units"), rows)


def _values(values: Sequence[ValueCount]) -> Iterator[str]:
    undecided = [v for v in values if v.decided is None]
    yield f"<p>{len(undecided):,} values were not decided yet, {len(values) - len(undecided):,} were. Rarest first. "
    yield "Accept what any patient could have; refuse what only one could. What you do not touch stays undecided.</p>"
    yield '<p class="tools"><label>Find <input id="find" type="search" autocomplete="off"></label> '
    yield '<button id="accept-shown" type="button">Accept all shown</button> <button id="save" type="button">Save decisions</button> '
    yield '<output id="tally">0 decided</output></p>'
    for column, group in groupby(undecided, key=lambda v: v.column):
        of_column = list(group)
        rows = [_value_row(v, i) for i, v in enumerate(of_column[:SHOWN_VALUES])]
        yield f"<details open><summary>{html(column)}: {len(of_column):,} values</summary>"
        yield '<table class="values"><thead><tr><th>value<th class="n">patients<th class="n">objects<th>decision</tr></thead><tbody>'
        yield "".join(rows) + "</tbody></table>"
        if len(of_column) > SHOWN_VALUES:
            yield f"<p>{len(of_column) - SHOWN_VALUES:,} more, each of as many patients or more, are in values.csv.</p>"
        yield "</details>"


def _value_row(v: ValueCount, number: int) -> str:
    name = f"{attribute(v.column)}-{number}"
    choices = "".join(f'<label><input type="radio" name="{name}" value="{c}"> {c}</label>' for c in ("accept", "refuse"))
    row = f'<tr data-column="{attribute(v.column)}" data-value="{attribute(v.value)}"><td><code>{html(v.value)}</code></td>'
    return row + _number(f"{v.patients:,}") + _number(f"{v.objects:,}") + f"<td>{choices}</td></tr>"


def _pictures(thumbnails: Sequence[Thumbnail]) -> Iterator[str]:
    if not thumbnails:
        yield "<p>No picture of this candidate was blanked or defaced, or none could be shown.</p>"
        return
    yield "<p>As they would be released. Look for text that is left, and for a face.</p>"
    yield _gallery(thumbnails)


def _gallery(thumbnails: Sequence[Thumbnail]) -> str:
    figures = [
        f'<figure><img alt="{html(t.caption)}" src="data:image/png;base64,{t.png_base64}">'
        f"<figcaption>{html(t.caption)}</figcaption></figure>"
        for t in thumbnails
    ]
    return f'<div class="pictures">{"".join(figures)}</div>'


def _groups(groups: Sequence[GroupCount]) -> str:
    """Return who was there before the gates and who is left, group by group."""
    if not groups:
        return ""
    rows = [
        _cell(g.group) + _number(f"{g.patients:,}") + _number(f"{g.stayed:,}") + _number(f"{100 * g.stayed / g.patients:.0f} %")
        for g in groups
    ]
    return "<h3>Whom the gates removed</h3>" + _table(("group", "patients asked for", "in the candidate", "share"), rows)


def _figures(*plots: tuple[str, Bars]) -> str:
    drawn = "".join(f"<figure><figcaption>{html(title)}</figcaption>{bars(title, rows)}</figure>" for title, rows in plots)
    return f'<div class="plots">{drawn}</div>'


def _table(headers: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f'<th class="n">{html(h)}' if h in _OF_NUMBERS else f"<th>{html(h)}" for h in headers)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(f'<tr>{row}</tr>' for row in rows)}</tbody></table>"


def _cell(value: object) -> str:
    return f"<td>{html(value)}</td>"


def _number(value: str | None) -> str:
    return f'<td class="n">{html(value)}</td>'


def _verdict_cell(verdict: str) -> str:
    return f'<td class="v {html(verdict.split(maxsplit=1)[0])}">{html(verdict)}</td>'


def _part(name: str) -> str:
    return (resources.files("tasks.report") / name).read_text("utf-8").strip()


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
