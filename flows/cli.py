"""The command line: one table of commands. Heavy imports stay inside the commands, so that `--help` is quick."""

from __future__ import annotations

import json
import sys

import typer

from flows.commands.audit import audit
from flows.commands.candidates import approve, candidates, refuse
from flows.commands.deidentify import deidentify
from flows.commands.demo import demo
from flows.commands.doctor import doctor
from flows.commands.inspect import inspect
from flows.commands.keys import keys
from flows.commands.prove import prove
from flows.commands.release import release
from flows.commands.serve import serve
from flows.commands.verify import get, verify
from flows.commands.withdraw import audit_log, disclose, patient_report, retire, withdraw
from flows.machine import TerminatedError
from tasks.errors import ReleaseError

app = typer.Typer(
    name="sallyport",
    help="Lets imaging studies out of a hospital archive and keeps the patients inside.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

COMMANDS = (
    demo,
    deidentify,
    inspect,
    release,
    audit,
    prove,
    candidates,
    approve,
    refuse,
    serve,
    verify,
    get,
    withdraw,
    retire,
    patient_report,
    audit_log,
    disclose,
    doctor,
)
"""In the order of `--help`."""

for command in COMMANDS:
    app.command(command.__name__.replace("_", "-"))(command)
app.add_typer(keys)


@app.callback()
def _root() -> None:
    """Every command takes --help; long ones take --json."""


def main() -> None:
    """Run the command line; what stops it becomes one readable line and its documented exit code, and with --json also JSON."""
    try:
        app()
    except (ReleaseError, TerminatedError) as error:
        if "--json" in sys.argv:
            sys.stdout.write(json.dumps({"error": str(error), "exit_code": error.exit_code}) + "\n")
        sys.stderr.write(f"sallyport: {error}\n")
        sys.exit(error.exit_code)
