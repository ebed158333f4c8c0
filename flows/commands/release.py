"""`sallyport release SPEC`: the whole flow once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands.screen import print_counts, print_hints, print_json, progress

if TYPE_CHECKING:
    from flows.summary import ReleaseSummary
    from tasks.spec import Spec

_STAGES = {"find": "studies found", "process": "studies processed"}


def release(
    spec: Annotated[Path, typer.Argument(help="The dataset's spec (YAML)", show_default=False)],
    study: Annotated[list[str] | None, typer.Option(help="Only this StudyInstanceUID (repeatable)")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Find and measure; pull nothing, publish nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show Prefect's own log")] = False,
) -> None:
    """Run the whole flow once: find, de-identify, deface, judge, publish what was approved, verify.

    Exit codes: 0 all accounted for, 1 something failed, 2 invalid spec, 3 held by a gate.
    """
    from tasks.spec import read_spec

    summary = run_release(read_spec(spec), study, dry_run=dry_run, quiet=as_json, verbose=verbose)
    if as_json:
        print_json(summary.to_json())
    else:
        show(summary)
    sys.exit(summary.exit_code)


def run_release(spec: Spec, studies: list[str] | None, *, dry_run: bool, quiet: bool, verbose: bool) -> ReleaseSummary:
    """Run the release flow in this process and return its summary; a stopped run raises its ReleaseError."""
    from flows.importing import collector_at_rest
    from flows.machine import check_disk, end_on_sigterm
    from flows.run_server import start_server
    from flows.settings import prepare_prefect

    check_disk(spec)
    end_on_sigterm()
    prepare_prefect(verbose=verbose)
    server = start_server(spec)
    with collector_at_rest():
        from flows.release import release as release_flow
        from flows.session import open_secret
        from flows.studies import observer
        from tasks.archive import study_key
        from tasks.errors import ReleaseError

    keys = None
    if studies:
        secret = open_secret(spec.secret)
        keys = [study_key(secret, uid) for uid in studies]
    if server is not None:
        server.wait()
    with progress(_STAGES, quiet=quiet) as observe:
        token = observer.set(observe)
        try:
            state = release_flow(spec, keys, dry_run, return_state=True)
        except ReleaseError:
            raise
        except Exception as error:  # PRIVACY: Prefect's messages hold parameters
            late = isinstance(error, RuntimeError) and "Timed out" in str(error)
            what = "its server did not start in time" if late else f"stopped by {type(error).__name__}"
            remedy = "run it again when the machine is less busy" if late else "check its disk and server, then run it again"
            raise ReleaseError("prefect", what, f"{remedy}; nothing is lost") from None
        finally:
            observer.reset(token)
    result: Any = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    summary: ReleaseSummary = result
    return summary


def show(summary: ReleaseSummary) -> None:
    """Print a summary for a person."""
    rows = [(status, "", str(n)) for status, n in summary.objects_by_status.items()]
    rows += [("", reason, str(n)) for reason, n in summary.objects_by_reason.items()]
    if rows:
        print_counts("Objects", rows, ("status", "reason", "objects"))
    if summary.foreseen:
        found = [(m["gate"], m["measure"], f"{m['value']:g}", "yes" if m["within"] else "no") for m in summary.foreseen]
        print_counts("Risk, from one header per study", found, ("gate", "measure", "value", "within its bounds"))
    typer.echo(summary.sentence())
    print_hints(summary.objects_by_reason)
    if summary.suppressed_patients:
        typer.echo(f"{summary.suppressed_patients} patients held back: their crowd is smaller than k")
