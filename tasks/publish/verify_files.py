"""Check the files of one release: SHA256SUMS and release.json against the log, every listed file, signatures, attestations.

What is in the manifests does not belong here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tasks.errors import ReleaseError
from tasks.publish.canonical import sha256_hex, sha256_stream
from tasks.publish.causes import CAUSES, Cause, refuse
from tasks.publish.log import Entry, Log
from tasks.publish.manifest_files import listed_parts
from tasks.publish.manifest_schemas import MANIFESTS
from tasks.publish.signing import PublicKey, open_dsse, verify_minisign, verify_ssh
from tasks.publish.staging import APPROVAL_PREDICATE, GATES_PREDICATE, SIGNATURES
from tasks.publish.store import Store

Add = Callable[[Cause, str, str], None]
_LINE = re.compile(r"([0-9a-f]{64})  (\S(?:.*\S)?)")
ROW_LEVEL = ("manifests/", "s5cmd/")
"""Files with rows about single series: the ones that a withdrawal removes from older releases."""


@dataclass(frozen=True, slots=True)
class ReleaseFiles:
    """The files of a release as SHA256SUMS lists them."""

    public: Store
    prefix: str
    sums: dict[str, str]

    def copy_manifests(self, into: Path) -> Path:
        """Copy the manifests into a folder, refused unless their bytes are the listed ones."""
        for grain in MANIFESTS:
            if not listed_parts(self.sums, grain):
                raise refuse(Cause.FILE_MISSING, f"{self.prefix}manifests/{grain}.parquet")
        for name in (name for grain in MANIFESTS for name in listed_parts(self.sums, grain)):
            target = into / name.rsplit("/", 1)[-1]
            try:
                with self.public.open(self.prefix + name) as source, target.open("wb") as copy:
                    while chunk := source.read(1 << 20):
                        copy.write(chunk)
            except KeyError:
                raise refuse(Cause.FILE_MISSING, self.prefix + name) from None
            with target.open("rb") as file:
                if sha256_stream(file)[0] != self.sums.get(name):
                    raise refuse(Cause.FILE_CHANGED, self.prefix + name)
        return into


def check_files(public: Store, log: Log, entry: Entry, *, redacted: bool, add: Add) -> ReleaseFiles:
    """Check everything of a release that is not content; `redacted` allows files with rows to be gone."""
    prefix = f"releases/{entry.release_id}/"
    key = log.keys[entry.key_id]
    sums_bytes = _get(public, prefix + "SHA256SUMS", Cause.CHECKSUMS_CHANGED, add)
    if sums_bytes is None or sha256_hex(sums_bytes) != entry.body.get("sha256sums_sha256"):
        if sums_bytes is not None:
            add(Cause.CHECKSUMS_CHANGED, prefix + "SHA256SUMS", "")
        return ReleaseFiles(public, prefix, {})
    release_json = _get(public, prefix + "release.json", Cause.RELEASE_JSON_CHANGED, add)
    if release_json is not None and sha256_hex(release_json) != entry.body.get("release_json_sha256"):
        add(Cause.RELEASE_JSON_CHANGED, prefix + "release.json", "")
    sums = {match[2]: match[1] for line in sums_bytes.decode().splitlines() if (match := _LINE.fullmatch(line))}
    _check_signatures(public, prefix, key, sums_bytes, add)
    _check_listed(public, prefix, sums, redacted, add)
    _check_unlisted(public, prefix, sums, add)
    _check_attestations(public, prefix, key, entry, sums, add)
    if not redacted:
        _check_croissant(public, prefix, sums, add)
    return ReleaseFiles(public, prefix, sums)


def _check_signatures(public: Store, prefix: str, key: PublicKey, sums: bytes, add: Add) -> None:
    ssh = _get(public, prefix + SIGNATURES[0], Cause.SSH_SIGNATURE, add)
    if ssh is not None and not verify_ssh(key, ssh, sums):
        add(Cause.SSH_SIGNATURE, prefix + SIGNATURES[0], "")
    minisign = _get(public, prefix + SIGNATURES[1], Cause.MINISIGN_SIGNATURE, add)
    if minisign is not None and not verify_minisign(key, minisign, sums):
        add(Cause.MINISIGN_SIGNATURE, prefix + SIGNATURES[1], "")


def _check_listed(public: Store, prefix: str, sums: dict[str, str], redacted: bool, add: Add) -> None:
    for name, expected in sums.items():
        try:
            with public.open(prefix + name) as file:
                if sha256_stream(file)[0] != expected and name != "release.json":
                    add(Cause.FILE_CHANGED, prefix + name, "")
        except KeyError:
            if not (redacted and name.startswith(ROW_LEVEL)) and name != "release.json":
                add(Cause.FILE_MISSING, prefix + name, "")


def _check_unlisted(public: Store, prefix: str, sums: dict[str, str], add: Add) -> None:
    try:
        found = list(public.keys(prefix))
    except ReleaseError as error:
        if getattr(error, "cause", None) != Cause.STORE_DENIED:
            raise
        return  # an open bucket need not allow listing; nothing unlisted can be found by name then either
    for key in found:
        name = key.removeprefix(prefix)
        if name not in sums and name not in ("SHA256SUMS", *SIGNATURES):
            add(Cause.FILE_UNLISTED, key, "")


def _check_attestations(public: Store, prefix: str, key: PublicKey, entry: Entry, sums: dict[str, str], add: Add) -> None:
    expected = {"attestations/gates.dsse.json": GATES_PREDICATE}
    if "attestations/approval.dsse.json" in sums:
        expected["attestations/approval.dsse.json"] = APPROVAL_PREDICATE
    for name, predicate_type in expected.items():
        envelope = _get(public, prefix + name, Cause.ATTESTATION_SIGNATURE, add) if name in sums else None
        if envelope is None:
            if name not in sums:
                add(Cause.GATE_NOT_PASSED, prefix + name, "no attestation of the gates")
            continue
        statement = open_dsse(key, envelope)
        if statement is None:
            add(Cause.ATTESTATION_SIGNATURE, prefix + name, "")
            continue
        predicate = statement.get("predicate", {})
        subjects = [s.get("digest", {}).get("sha256") for s in statement.get("subject", [])]
        bound = (predicate.get("release_id"), predicate.get("seq"))
        if subjects != [entry.body["root"]] or statement.get("predicateType") != predicate_type or bound != (entry.release_id, entry.seq):
            add(Cause.ATTESTATION_SUBJECT, prefix + name, "")
        elif predicate_type == GATES_PREDICATE and not _gates_passed(predicate):
            add(Cause.GATE_NOT_PASSED, prefix + name, "")
        elif predicate_type == APPROVAL_PREDICATE and not _approval_valid(predicate):
            add(Cause.APPROVAL_INVALID, prefix + name, "")


def _gates_passed(predicate: dict[str, object]) -> bool:
    gates = predicate.get("gates")
    if predicate.get("approved") is not True or not isinstance(gates, list):
        return False
    return not any(g.get("unit") == "release" and g.get("verdict") in ("block", "broken") for g in gates)


def _approval_valid(predicate: dict[str, object]) -> bool:
    try:
        expires = predicate.get("expires_on")
        return not expires or date.fromisoformat(str(expires)) >= date.fromisoformat(str(predicate["released_on"]))
    except (KeyError, ValueError):
        return False


def _check_croissant(public: Store, prefix: str, sums: dict[str, str], add: Add) -> None:
    if "croissant.json" not in sums:
        return
    try:
        described = json.loads(public.get(prefix + "croissant.json"))
        files = {f["contentUrl"]: f["sha256"] for f in described["distribution"] if "sha256" in f}
    except (KeyError, ValueError, TypeError):
        add(Cause.CROISSANT_INVALID, prefix + "croissant.json", "")
        return
    wrong = [name for name in sums if name.startswith("manifests/") and files.get(name) != sums[name]]
    if wrong:
        add(Cause.CROISSANT_INVALID, prefix + "croissant.json", "describes other manifests")


def _get(public: Store, key: str, missing: Cause, add: Add) -> bytes | None:
    try:
        return public.get(key)
    except KeyError:
        add(missing if missing in CAUSES else Cause.FILE_MISSING, key, "missing")
        return None
