"""`sallyport inspect FILE`: what would happen to every element and pixel region of one file, and by which rule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.screen import print_json
from tasks.errors import UsageError

if TYPE_CHECKING:
    from tasks.deidentify.explain import Explained

_MASK = "•••"


def inspect(
    file: Annotated[Path, typer.Argument(help="A DICOM file", show_default=False)],
    policy: Annotated[str, typer.Option(help="shifted-dates, strict, or a policy file")] = "shifted-dates",
    secret_file: Annotated[Path | None, typer.Option(help="The dataset's secret; a new random one (not kept) without it")] = None,
    show_values: Annotated[bool, typer.Option("--show-values", help="Show the source's values: they identify the patient")] = False,
    pixels: Annotated[bool, typer.Option(help="Look for burned-in text as well (slower)")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print rows as JSON")] = False,
) -> None:
    """Show element, rule, action, clause, before (masked) and after. Nothing is written.

    Exit codes: 0 shown, 2 no such file or not a DICOM object (the reason is named).
    """
    rows, regions, reason = _explained(file, policy, secret_file, look_at_pixels=pixels)

    def before(row: Explained) -> str:
        return row.before if show_values else _MASK if row.before else ""

    if as_json:
        table = [
            {
                "place": r.place,
                "keyword": r.keyword,
                "vr": r.vr,
                "action": r.action,
                "clause": r.clause,
                "before": before(r),
                "after": r.after,
            }
            for r in rows
        ]
        print_json({"elements": table, "pixel_regions": [{"place": p, "kind": k} for p, k in regions], "reason": reason})
        return
    _print(rows, regions, reason, show_values=show_values)


def _explained(
    file: Path, policy_name: str, secret_file: Path | None, *, look_at_pixels: bool
) -> tuple[list[Explained], list[tuple[str, str]], str | None]:
    """Return the rows, the pixel regions that would be blanked (place, kind), and the reason that would hold the object back."""
    import os

    from tasks import deidentify
    from tasks.deidentify.explain import explain_object
    from tasks.elements import Unreadable
    from tasks.intake import examine_files
    from tasks.model import Instance, PulledFile
    from tasks.policy import load_policy
    from tasks.secret import Secret, read_secret

    if not file.is_file():
        raise UsageError("inspect", "no such file", "name a DICOM file")
    policy = load_policy(policy_name)
    secret = read_secret(secret_file) if secret_file else Secret(os.urandom(32))
    intake = examine_files([PulledFile(file, str(file), file.stat().st_size)], policy.headers.max_nesting)
    if not intake.series:
        raise UsageError("inspect", f"refused: {intake.refused[0].reason.value}", "nothing of this file would be released")
    context = deidentify.study_context(intake, policy.headers, secret, "inspect")
    source = intake.series[0].files[0]
    try:
        rows = list(explain_object(source, context))
    except Unreadable as unreadable:
        raise UsageError("inspect", f"refused: {unreadable.reason.value}", "nothing of this file would be released") from None
    done = deidentify.deidentify_object(source, context)
    if not isinstance(done, Instance):
        return rows, [], done.value
    if not look_at_pixels:
        return rows, [], None
    from tasks import pixels

    (outcome,) = pixels.clean_text([done], policy.pixels, context.own_values)
    return rows, [(f.place, f.kind) for f in outcome.findings], outcome.reason.value if outcome.reason else None


def _print(rows: list[Explained], regions: list[tuple[str, str]], reason: str | None, *, show_values: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("element", "keyword", "VR", "action", "by", "before", "after", box=None, header_style="bold", pad_edge=False)
    for row in rows:
        gone = row.after is None
        before = row.before if show_values else _MASK if row.before else ""
        after = "removed" if gone else row.after or "empty"
        table.add_row(row.place, row.keyword, row.vr, row.action, row.clause, before, after, style="dim" if gone else "")
    for place, kind in regions:
        table.add_row(place, "PixelData", "", "blank", "PS3.15 E.3.1", kind, "blanked")
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)
    console.print(
        f"{len(rows)} elements, {sum(r.after is None for r in rows)} removed; "
        + (f"held back: {reason}" if reason else "releasable by its header and pixels")
    )
