"""Read passwords, tokens and TLS material where the spec says they are; the only place of the archives that holds them."""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path

from tasks.archive_spec import Credential, Tls
from tasks.errors import ReleaseError, UsageError


def read_credential(source: Credential, where: str) -> str:
    """Return the value behind a credential, without its last line break. Errors name the field and never the value."""
    if source.env:
        value = os.environ.get(source.env, "")
        if not value:
            raise UsageError(where, f"the variable {source.env} is not set", "export it where the workers run")
        return value
    path = Path(str(source.file))
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise UsageError(where, "the file is readable by others", "run: chmod 600 on it")
        value = path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(where, f"the file cannot be read ({type(error).__name__})", "check the path and its permissions") from None
    if not value:
        raise UsageError(where, "the file is empty", "write the password or token into it")
    return value


def tls_context(tls: Tls, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> ssl.SSLContext:
    """Return the TLS context (1.2 or newer) for a connection to the archive, or for what it sends to us (CLIENT_AUTH).

    The other side is always verified: its certificate, and towards a server its name too (BCP 195 profile, PS3.15 B.12).
    """
    try:
        context = ssl.create_default_context(purpose, cafile=tls.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.key, password=_no_passphrase)
    except (OSError, ssl.SSLError) as error:
        raise ReleaseError("archive.tls", f"cannot be used ({type(error).__name__})", "check the PEM files and their permissions") from None
    if purpose is ssl.Purpose.CLIENT_AUTH:
        context.verify_mode = ssl.CERT_REQUIRED if tls.ca else ssl.CERT_NONE
    return context


def _no_passphrase() -> str:
    raise ssl.SSLError  # a prompt would wait for ever at night
