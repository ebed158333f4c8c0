"""`sallyport audit SRC`: a leftover-PHI report over any DICOM folder or bucket, ours or not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands.screen import print_json, progress

if TYPE_CHECKING:
    from tasks.audit import AuditReport

_HELD = 3


class ReadPixels(StrEnum):
    """In which objects text is looked for."""

    NONE = "none"
    SAMPLE = "sample"
    ALL = "all"


def audit(
    src: Annotated[str, typer.Argument(help="A file, a folder read recursively, or a bucket (s3://…)", show_default=False)],
    policy: Annotated[str, typer.Option(help="Whose thresholds: shifted-dates, strict, or a policy file")] = "shifted-dates",
    pixels: Annotated[
        ReadPixels, typer.Option(help="Look for text in no object, one per series and all of text-prone kinds, or all")
    ] = ReadPixels.SAMPLE,
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML page")] = None,
    findings: Annotated[Path | None, typer.Option(help="Write every finding, without values (Parquet)")] = None,
    anonymous: Annotated[bool, typer.Option("--no-sign", help="Read a public bucket without credentials")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON")] = False,
) -> None:
    """Ask every gate that needs no source identity about any DICOM objects. Nothing is changed, and no value is shown.

    Exit codes: 0 every gate passed or only informs, 1 nothing to audit, 2 wrong usage, 3 a gate would hold these objects.
    """
    from tasks.audit import survey
    from tasks.policy import load_policy

    rules = load_policy(policy)
    with (
        progress({"fetch": "fetched", "objects": "objects", "pixels": "pixels read"}, quiet=as_json) as observe,
        _files(src, anonymous, observe) as files,
    ):
        report = survey(files, rules, pixels.value, observe)
    if html is not None:
        from tasks.audit.page import render

        html.write_text(render(report), "utf-8")
    if findings is not None:
        _write_findings(report, findings)
    if as_json:
        print_json(_as_dict(report))
    else:
        _print(report)
    sys.exit(1 if not report.objects else _HELD if report.verdict in ("block", "ask") else 0)


@contextmanager
def _files(src: str, anonymous: bool, observe: Any) -> Iterator[list[Path]]:
    """Yield the files of a folder, or of a bucket copied to a folder that dies with the command."""
    if not src.startswith(("s3://", "file://")):
        from tasks.errors import UsageError

        root = Path(src)
        if not root.exists():
            raise UsageError("SRC", "no such file or folder", "check the path")
        yield [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink())
        return
    import shutil
    import tempfile

    from tasks.publish.store import open_store

    store = open_store(src, anonymous=anonymous)
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        keys = list(store.keys())
        paths = []
        for number, key in enumerate(keys):
            local = store.local_path(key)
            if local is None:
                local = Path(folder, f"{number:09d}")
                with store.open(key) as source, local.open("wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
            paths.append(local)
            observe("fetch", number + 1, len(keys))
        yield paths


def _write_findings(report: AuditReport, path: Path) -> None:
    from dataclasses import asdict

    import pyarrow as pa
    import pyarrow.parquet as pq

    from tasks.schemas import FINDINGS

    pq.write_table(pa.Table.from_pylist([asdict(f) for f in report.findings], schema=FINDINGS), path, compression="zstd")


def _as_dict(report: AuditReport) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "verdict": report.verdict,
        "files": report.files,
        "objects": report.objects,
        "patients": report.patients,
        "gates": [asdict(g) for g in report.gates],
        "findings": [dict(zip(("rule", "kind", "place", "objects", "score"), row, strict=True)) for row in report.commonest(1000)],
        "measures": list(report.measures),
    }


def _print(report: AuditReport) -> None:
    from rich.console import Console
    from rich.table import Table

    colours = {"pass": "green", "ask": "yellow", "block": "bold red"}
    gates = Table(title=f"Audit of {report.objects} DICOM objects in {report.files} files", title_justify="left", header_style="bold")
    for header in ("gate", "question"):
        gates.add_column(header)
    for header in ("looked at", "objects", "findings"):
        gates.add_column(header, justify="right")
    gates.add_column("verdict")
    for g in report.gates:
        question = g.question + (f"\n[dim]{g.detail}[/]" if g.detail else "")
        verdict = f"[{colours.get(g.verdict, 'dim')}]{g.verdict}[/]"
        gates.add_row(g.gate, question, str(g.looked_at), str(g.objects), str(g.findings), verdict)
    console = Console()
    console.print(gates)
    common = report.commonest(15)
    if common:
        table = Table(title="Gravest findings", title_justify="left", header_style="bold")
        for header in ("rule", "kind", "place"):
            table.add_column(header)
        table.add_column("objects", justify="right")
        table.add_column("score", justify="right")
        for rule, kind, place, n, score in common:
            table.add_row(rule, kind, place, str(n), f"{score:.2f}")
        console.print(table)
