"""Ed25519 signatures in forms that stock tools check: SSHSIG (`ssh-keygen -Y`), minisign, DSSE (in-toto).

Which keys are trusted is in the log (`tasks/publish/log.py`), not here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tasks.errors import UsageError
from tasks.publish.canonical import canonical_json
from tasks.publish.causes import Cause, refuse
from tasks.secret import Secret

NAMESPACE = "dataset-release"
"""The SSHSIG namespace of SHA256SUMS: a signature made for anything else is not accepted for a release."""
PRINCIPAL = "publisher"
_KEY_TYPE = b"ssh-ed25519"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A publisher's public key: 32 raw bytes."""

    raw: bytes

    @property
    def key_id(self) -> str:
        """Return the key's name: 16 hex digits, the same as minisign's."""
        return _minisign_id(self.raw)[::-1].hex()

    @property
    def fingerprint(self) -> str:
        """Return what `ssh-keygen -l` shows: `SHA256:…`."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(_ssh_blob(self.raw)).digest()).decode().rstrip("=")

    @property
    def ssh_line(self) -> str:
        """Return the key as an OpenSSH public key line."""
        return f"ssh-ed25519 {base64.b64encode(_ssh_blob(self.raw)).decode()}"

    @property
    def minisign_text(self) -> str:
        """Return the key as a minisign public key file."""
        body = base64.b64encode(b"Ed" + _minisign_id(self.raw) + self.raw).decode()
        return f"untrusted comment: minisign public key {self.key_id.upper()}\n{body}\n"

    def accepts(self, signature: bytes, message: bytes) -> bool:
        """Say whether this key made the raw signature over the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A publisher's private key; signs, and is never shown."""

    key: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """Return the public half."""
        raw = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return PublicKey(raw)

    def sign(self, message: bytes) -> bytes:
        """Return the raw 64-byte signature; the same message always gives the same one (RFC 8032)."""
        return self.key.sign(message)


def signer_from_secret(secret: Secret) -> Signer:
    """Return the dataset's default signing key, derived from its secret for this purpose only."""
    return Signer(Ed25519PrivateKey.from_private_bytes(secret.key("signing")))


def open_signer(key_file: str | None, secret: Secret) -> Signer:
    """Return the signer of a dataset: its key file where the spec names one, else the key derived from its secret."""
    return read_signer(Path(key_file)) if key_file else signer_from_secret(secret)


def read_signer(path: Path) -> Signer:
    """Read an OpenSSH or PEM Ed25519 private key that only its owner can read."""
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise refuse(Cause.KEY_PERMISSIONS, "signing.key")
        raw = path.read_bytes()
    except OSError as error:
        raise refuse(Cause.KEY_UNREADABLE, "signing.key", type(error).__name__) from None
    for load in (serialization.load_ssh_private_key, serialization.load_pem_private_key):
        try:
            key = load(raw, None)
        except Exception:  # noqa: S112  # any parser error means the same: not this format; its text could quote the key
            continue
        if isinstance(key, Ed25519PrivateKey):
            return Signer(key)
    raise refuse(Cause.KEY_UNREADABLE, "signing.key", "no unencrypted Ed25519 key in it")


def make_signing_key(path: Path) -> PublicKey:
    """Create a new signing key at `path` (OpenSSH format, mode 600) and its `.pub` beside it; never overwrites one."""
    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError("keys", "there is a file of that name already", "choose another name; keys are never overwritten") from None
    except OSError as error:
        raise UsageError("keys", f"cannot be written ({type(error).__name__})", "check the folder") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    public = Signer(key).public
    path.with_name(path.name + ".pub").write_text(f"{public.ssh_line} {PRINCIPAL}\n")
    return public


def read_public_key(text: str) -> PublicKey:
    """Return the key of an OpenSSH public key line; ValueError when it is none."""
    parts = text.split()
    blob = base64.b64decode(parts[1] if parts and parts[0] == _KEY_TYPE.decode() else "", validate=True)
    raw = blob[-32:]
    if blob != _ssh_blob(raw):
        raise ValueError("not an ssh-ed25519 key")
    return PublicKey(raw)


# SSHSIG: PROTOCOL.sshsig of OpenSSH


def sign_ssh(signer: Signer, message: bytes, namespace: str = NAMESPACE) -> bytes:
    """Return an armored SSHSIG file over the message, for `ssh-keygen -Y verify`."""
    raw = signer.sign(_sshsig_message(message, namespace))
    signature = _string(_KEY_TYPE) + _string(raw)
    blob = b"SSHSIG" + struct.pack(">I", 1) + _string(_ssh_blob(signer.public.raw))
    blob += _string(namespace.encode()) + _string(b"") + _string(b"sha512") + _string(signature)
    text = base64.b64encode(blob).decode()
    lines = "\n".join(text[i : i + 70] for i in range(0, len(text), 70))
    return f"-----BEGIN SSH SIGNATURE-----\n{lines}\n-----END SSH SIGNATURE-----\n".encode()


