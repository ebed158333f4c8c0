"""`sallyport doctor SPEC`: does everything work that a run needs?"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.screen import print_json

_MARKS = {"ok": "[green]ok[/]", "warning": "[yellow]look[/]", "failure": "[red]FAIL[/]"}


def doctor(
    spec: Annotated[Path, typer.Argument(help="The dataset's spec (YAML)", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON")] = False,
) -> None:
    """Check everything that a run needs, and say what to do: archive, stores, keys, engines, disk, clock, versions, TLS.

    Nothing is pulled and nothing is published. Exit codes: 0 a run would work, 1 it would not, 2 invalid spec.
    """
    from flows.settings import prepare_prefect

    prepare_prefect()
    from flows.checkup import examine
    from tasks.spec import read_spec

    read = read_spec(spec)
    found = []
    if not as_json:
        from rich.console import Console
        from rich.markup import escape

        console = Console(highlight=False)
    for finding in examine(read):
        found.append(finding)
        if not as_json:
            console.print(f"{_MARKS[finding.level]:<22} {finding.check:<21} {escape(finding.message)}", soft_wrap=True)
            if finding.remedy:
                console.print(f"{'':<26}  -> {escape(finding.remedy)}", soft_wrap=True)
    if as_json:
        print_json([asdict(finding) for finding in found])
    sys.exit(1 if any(f.level == "failure" for f in found) else 0)
