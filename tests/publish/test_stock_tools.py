"""A stranger with a release and the tools of a distribution: every command that the data card prints works as it is written."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.publish.canonical import canonical_json
from tasks.publish.release import publish_candidate
from tasks.publish.store import open_store
from tests.publish.corpus import DAY, Shape, approve, frozen
from tests.publish.test_release_protocol import SIGNER, published

SHAPE = Shape(patients=2, series=1, instances=2)
ED25519_HEAD = bytes.fromhex("302a300506032b6570032100")
"""What stands before the 32 bytes of an Ed25519 key in DER (RFC 8410)."""


@pytest.fixture(autouse=True)
def _state_of_its_own(tmp_path, monkeypatch):
    """`verify` remembers what it saw; here, not in the home of whoever runs the tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def printed_commands(card: str) -> list[str]:
    return [line for block in re.findall(r"```\n(.*?)```", card, re.DOTALL) for line in block.splitlines()]


def run_as_printed(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path, **environment},
    )


def filled_in(command: str, public_url: str, dest: Path) -> str:
    bucket = public_url.partition("?")[0]
    return command.replace("s3://BUCKET/PREFIX", bucket).replace(" URL", f" '{public_url}'").replace(" DEST", f" '{dest}'")


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.mark.slow
def test_every_command_of_the_data_card_works_in_a_folder(tmp_path):
    for name in ("ssh-keygen", "sha256sum", "minisign"):
        tool(name)
    _, public, _, _ = published(tmp_path, SHAPE)
    folder = tmp_path / "public/releases/2026.11.0"
    commands = [c for c in printed_commands((folder / "README.md").read_text()) if "s5cmd" not in c]
    assert [c.split()[0] for c in commands] == ["sallyport", "sallyport", "ssh-keygen", "minisign"]
    for command in commands:
        done = run_as_printed(filled_in(command, public.url, tmp_path / "mine"), folder)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert len(list((tmp_path / "mine").rglob("*.dcm"))) == 4
    card = folder / "README.md"
    card.write_text(card.read_text() + "\n")
    last = run_as_printed(commands[2], folder)
    assert last.returncode != 0
    assert "README.md: FAILED" in last.stdout


@pytest.mark.servers
def test_every_command_of_the_data_card_works_on_a_bucket(tmp_path, radosgw, as_user):
    for name in ("ssh-keygen", "sha256sum", "minisign", "s5cmd"):
        tool(name)
    as_user("test")
    private, public_url = open_store(str(tmp_path / "private")), radosgw.bucket("stranger")
    public = open_store(public_url)
    candidate = frozen(private, SHAPE)
    publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    folder = tmp_path / "copy"
    for key in public.keys("releases/2026.11.0/"):
        place = folder / key.removeprefix("releases/2026.11.0/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(public.get(key))
    for command in printed_commands((folder / "README.md").read_text()):
        done = run_as_printed(filled_in(command, public_url, tmp_path / "mine"), folder, S3_ENDPOINT_URL=radosgw.endpoint)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    downloaded = {p.name: p.read_bytes() for p in folder.glob("P*/*/*/*.dcm")}
    assert len(downloaded) == 4
    assert downloaded == {k.rsplit("/", 1)[-1]: public.get(k) for k in public.keys("series/")}


def test_openssl_verifies_the_gates_the_log_and_the_checksums(tmp_path):
    """One Ed25519 key: its raw signatures are plain RFC 8032, which openssl checks from the published bytes alone."""
    openssl = tool("openssl")
    _, public, _, _ = published(tmp_path, SHAPE)
    ssh = json.loads(public.get("keys.json"))["genesis"]["ssh"]
    key = ED25519_HEAD + base64.b64decode(ssh.split()[1])[-32:]
    (tmp_path / "key.der").write_bytes(key)
    envelope = json.loads(public.get("releases/2026.11.0/attestations/gates.dsse.json"))
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    entry = json.loads(public.get("log/00000001.json"))
    minisig = base64.b64decode(public.get("releases/2026.11.0/SHA256SUMS.minisig").splitlines()[1])
    signed = [
        (b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload), base64.b64decode(envelope["signatures"][0]["sig"])),
        (canonical_json(entry["body"]), base64.b64decode(entry["signature"])),
        (hashlib.blake2b(public.get("releases/2026.11.0/SHA256SUMS")).digest(), minisig[10:]),
    ]
    for message, signature in signed:
        assert openssl_accepts(openssl, tmp_path, message, signature)
        assert not openssl_accepts(openssl, tmp_path, message + b" ", signature)


def openssl_accepts(openssl: str, folder: Path, message: bytes, signature: bytes) -> bool:
    (folder / "message").write_bytes(message)
    (folder / "signature").write_bytes(signature)
    command = [
        openssl,
        "pkeyutl",
        "-verify",
        "-pubin",
        "-keyform",
        "DER",
        "-inkey",
        "key.der",
        "-rawin",
        "-in",
        "message",
        "-sigfile",
        "signature",
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def test_a_key_that_ssh_keygen_or_openssl_made_signs_releases(tmp_path):
    from tasks.publish.signing import read_signer

    subprocess.run([tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "ssh.key")], check=True)
    subprocess.run([tool("openssl"), "genpkey", "-algorithm", "ed25519", "-out", str(tmp_path / "pem.key")], check=True)
    for name in ("ssh.key", "pem.key"):
        (tmp_path / name).chmod(0o600)
        signer = read_signer(tmp_path / name)
        assert signer.public.accepts(signer.sign(b"message"), b"message")
    shown = subprocess.run(["ssh-keygen", "-l", "-f", str(tmp_path / "ssh.key.pub")], check=True, capture_output=True, text=True).stdout
    assert read_signer(tmp_path / "ssh.key").public.fingerprint in shown
