"""The dataset's secret and the keys derived from it; the only place that reads key material.

Every pseudonym, shift and opaque name is HMAC-SHA-256 under a key derived for one purpose (RFC 5869), so that no
two uses share a key and no unkeyed digest of a patient's value exists anywhere (design, law 5).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from tasks.errors import UsageError

MINIMUM_BYTES = 32


@dataclass(frozen=True, slots=True)
class Secret:
    """32 or more random bytes. Never shown, never stored by us outside the file or variable it came from."""

    material: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.material) < MINIMUM_BYTES:
            raise UsageError("secret", f"shorter than {MINIMUM_BYTES} bytes", "make one with `sallyport keys secret FILE`")

    def key(self, purpose: str) -> bytes:
        """Return the 32-byte key for one purpose."""
        return _derive(self.material, purpose)

    def digest(self, purpose: str, *parts: str) -> bytes:
        """Return the 32-byte keyed digest of the parts; unambiguous, since every part is length-prefixed."""
        message = b"".join(len(p).to_bytes(8, "big") + p for p in (part.encode("utf-8", "surrogatepass") for part in parts))
        return hmac.digest(_derive(self.material, purpose), message, "sha256")

    @property
    def key_id(self) -> str:
        """Return a name for this secret that tells nothing about it."""
        return self.digest("key-id").hex()[:16]


@lru_cache(maxsize=64)
def _derive(material: bytes, purpose: str) -> bytes:
    extracted = hmac.digest(b"sallyport/1", material, hashlib.sha256)
    return hmac.digest(extracted, purpose.encode() + b"\x01", hashlib.sha256)


def read_secret(path: Path) -> Secret:
    """Read a secret file: 64+ hex digits or 32+ raw bytes, readable by its owner only."""
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise UsageError("secret.file", "readable by others", "run: chmod 600 on it")
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError("secret.file", f"cannot be read ({type(error).__name__})", "check the path and its permissions") from None
    return Secret(_decode(raw))


def secret_from_text(text: str) -> Secret:
    """Read a secret given as text (an environment variable, a Prefect Secret block)."""
    return Secret(_decode(text.encode()))


def make_secret_file(path: Path) -> Secret:
    """Create a new random secret at `path` (mode 600); never overwrites one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    material = os.urandom(MINIMUM_BYTES)
    with os.fdopen(descriptor, "wb") as file:
        file.write(material.hex().encode() + b"\n")
    return Secret(material)


def _decode(raw: bytes) -> bytes:
    text = raw.strip()
    try:
        decoded = bytes.fromhex(text.decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        return raw
    return decoded if len(decoded) >= MINIMUM_BYTES else raw
