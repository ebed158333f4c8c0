"""`sallyport deidentify SRC DEST`: the pipeline's own per-study code on a file or folder, without orchestration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.screen import print_counts, print_hints, print_json, progress


def deidentify(
    src: Annotated[Path, typer.Argument(help="A file, or a folder read recursively", show_default=False)],
    dest: Annotated[Path, typer.Argument(help="New folder for the released objects", show_default=False)],
    policy: Annotated[str, typer.Option(help="shifted-dates, strict, or a policy file")] = "shifted-dates",
    secret_file: Annotated[Path | None, typer.Option(help="The dataset's secret; a new random one (not kept) without it")] = None,
    crosswalk: Annotated[Path | None, typer.Option(help="Private: one row per input object (Parquet)")] = None,
    findings: Annotated[Path | None, typer.Option(help="What looked like PHI, without values (Parquet)")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes")] = 1,
    no_deface: Annotated[bool, typer.Option("--no-deface", help="Quarantine what may show a face instead of defacing it")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print counts as JSON")] = False,
) -> None:
    """De-identify a file or folder. Only what was proven clean is in DEST: `<PatientID>/<Study>/<Series>/<SOP>.dcm`.

    Exit codes: 0 all inputs accounted for, 1 something failed, 2 wrong usage.
    """
    from flows.batch import Batch, run_batch

    batch = Batch(src, dest, policy, secret_file, workers, deface=not no_deface)
    with progress({"find": "studies found", "process": "studies processed"}, quiet=as_json) as observe:
        counts = run_batch(batch, crosswalk, findings, observe)
    if as_json:
        print_json({"objects": [{"status": s, "reason": r, "n": n} for s, r, n in counts]})
    else:
        print_counts("Objects", [(s, r, str(n)) for s, r, n in counts], ("status", "reason", "objects"))
    print_hints({reason for _, reason, _ in counts})
    sys.exit(1 if any(status == "failed" for status, _, _ in counts) else 0)
