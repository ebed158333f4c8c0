"""`sallyport verify URL` and `sallyport get URL DEST`: what a consumer runs. Needs no spec, no secret, no credentials."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.screen import print_json, progress

_ANONYMOUS = typer.Option("--anonymous", help="Send no credentials (open S3 buckets)")


def verify(
    url: Annotated[str, typer.Argument(help="Folder, file:///… or s3://bucket/prefix of the dataset", show_default=False)],
    release: Annotated[str | None, typer.Option(help="Release id; the current one by default")] = None,
    full: Annotated[bool, typer.Option("--full", help="Read every object")] = False,
    sample: Annotated[int | None, typer.Option(min=1, help="Read this many random objects")] = None,
    key: Annotated[str, typer.Option(help="Fingerprint of the publisher's first key (SHA256:…), known by another way")] = "",
    state: Annotated[Path | None, typer.Option(help="Where to remember what was seen; a rolled-back copy is then noticed")] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Remember nothing and compare with nothing")] = False,
    anonymous: Annotated[bool, _ANONYMOUS] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON")] = False,
) -> None:
    """Verify a release: keys, log, signatures, checksums, attestations, schemas, references, tombstones, objects.

    Each cause of failure has its own exit code (40 to 77); the first one found is returned.
    """
    from tasks.publish.store import open_store
    from tasks.publish.verify import verify as run

    report = run(
        open_store(url, anonymous=anonymous),
        release,
        full,
        sample,
        trusted_fingerprint=key,
        state=None if forget else state or _state_file(),
        progress=None if as_json else lambda check: typer.echo(f"  ok  {check}", err=True),
    )
    if as_json:
        print_json(
            {
                "status": report.status,
                "release_id": report.release_id,
                "replaced_by": report.replaced_by,
                "seq": report.seq,
                "head_seq": report.head_seq,
                "exit_code": report.exit_code,
                "problems": [{"cause": p.cause, "where": p.where, "message": p.message, "exit_code": p.exit_code} for p in report.problems],
                "checks": list(report.checks),
                "notes": list(report.notes),
                "counts": report.counts,
            }
        )
    else:
        for note in report.notes:
            typer.echo(f"note: {note}")
        for problem in report.problems[:50]:
            typer.echo(f"{problem.cause}: {problem.where}: {problem.message}")
        more = f"; replaced by {report.replaced_by}" if report.replaced_by else ""
        typer.echo(f"{report.release_id or url}: {report.status}{more}")
    sys.exit(report.exit_code)


def get(
    url: Annotated[str, typer.Argument(help="Folder, file:///… or s3://bucket/prefix of the dataset", show_default=False)],
    dest: Annotated[Path, typer.Argument(help="Folder to download to", show_default=False)],
    where: Annotated[str, typer.Option(help="Condition over the series manifest: \"Modality = 'CT' AND SliceThickness <= 2\"")] = "",
    release: Annotated[str | None, typer.Option(help="Release id; the current one by default")] = None,
    prune: Annotated[bool, typer.Option("--prune", help="First delete local copies of everything that was withdrawn")] = False,
    threads: Annotated[int, typer.Option(min=1, max=64)] = 8,
    anonymous: Annotated[bool, _ANONYMOUS] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON")] = False,
) -> None:
    """Download what matches, checking every byte; run it again to resume."""
    from dataclasses import asdict

    from tasks.publish.get import get as run
    from tasks.publish.store import open_store

    with progress({"get": "objects"}, quiet=as_json) as observe:
        done = run(
            open_store(url, anonymous=anonymous), dest, release_id=release, where=where, prune=prune, threads=threads, progress=observe
        )
    if as_json:
        print_json(asdict(done))
    else:
        pruned = f", {done.pruned} withdrawn copies removed" if done.pruned else ""
        typer.echo(f"{done.release_id}: {done.downloaded} objects downloaded ({done.size_bytes} bytes), {done.kept} already there{pruned}")


def _state_file() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "sallyport/seen.json"
