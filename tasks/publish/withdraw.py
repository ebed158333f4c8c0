"""Withdraw patients, studies or series from every release, prove it, and publish the tombstone. Killed anywhere, run it again.

Order: suppress, new release without them, redacted reissues, purge of every version, proof, tombstone, notices. Finding what
is meant is in `withdrawal_scope.py`, deleting in `purge.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from tasks.publish import audit
from tasks.publish.audit_heads import sign_head
from tasks.publish.canonical import readable_json, sha256_hex
from tasks.publish.causes import Cause, refuse
from tasks.publish.latest import point_to_head
from tasks.publish.ledger import write_notices
from tasks.publish.log import Entry, append, open_log
from tasks.publish.manifest_files import parts, read_grain
from tasks.publish.private_purge import purge_private
from tasks.publish.purge import Proof, discard_unfinished, purge
from tasks.publish.reissue import reissue_without
from tasks.publish.release import commit_release
from tasks.publish.scratch import scratch_folder
from tasks.publish.signing import Signer
from tasks.publish.staging import fetch_manifests
from tasks.publish.store import AlreadyExistsError, Store
from tasks.publish.suppression import suppress
from tasks.publish.tombstones import number_of, read_withdrawn, tombstone_key
from tasks.publish.verify_files import ROW_LEVEL
from tasks.publish.withdrawal_plan import Plan, finish_plan, keep_plan, unfinished_plan
from tasks.publish.withdrawal_scope import Asked, Scope, find_scope

_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a withdrawal did. Counts and released names only."""

    new_release_id: str  # "" when the current release held nothing of it
    reissued: tuple[tuple[str, str], ...]  # (old release id, redacted one)
    tombstone: str  # "" when nothing public was touched
    series: int
    instances: int
    proofs: tuple[Proof, ...]
    recipients: tuple[str, ...]
    suppressed: int
    found: bool = True  # False: nothing here was ever made from it


def withdraw(
    private: Store,
    public: Store,
    signer: Signer,
    on: date,
    asked: Asked,
    *,
    replicas: Sequence[Store] = (),
    progress: Callable[[str], None] | None = None,
) -> Withdrawal:
    """Remove everything asked for from every release, store and version, and never publish it again.

    `replicas` are further public stores whose objects are purged too. What is asked is suppressed even when nothing was ever
    published of it. Raises `withdrawal_unproven` when a version can still be read.
    """
    say = progress or (lambda _: None)
    scope = find_scope(private, asked)
    # PRIVACY: suppression comes first, so that a run under way cannot publish it meanwhile: tests/publish/test_withdraw.py.
    suppress(private, scope.suppressed)
    audit.record(private, "withdrawal_asked", suppressed=len(scope.suppressed), studies=len(scope.studies), series=len(scope.series))
    say("suppressed")
    replaced: list[tuple[str, str, bool]] = []
    rows = unfinished_plan(private)
    unfinished: frozenset[str] = frozenset()
    if public.size("keys.json") is not None:
        _replace_releases(private, public, signer, on, scope, rows, replaced)
        unfinished = _stop_publishers(public, signer, on)
        if unfinished:
            # One of them may have committed just before it was stopped.
            _replace_releases(private, public, signer, on, scope, rows, replaced)
    say("releases replaced")
    keep_plan(private, rows)
    proofs = _purge_everywhere(public, replicas, signer, rows, scope, unfinished)
    removed = purge_private(private, scope, rows.series)
    say("purged and proved")
    audit.record(private, "withdrawal_purged", versions=sum(p.versions for p in proofs), private_objects=removed, left=0)
    tombstone = _publish_tombstone(public, signer, on, rows)
    finish_plan(private, rows, tombstone)
    recipients: list[str] = []
    if public.size("keys.json") is not None:
        log = open_log(public, signer)
        recipients = write_notices(private, log, on)
        if tombstone or recipients:
            facts: dict[str, str | int] = {"releases": len(log.superseded()), "recipients": len(recipients)}
            audit.record(private, "withdrawal_done", tombstone=tombstone, **facts)
        point_to_head(public, signer, on)
        sign_head(private, public, signer)
    return Withdrawal(
        new_release_id=next((new for _, new, head in reversed(replaced) if head), ""),
        reissued=tuple((old, new) for old, new, head in replaced if not head),
        tombstone=tombstone,
        series=len(rows.series),
        instances=len(rows.instances),
        proofs=tuple(proofs),
        recipients=tuple(recipients),
        suppressed=len(scope.suppressed),
        found=bool(scope.study_keys or rows.series),
    )


