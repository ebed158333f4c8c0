"""Stage a release again without its withdrawn series: the new current release, or the redacted reissue of an older one."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

from tasks.publish.causes import Cause, refuse
from tasks.publish.documents import ReleaseDescription
from tasks.publish.log import Entry, Log
from tasks.publish.redaction import redact_manifests
from tasks.publish.signing import Signer, open_dsse
from tasks.publish.staging import Staged, count_changes, fetch_manifests, finish_release
from tasks.publish.store import Store
from tasks.spec import Publication


def reissue_without(
    scratch: Path,
    public: Store,
    signer: Signer,
    on: date,
    log: Log,
    old: Entry,
    withdrawn_series: frozenset[str],
    release_id: str,
    *,
    is_head: bool,
) -> Staged:
    """Build the release `release_id` from the manifests of `old`; its attestation names the judged release that it redacts."""
    folder = scratch / "release"
    shutil.rmtree(folder, ignore_errors=True)
    manifests = fetch_manifests(public, old.release_id, scratch / "old")
    digests, counts = redact_manifests(manifests, withdrawn_series, release_id, folder / "manifests", is_head=is_head)
    summary = _json(public, f"releases/{old.release_id}/release.json")
    envelope = public.get(f"releases/{old.release_id}/attestations/gates.dsse.json")
    statement = open_dsse(log.keys[old.key_id], envelope)
    if statement is None:
        raise refuse(Cause.ATTESTATION_SIGNATURE, f"releases/{old.release_id}/attestations/gates.dsse.json")
    judged = {k: v for k, v in statement["predicate"].items() if k not in ("dataset", "release_id", "seq", "released_on")}
    about = ReleaseDescription(
        dataset=str(old.body["dataset"]),
        release_id=release_id,
        on=on,
        root=digests.root,
        counts=counts,
        changes=count_changes(folder / "manifests"),
        policy_name=summary["policy"]["name"],
        policy_sha256=summary["policy"]["sha256"],
        policy=summary["policy"]["settings"],
        option_codes=tuple(summary["deid_option_codes"]),
        publication=Publication(
            title=summary["title"],
            description=summary.get("description", ""),
            url=summary.get("url", ""),
            license_spdx=summary["license_spdx"],
            contact=summary["contact"],
            access_tier=summary["access_tier"],
        ),
        gates=judged.get("gates", []),
        previous_release_id=old.release_id,
        supersedes=old.release_id,
    )
    extra: dict[str, Any] = {"supersedes": old.release_id}
    if not is_head:
        extra["historical"] = True
    evidence = {**judged, "redaction_of": {"release_id": old.release_id, "root": str(old.body["root"])}}
    return finish_release(folder, about, signer, log, evidence=evidence, approval=None, extra=extra)


def _json(public: Store, key: str) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(public.get(key))
    except KeyError:
        raise refuse(Cause.FILE_MISSING, key) from None
    return data
