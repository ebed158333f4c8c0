"""`sallyport serve SPEC...`: nightly schedules and on-demand forms on a Prefect server."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer


def serve(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC...", help="The specs of the datasets to serve", show_default=False)],
    port: Annotated[int, typer.Option(help="Of our own Prefect server, when PREFECT_API_URL names none")] = 4200,
    limit: Annotated[int, typer.Option(help="Runs at once, of all datasets together", min=1)] = 2,
    notify: Annotated[str | None, typer.Option(help="Block to tell of failures and holds: webhook/NAME, slack-webhook/NAME, …")] = None,
    work_pool: Annotated[str | None, typer.Option(help="Register for this work pool's workers and end, instead of running here")] = None,
) -> None:
    """Offer datasets on a Prefect server: the spec's nightly schedule, and forms to release, verify, audit and withdraw on demand.

    Runs until it is ended. Without PREFECT_API_URL it starts a server of its own on this machine, with a login.
    """
    from flows.settings import prepare_prefect

    prepare_prefect(verbose=True)
    with ExitStack() as stack:
        from tasks.publish.store import open_store
        from tasks.spec import read_spec

        if not os.environ.get("PREFECT_API_URL"):
            from flows.local_server import PASSWORD_FILE, local_server

            vault = open_store(read_spec(specs[0]).private).local_path("vault")
            home = Path(os.environ.get("PREFECT_HOME") or (vault / "server" if vault else Path.home() / ".sallyport" / "server"))
            address = stack.enter_context(local_server(home, port))
            sys.stderr.write(f"Prefect UI: {address}  (login: see {home / PASSWORD_FILE})\n")
        from flows import serve as offer

        read = offer.read_specs(specs)
        offer.prepare_server(read, notify)
        for dataset, (_, spec) in read.items():
            when = f"{spec.schedule.cron} ({spec.schedule.timezone})" if spec.schedule else "on demand only"
            sys.stderr.write(f"serving {dataset}: {when}\n")
        if work_pool:
            offer.register(read, work_pool)
        else:
            offer.run_forever(read, limit=limit)
