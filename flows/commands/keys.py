"""`sallyport keys`: make secrets and signing keys, rotate and revoke signing keys through the log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.withdraw import open_for_keys, today

keys = typer.Typer(name="keys", help="Make secrets and signing keys; rotate and revoke signing keys.", no_args_is_help=True)
_SPEC = typer.Argument(help="The dataset's spec (YAML)", show_default=False)


@keys.command()
def secret(file: Annotated[Path, typer.Argument(help="File to create (mode 600)", show_default=False)]) -> None:
    """Make a dataset's secret. Losing it loses every pseudonym; leaking it undoes them."""
    from tasks.errors import UsageError
    from tasks.secret import make_secret_file

    try:
        made = make_secret_file(file)
    except FileExistsError:
        raise UsageError("keys", "there is a file of that name already", "choose another name; secrets are never overwritten") from None
    except OSError as error:
        raise UsageError("keys", f"cannot be written ({type(error).__name__})", "check the folder") from None
    typer.echo(f"made {file} (key id {made.key_id}); keep a copy offline")


@keys.command()
def signing(file: Annotated[Path, typer.Argument(help="File to create (mode 600); its .pub goes beside it", show_default=False)]) -> None:
    """Make an Ed25519 signing key (OpenSSH format)."""
    from tasks.publish.signing import make_signing_key

    public = make_signing_key(file)
    typer.echo(f"made {file}: {public.fingerprint}, key id {public.key_id}")


@keys.command()
def show(spec: Annotated[Path, _SPEC]) -> None:
    """Show the key that signs this dataset's releases, in the forms that stock tools read."""
    _, _, _, signer = open_for_keys(spec)
    public = signer.public
    typer.echo(f"fingerprint {public.fingerprint}\nkey id {public.key_id}\n{public.ssh_line} publisher\n{public.minisign_text}", nl=False)


@keys.command()
def rotate(spec: Annotated[Path, _SPEC], new: Annotated[Path, typer.Argument(help="The new key's .pub file", show_default=False)]) -> None:
    """Trust a new signing key from now on, signed in by the present one; then write `signing: {key: …}` into the spec."""
    from tasks.errors import UsageError
    from tasks.publish.key_rotation import add_key
    from tasks.publish.signing import read_public_key

    _, private, public, signer = open_for_keys(spec)
    try:
        key = read_public_key(new.read_text())
    except (OSError, ValueError):
        raise UsageError("keys rotate", "not an ssh-ed25519 public key file", "make one with `sallyport keys signing FILE`") from None
    entry = add_key(private, public, signer, key, today())
    typer.echo(f"trusted: {key.fingerprint} (log entry {entry})")


@keys.command()
def revoke(spec: Annotated[Path, _SPEC], key_id: Annotated[str, typer.Argument(help="Key id to revoke", show_default=False)]) -> None:
    """Trust nothing that this key signs from now on."""
    from tasks.publish.key_rotation import revoke_key

    _, private, public, signer = open_for_keys(spec)
    entry = revoke_key(private, public, signer, key_id, today())
    typer.echo(f"revoked: {key_id} (log entry {entry})")
