"""`validation.json` and `validation.html`: the gates' results and the distributions of a release, in counts and bounds only.

No values of single patients, no thumbnails, no scripts: a strict Content-Security-Policy, inline SVG.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from tasks.policy.gates import GatePolicy
from tasks.publish.canonical import readable_json
from tasks.publish.documents import ReleaseDescription
from tasks.publish.manifest_files import from_sql
from tasks.risk.cells import protect_cells

WITHHELD = "withheld"
"""What stands for a count of too few patients, or for one that would give such a count away."""

_DISTRIBUTIONS = (
    ("Series by modality", "series", "coalesce(Modality, 'none')"),
    ("Series by body part", "series", "coalesce(BodyPartExamined, 'none')"),
    ("Patients by age band", "patient", "coalesce(age_band, 'none')"),
    ("Patients by sex", "patient", "coalesce(PatientSex, 'none')"),
    ("Patients by suggested split", "patient", "split"),
    ("Series defaced", "series", "CASE WHEN defacing_applied THEN 'yes' ELSE 'no' END"),
    ("Series with text blanked", "series", "CASE WHEN pixel_masking_applied THEN 'yes' ELSE 'no' END"),
)
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d0d7de}"
    "h1,h2{line-height:1.2}.pass{color:#116329}.other{color:#9a3412}code{overflow-wrap:anywhere}svg text{font:13px system-ui,sans-serif}"
)


def write(folder: Path, about: ReleaseDescription) -> None:
    """Write both files; the folder holds `manifests/`."""
    distributions = _distributions(folder / "manifests", GatePolicy(**about.policy.get("gates", {})).report_cell_at_least)
    facts: dict[str, Any] = {
        "dataset": about.dataset,
        "release_id": about.release_id,
        "released_on": about.on.isoformat(),
        "root": about.root,
        "counts": dict(about.counts),
        "changes": dict(about.changes),
        "policy": {"name": about.policy_name, "sha256": about.policy_sha256},
        "deid_option_codes": list(about.option_codes),
        "gates": about.gates,
        "distributions": distributions,
    }
    (folder / "validation.json").write_bytes(readable_json(facts))
    (folder / "validation.html").write_text(_page(about, distributions), "utf-8")


def _distributions(manifests: Path, least: int) -> dict[str, dict[str, int | str]]:
    import duckdb

    result: dict[str, dict[str, int | str]] = {}
    with duckdb.connect() as sql:
        sql.execute("SET threads=1; SET enable_progress_bar=false")
        for title, grain, expression in _DISTRIBUTIONS:
            people = "count(DISTINCT patient_id)" if grain != "patient" else "count(*)"
            query = (
                f"SELECT {expression} AS k, count(*) AS n, {people} AS p FROM {from_sql(manifests, grain)} GROUP BY 1 ORDER BY n DESC, k"
            )
            rows = sql.execute(query).fetchall()
            # PRIVACY: no count of too few people is shown, and none can be had by subtraction (K10): tests/publish/test_documents.py.
            shown = protect_cells({str(k): p for k, _, p in rows}, least)
            result[title] = {str(k): WITHHELD if shown[str(k)] is None else n for k, n, _ in rows[:20]}
    return result


def _page(about: ReleaseDescription, distributions: dict[str, dict[str, int | str]]) -> str:
    gates = "".join(
        f"<tr><td>{escape(g['gate'])}</td><td>{escape(g['unit'])}</td><td>{escape(g['measure'])}</td><td>{escape(g['threshold'])}</td>"
        f"<td class={'pass' if g['verdict'] == 'pass' else 'other'}>{escape(g['verdict'])}</td><td>{g['units']}</td></tr>"
        for g in about.gates
    )
    counts = "".join(f"<tr><th>{escape(name)}</th><td>{value}</td></tr>" for name, value in sorted(about.counts.items()))
    plots = "".join(f"<h2>{escape(title)}</h2>{_bars(title, rows)}" for title, rows in distributions.items())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<title>{escape(about.dataset)} {escape(about.release_id)}: validation</title><style>{_STYLE}</style></head><body>
<h1>{escape(about.publication.title or about.dataset)} {escape(about.release_id)}</h1>
<p>Released {about.on.isoformat()} under policy {escape(about.policy_name)}. Root digest <code>{escape(about.root)}</code>.</p>
<table>{counts}</table>
<h2>Gates</h2>
<table><thead><tr><th>gate</th><th>unit</th><th>measured</th><th>threshold</th><th>outcome</th><th>units</th></tr></thead><tbody>{gates}</tbody></table>
{plots}</body></html>
"""


def _bars(title: str, rows: dict[str, int | str]) -> str:
    largest = max((n for n in rows.values() if isinstance(n, int)), default=1) or 1
    parts = []
    for index, (name, count) in enumerate(rows.items()):
        width = 400 * count / largest if isinstance(count, int) else 2
        y = index * 22
        parts.append(
            f'<text x="0" y="{y + 15}">{escape(name[:28])}</text><rect x="200" y="{y + 3}" width="{width:.1f}" height="15" fill="#0969da"/>'
            f'<text x="{206 + width:.1f}" y="{y + 15}">{escape(str(count))}</text>'
        )
    return f'<svg role="img" aria-label="{escape(title)}" width="100%" viewBox="0 0 700 {max(22 * len(rows), 22)}">{"".join(parts)}</svg>'