def _stop_publishers(public: Store, signer: Signer, on: date) -> frozenset[str]:
    """Make every publisher that is at work start again, and so ask the suppression list again; return the ids that they held.

    A publisher that asked the list before it was written has put all its files by then and commits next: an entry of our own takes its
    place in the log. Nothing is appended when nobody is at work. # PRIVACY: tests/publish/test_withdraw_races.py.
    """
    for _ in range(_ROUNDS):
        held = {key.split("/", 2)[1] for key in public.keys("releases/")}
        log = open_log(public, signer)
        unfinished = frozenset(held - {e.release_id for e in log.releases()})
        if not unfinished or append(public, signer, log, "barrier", {"on": on.isoformat()}):
            return unfinished
    raise refuse(Cause.OBJECT_CONFLICT, "log", "does not hold still")


def _replace_releases(
    private: Store, public: Store, signer: Signer, on: date, scope: Scope, rows: Plan, replaced: list[tuple[str, str, bool]]
) -> None:
    """Replace every release that holds something of the scope; looks again until none is left, as publishers may be at work."""
    for _ in range(_ROUNDS):
        log = open_log(public, signer)
        gone = log.superseded()
        _collect_from_superseded(public, [e for e in log.releases() if e.release_id in gone], scope, rows)
        live = [e for e in log.releases() if e.release_id not in gone]
        affected = [e for e in live if _affected_series(public, e, scope, rows)]
        if not affected:
            return
        current = log.current()
        for entry in sorted(affected, key=lambda e: e is not current):
            head = entry is current
            with scratch_folder("withdraw") as folder:
                withdrawn = frozenset(rows.series)
                base = entry.release_id.split("+")[0]
                reissues = sum(e.release_id.startswith(f"{base}+r") for e in log.releases())
                done = commit_release(
                    public,
                    signer,
                    on,
                    lambda log_, id_: reissue_without(folder, public, signer, on, log_, entry, withdrawn, id_, is_head=head),  # noqa: B023
                    check=lambda: None,
                    kind="release" if head else "reissue",
                    fixed_id=None if head else lambda attempt: f"{base}+r{reissues + 1 + attempt}",  # noqa: B023
                )
            audit.record(private, "release_replaced", old=entry.release_id, new=done.release_id, root=done.root)
            replaced.append((entry.release_id, done.release_id, head))
    raise refuse(Cause.WITHDRAWAL_UNPROVEN, "withdraw", "publishers keep releasing it")


