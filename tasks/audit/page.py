"""The audit as one self-contained HTML page: counts, places and rules, escaped; no script, nothing fetched, no value.

What the numbers mean is decided in `survey`.
"""

from __future__ import annotations

from html import escape

from tasks.audit.report import AuditReport

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1f24}
h1{font-size:1.5rem;margin:0}p.sub{color:#57606a;margin:.2rem 0 1.5rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}
th,td{text-align:left;padding:.4rem .7rem;border-bottom:1px solid #d8dee4;vertical-align:top}
th{font-size:.8rem;text-transform:uppercase;letter-spacing:.04em;color:#57606a}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.v{font-weight:600;border-radius:.3rem;padding:.05rem .45rem;white-space:nowrap}
.pass{background:#dafbe1;color:#116329}.ask{background:#fff8c5;color:#7d4e00}.block{background:#ffebe9;color:#a40e26}
.info,.not-run,.nothing-audited{background:#eaeef2;color:#424a53}
"""


def render(report: AuditReport, title: str = "Audit") -> str:
    """Return the page."""
    gates = "".join(
        f"<tr><td>{escape(g.gate)}</td><td>{escape(g.question)}<br><small>{escape(g.detail)}</small></td>{_n(g.looked_at)}{_n(g.objects)}"
        f"{_n(g.findings)}<td>{_verdict(g.verdict)}</td></tr>"
        for g in report.gates
    )
    findings = "".join(
        f"<tr><td>{escape(rule)}</td><td>{escape(kind)}</td><td>{escape(place)}</td>{_n(n)}<td class=n>{score:.2f}</td></tr>"
        for rule, kind, place, n, score in report.commonest(200)
    )
    measures = "".join(
        f"<tr><td>{escape(m['gate'])}</td><td>{escape(m['measure'])}</td><td class=n>{_value(m['value'])}</td>"
        f"<td class=n>{_value(m['at_least'])}</td><td class=n>{_value(m['at_most'])}</td></tr>"
        for m in report.measures
    )
    sub = f"{report.objects} DICOM objects in {report.files} files, {report.patients} patients. Rules and places only: no value of anybody."
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>{_STYLE}</style></head><body><h1>{escape(title)} {_verdict(report.verdict)}</h1><p class="sub">{sub}</p>
{_table("Gates", ("Gate", "Question", "#Looked at", "#Objects", "#Findings", "Verdict"), gates)}
{_table("Findings", ("Rule", "Kind", "Place", "#Objects", "#Score"), findings)}
{_table("Crowds", ("Gate", "Measure", "#Value", "#At least", "#At most"), measures)}
</body></html>
"""


def _table(title: str, headers: tuple[str, ...], rows: str) -> str:
    """Return a table with its heading; headers that begin with # stand over numbers."""
    head = "".join(f"<th class=n>{h[1:]}</th>" if h.startswith("#") else f"<th>{h}</th>" for h in headers)
    return f"<h2>{title}</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _n(number: int) -> str:
    return f"<td class=n>{number}</td>"


def _verdict(verdict: str) -> str:
    return f'<span class="v {verdict.replace(" ", "-")}">{escape(verdict)}</span>'


def _value(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
