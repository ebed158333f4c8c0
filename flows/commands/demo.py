"""`sallyport demo`: sample archive -> release -> verify, on this machine, nothing else needed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.screen import print_json


def demo(
    workspace: Annotated[Path, typer.Option(help="Folder for archive, private and public side")] = Path("sallyport-demo"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON")] = False,
) -> None:
    """Make a sample archive, run the whole flow over it, publish to a folder, verify, and say where to look."""
    from flows.commands.release import run_release, show
    from tasks.publish.store import open_store
    from tasks.publish.verify import verify
    from tasks.sample import make_archive
    from tasks.secret import make_secret_file
    from tasks.spec import read_spec

    workspace = workspace.resolve()
    workspace.mkdir(parents=True, exist_ok=True)
    archive, secret, spec_path = workspace / "archive", workspace / "secret.key", workspace / "spec.yaml"
    if not archive.exists():
        made = make_archive(archive)
        typer.echo(f"sample archive: {made.files} files of {len(made.patients)} made patients in {archive}", err=True)
    if not secret.exists():
        make_secret_file(secret)
    spec_path.write_text(_SPEC.format(workspace=workspace.as_uri()), "utf-8")
    spec = read_spec(spec_path)
    summary = run_release(spec, None, dry_run=False, quiet=as_json, verbose=False)
    report = verify(open_store(spec.public), full=True)
    if as_json:
        print_json({**summary.to_json(), "verified": report.ok})
    else:
        show(summary)
        typer.echo(_WHERE.format(verified="verified" if report.ok else "NOT VERIFIED", workspace=workspace))
    sys.exit(summary.exit_code or (0 if report.ok else 4))


_SPEC = """\
# Made by `sallyport demo`. Change it and run: sallyport release spec.yaml
dataset: demo
archive: {{kind: folder, path: archive}}
policy: shifted-dates
private: {workspace}/private
public: {workspace}/public
secret: {{file: secret.key}}
gates: {{k: 1}}          # two dozen made patients; a real open release keeps the default of 11
workers: {{cluster: local, n: 2}}
"""

_WHERE = """
{verified}. Where to look:
  {workspace}/public/                        what the world sees: latest.json, log/, releases/, series/
  {workspace}/private/quarantine/            de-identified, not proven clean: never published
  {workspace}/private/vault/                 crosswalk, receipts (private)
  sallyport verify {workspace}/public        check it again as a consumer would
  sallyport release {workspace}/spec.yaml    run again: nothing is pulled, nothing changes"""