def _affected_series(public: Store, entry: Entry, scope: Scope, rows: Plan) -> bool:
    """Add what this release holds of the scope to `rows`; say whether it holds anything."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with scratch_folder("withdraw") as folder:
        try:
            manifests = fetch_manifests(public, entry.release_id, folder)
        except KeyError:
            return False
        columns = ["patient_id", "StudyInstanceUID", "SeriesInstanceUID", "series_version_id"]
        series = read_grain(manifests, "series", columns)
        hit = pc.or_(
            pc.is_in(series["patient_id"], value_set=pa.array(sorted(scope.patients), pa.string())),
            pc.or_(
                pc.is_in(series["StudyInstanceUID"], value_set=pa.array(sorted(scope.studies), pa.string())),
                pc.is_in(series["SeriesInstanceUID"], value_set=pa.array(sorted(scope.series), pa.string())),
            ),
        )
        found = series.filter(hit)
        if not found.num_rows:
            return False
        uids = pa.array(found["SeriesInstanceUID"].to_pylist(), pa.string())
        left = series.filter(pc.invert(hit))
        rows.studies |= set(found["StudyInstanceUID"].to_pylist()) - set(left["StudyInstanceUID"].to_pylist())
        rows.series |= set(uids.to_pylist())
        rows.versions |= set(found["series_version_id"].to_pylist())
        for path in parts(manifests, "instance"):
            for batch in pq.ParquetFile(path).iter_batches(columns=["SeriesInstanceUID", "SOPInstanceUID"]):
                mine = batch.filter(pc.is_in(batch["SeriesInstanceUID"], value_set=uids))
                rows.instances |= set(mine["SOPInstanceUID"].to_pylist())
    return True


def _collect_from_superseded(public: Store, entries: list[Entry], scope: Scope, rows: Plan) -> None:
    """A killed withdrawal may have replaced releases whose rows are still there: they say what is to be purged."""
    for entry in entries:
        _affected_series(public, entry, scope, rows)


def _purge_everywhere(
    public: Store, replicas: Sequence[Store], signer: Signer, rows: Plan, scope: Scope, unfinished: frozenset[str]
) -> list[Proof]:
    """Purge withdrawn objects, and the rows of releases that were replaced or that no publisher will finish (`unfinished`)."""
    instances = rows.instances | scope.instances
    log = open_log(public, signer) if public.size("keys.json") is not None else None
    dead = set(log.superseded()) | unfinished if log else set()

    def gone(key: str) -> bool:
        if key.startswith("series/"):
            return key.rsplit("/", 1)[-1].removesuffix(".dcm") in instances
        kind, _, rest = key.partition("/")
        release_id, _, name = rest.partition("/")
        return kind == "releases" and release_id in dead and name.startswith(ROW_LEVEL)

    proofs = []
    for store in (public, *replicas):
        discard_unfinished(store, gone)
        proofs.append(purge(store, (v.key for place in ("series/", "releases/") for v in store.versions(place) if gone(v.key))))
    return proofs


def _publish_tombstone(public: Store, signer: Signer, on: date, rows: Plan) -> str:
    """Publish one tombstone for everything not yet recorded, and commit it; "" when there is nothing new."""
    if public.size("keys.json") is None:
        return ""
    skip = 0
    for _ in range(_ROUNDS * 10):
        log = open_log(public, signer)
        known = read_withdrawn(public, log, lambda *_: None)
        series = sorted(rows.series - known.series)
        if not series:
            return ""
        studies = sorted(rows.studies - known.studies)
        number = 1 + skip + max((number_of(str(e.body["tombstone"])) for e in log.entries if e.kind == "withdrawal"), default=0)
        body: dict[str, Any] = {
            "number": number,
            "on": on.isoformat(),
            "reason": "withdrawn",
            "studies": studies,
            "series": series,
            "series_versions": sorted(rows.versions - known.series_versions),
            "request": "Delete every copy of these objects and of anything derived from them that still shows them.",
        }
        data = readable_json(body)
        key = tombstone_key(number)
        try:
            public.put(key, data, if_absent=True)
        except AlreadyExistsError:
            if public.get(key) != data:
                skip += 1  # another withdrawal, at work or killed, holds this number
                continue
        counts = {"studies": len(studies), "series": len(series), "instances": len(rows.instances)}
        entry = {"on": on.isoformat(), "tombstone": key, "tombstone_sha256": sha256_hex(data), "counts": counts}
        if append(public, signer, log, "withdrawal", entry):
            return key
        skip = 0
    raise refuse(Cause.OBJECT_CONFLICT, "withdraw", "the log does not hold still")