def verify_ssh(public: PublicKey, armored: bytes, message: bytes, namespace: str = NAMESPACE) -> bool:
    """Say whether an SSHSIG file is this key's signature over the message in this namespace."""
    try:
        raw = Ed25519PublicKey.from_public_bytes(public.raw)
        body = armored.decode("ascii").split("-----BEGIN SSH SIGNATURE-----")[1].split("-----END SSH SIGNATURE-----")[0]
        blob = base64.b64decode("".join(body.split()), validate=True)
        expected_head = b"SSHSIG" + struct.pack(">I", 1) + _string(_ssh_blob(public.raw)) + _string(namespace.encode())
        expected_head += _string(b"") + _string(b"sha512")
        if not blob.startswith(expected_head):
            return False
        signature = blob[len(expected_head) :]
        if signature[:-64] != struct.pack(">I", len(_string(_KEY_TYPE)) + 68) + _string(_KEY_TYPE) + struct.pack(">I", 64):
            return False
        raw.verify(signature[-64:], _sshsig_message(message, namespace))
    except (InvalidSignature, ValueError, IndexError):
        return False
    return True


def allowed_signers(keys: list[PublicKey]) -> bytes:
    """Return an allowed_signers file for `ssh-keygen -Y verify -f`."""
    return "".join(f'{PRINCIPAL} namespaces="{NAMESPACE}" {key.ssh_line}\n' for key in keys).encode()


# minisign: https://jedisct1.github.io/minisign/#signature-format


def sign_minisign(signer: Signer, message: bytes, trusted_comment: str) -> bytes:
    """Return a minisign signature file (prehashed) over the message; the trusted comment is signed too."""
    raw = signer.sign(hashlib.blake2b(message).digest())
    first = base64.b64encode(b"ED" + _minisign_id(signer.public.raw) + raw).decode()
    second = base64.b64encode(signer.sign(raw + trusted_comment.encode())).decode()
    return f"untrusted comment: signature of a dataset release\n{first}\ntrusted comment: {trusted_comment}\n{second}\n".encode()


def verify_minisign(public: PublicKey, signature: bytes, message: bytes) -> bool:
    """Say whether a minisign file is this key's signature over the message and over its own trusted comment."""
    try:
        _, first, comment, second = signature.decode().splitlines()[:4]
        head = base64.b64decode(first, validate=True)
        prefix = "trusted comment: "
        if len(head) != 74 or head[:2] != b"ED" or head[2:10] != _minisign_id(public.raw) or not comment.startswith(prefix):
            return False
        trusted = base64.b64decode(second, validate=True)
    except ValueError:
        return False
    raw = head[10:]
    return public.accepts(raw, hashlib.blake2b(message).digest()) and public.accepts(trusted, raw + comment[len(prefix) :].encode())


# DSSE: https://github.com/secure-systems-lab/dsse

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def sign_dsse(signer: Signer, statement: dict[str, Any]) -> bytes:
    """Return a DSSE envelope around an in-toto statement."""
    payload = canonical_json(statement)
    signature = base64.b64encode(signer.sign(_dsse_message(payload))).decode()
    return canonical_json(
        {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [{"keyid": signer.public.fingerprint, "sig": signature}],
        }
    )


def open_dsse(public: PublicKey, envelope: bytes) -> dict[str, Any] | None:
    """Return the statement of a DSSE envelope when this key signed it, else None."""
    try:
        data = json.loads(envelope)
        payload = base64.b64decode(data["payload"], validate=True)
        signatures = [base64.b64decode(s["sig"], validate=True) for s in data["signatures"]]
        if data["payloadType"] != PAYLOAD_TYPE or not any(public.accepts(s, _dsse_message(payload)) for s in signatures):
            return None
        statement = json.loads(payload)
    except (ValueError, KeyError, TypeError):
        return None
    return statement if isinstance(statement, dict) else None


def _dsse_message(payload: bytes) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def _sshsig_message(message: bytes, namespace: str) -> bytes:
    return b"SSHSIG" + _string(namespace.encode()) + _string(b"") + _string(b"sha512") + _string(hashlib.sha512(message).digest())


def _ssh_blob(raw: bytes) -> bytes:
    return _string(_KEY_TYPE) + _string(raw)


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _minisign_id(raw: bytes) -> bytes:
    return hashlib.sha256(b"sallyport minisign key id" + raw).digest()[:8]
