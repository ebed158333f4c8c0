"""`sallyport prove`: plant known defects and report what each gate catches, with the bound that the number proves."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands.screen import print_json, progress

if TYPE_CHECKING:
    from tasks.prove.trials import Proof

_MISSED = 4


def prove(
    n: Annotated[int, typer.Option("--n", min=1, help="Defects of each kind; 299 without a miss prove 99 %")] = 300,
    policy: Annotated[str, typer.Option(help="shifted-dates, strict, or a policy file")] = "shifted-dates",
    pixels: Annotated[
        int | None,
        typer.Option(min=0, help="Texts to burn in and read again, a quarter of a CPU second each; by default n", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the proofs as JSON")] = False,
) -> None:
    """Plant known defects in copies of clean made objects, run the unchanged gates, and report recall with its lower bound.

    Nothing of an archive is read. Exit codes: 0 no gate missed its target, 2 wrong usage, 4 a gate missed its target or
    clean objects raised too many alarms.
    """
    from tasks.policy import load_policy
    from tasks.prove.run import prove as run

    with progress({"prove": "kinds of defects"}, quiet=as_json) as observe:
        proofs = list(run(load_policy(policy), n, observe, n if pixels is None else pixels))
    if as_json:
        print_json({"policy": policy, "proofs": [_as_dict(p) for p in proofs]})
    else:
        _print_table(proofs)
    sys.exit(_MISSED if any(p.outcome == "missed" for p in proofs) else 0)


def _as_dict(proof: Proof) -> dict[str, Any]:
    common = {"gate": proof.gate, "kind": proof.kind, "n": proof.planted, "target": proof.target, "outcome": proof.outcome}
    if proof.is_control:
        per_1000 = {"alarms_per_1000": proof.alarms_per_1000, "alarms_per_1000_high": proof.alarms_per_1000_high}
        return {**common, "alarms": proof.caught, **per_1000}
    return {**common, "caught": proof.caught, "recall": proof.recall, "ci_low": proof.ci_low}


def _print_table(proofs: list[Proof]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Seeded defects", title_justify="left", header_style="bold")
    for header, justify in (("gate", "left"), ("defect", "left"), ("n", "right"), ("caught", "right"), ("lower bound", "right")):
        table.add_column(header, justify=justify)  # type: ignore[arg-type]  # literals
    table.add_column("target", justify="right")
    table.add_column("", justify="left")
    colours = {"met": "green", "too few": "yellow", "measured": "cyan", "missed": "bold red"}
    for proof in proofs:
        bound = f"<= {proof.alarms_per_1000_high:.1f} / 1,000" if proof.is_control else f"{100 * proof.ci_low:.1f} %"
        target = f"<= {proof.target:g} / 1,000" if proof.is_control else f"{100 * proof.target:g} %" if proof.target else "none promised"
        outcome = f"[{colours[proof.outcome]}]{proof.outcome}[/]"
        table.add_row(proof.gate, proof.kind, str(proof.planted), str(proof.caught), bound, target, outcome)
    Console().print(table)
