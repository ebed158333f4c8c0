"""Every kind of tampering has its own verdict. Some are made with the publisher's own key: a dishonest or broken publisher."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.publish.canonical import readable_json, write_parquet
from tasks.publish.causes import CAUSES, Cause
from tasks.publish.folder_store import FolderStore
from tasks.publish.latest import point_to_head
from tasks.publish.log import Log, entry_bytes, read_log
from tasks.publish.manifest_schemas import manifest_schema
from tasks.publish.signing import Signer, open_dsse, sign_dsse, sign_minisign, sign_ssh, signer_from_secret
from tasks.publish.verify import verify
from tasks.secret import Secret
from tests.publish.corpus import DAY
from tests.publish.test_release_protocol import SIGNER
from tests.publish.test_withdraw import LATER, two_releases, withdraw_patient

STRANGER = signer_from_secret(Secret(bytes(range(1, 33))))
R = "releases/2026.11.1"


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, Path]:
    """Two releases of the sample, and the same after a withdrawal."""
    folder = tmp_path_factory.mktemp("originals")
    two_releases(folder / "two")
    withdraw_patient(*two_releases(folder / "withdrawn"))
    return {"two": folder / "two/public", "withdrawn": folder / "withdrawn/public"}


def edit(path: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def tamper(public: Path) -> None:
        file = public / path
        file.write_bytes(change(file.read_bytes()))

    return tamper


def remove(path: str) -> Callable[[Path], None]:
    return lambda public: (public / path).unlink()


def add(path: str) -> Callable[[Path], None]:
    return lambda public: (public / path).write_bytes(b"more")


def first_object(public: Path) -> Path:
    table = pq.read_table(public / R / "manifests/instance.parquet")
    return public / table["object_key"][0].as_py()


def on_object(change: Callable[[bytes], bytes | None]) -> Callable[[Path], None]:
    def tamper(public: Path) -> None:
        path = first_object(public)
        data = change(path.read_bytes())
        path.unlink() if data is None else path.write_bytes(data)

    return tamper


def republished(change: Callable[[Path], None], signer: Signer = SIGNER, **body: object) -> Callable[[Path], None]:
    """Change files of the newest release and sign everything again, as only the publisher can."""

    def tamper(public: Path) -> None:
        folder = public / R
        change(folder)
        names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and not p.name.startswith("SHA256SUMS"))
        described = json.loads((folder / "croissant.json").read_bytes())
        for file in [] if described.get("tampered") else described["distribution"]:
            file["sha256"] = hashlib.sha256((folder / file["contentUrl"]).read_bytes()).hexdigest()
        (folder / "croissant.json").write_bytes(readable_json(described))
        sums = "".join(f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names).encode()
        (folder / "SHA256SUMS").write_bytes(sums)
        (folder / "SHA256SUMS.sshsig").write_bytes(sign_ssh(SIGNER, sums))
        (folder / "SHA256SUMS.minisig").write_bytes(sign_minisign(SIGNER, sums, "comment"))
        relog(public, signer, sha256sums_sha256=hashlib.sha256(sums).hexdigest(), **body)

    return tamper


def relog(public: Path, signer: Signer = SIGNER, **body: object) -> None:
    """Write the newest log entry and latest.json again."""
    store = FolderStore(public)
    log = read_log(store)
    before = Log(log.genesis, log.entries[:-1], log.keys, log.revoked)
    old = {k: v for k, v in log.entries[-1].body.items() if k not in ("kind", "seq", "previous_sha256")}
    for name, value in list(body.items()):
        if name == "release_json_sha256" and value is None:
            body[name] = hashlib.sha256((public / R / "release.json").read_bytes()).hexdigest()
    (public / f"log/{log.seq:08d}.json").write_bytes(entry_bytes(signer, before, log.entries[-1].kind, {**old, **body}))
    if signer is SIGNER:
        (public / "latest.json").unlink()
        point_to_head(store, SIGNER, DAY)


def manifest(grain: str, change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        path = folder / f"manifests/{grain}.parquet"
        table = change(pq.read_table(path))
        sink = io.BytesIO()
        if table.schema.names == manifest_schema(grain).names:
            write_parquet(table, manifest_schema(grain), sink)
        else:
            pq.write_table(table, sink)
        path.write_bytes(sink.getvalue())

    return tamper


def cell(column: str, value: object) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        values = table[column].to_pylist()
        values[0] = value
        return table.set_column(table.schema.get_field_index(column), column, pa.array(values, table.schema.field(column).type))

    return change


def attestation(change: Callable[[dict], dict], signer: Signer = SIGNER) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        path = folder / "attestations/gates.dsse.json"
        statement = open_dsse(SIGNER.public, path.read_bytes())
        path.write_bytes(sign_dsse(signer, change(statement)))

    return tamper


def object_republished(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Change one object and every digest above it."""

    def tamper(public: Path) -> None:
        from tasks.publish.digests import compute_digests, series_prefix

        folder = public / R
        path = first_object(public)
        data = change(path.read_bytes())
        instance, series, study = (pq.read_table(folder / f"manifests/{g}.parquet") for g in ("instance", "series", "study"))
        instance = cell("size_bytes", len(data))(cell("sha256", hashlib.sha256(data).hexdigest())(instance))
        joined = instance.select(["SeriesInstanceUID", "SOPInstanceUID", "sha256"]).join(
            series.select(["SeriesInstanceUID", "StudyInstanceUID"]), "SeriesInstanceUID"
        )
        digests = compute_digests(joined)
        by_series = dict(zip(*(digests.series[c].to_pylist() for c in ("SeriesInstanceUID", "series_digest")), strict=True))
        by_study = dict(zip(*(digests.studies[c].to_pylist() for c in ("StudyInstanceUID", "study_digest")), strict=True))
        size = len(data) - path.stat().st_size
        uid = instance["SeriesInstanceUID"][0].as_py()
        old, new = path.parent, public / series_prefix(by_series[uid])
        if new != old:
            shutil.copytree(old, new)
        (new / path.name).write_bytes(data)

        def rows(table: pa.Table, update: Callable[[dict], dict]) -> pa.Table:
            return pa.Table.from_pylist([update(r) for r in table.to_pylist()], table.schema)

        mine = next(r["StudyInstanceUID"] for r in series.to_pylist() if r["SeriesInstanceUID"] == uid)

        def version(row: dict) -> dict:
            digest = by_series[row["SeriesInstanceUID"]]
            row = row | {"series_version_id": digest[:32]}
            if "object_key" in row:
                return row | {"object_key": f"{series_prefix(digest)}{row['SOPInstanceUID']}.dcm"}
            grown = size if row["SeriesInstanceUID"] == uid else 0
            return row | {"series_digest": digest, "s3_prefix": series_prefix(digest), "size_bytes": row["size_bytes"] + grown}

        def study_version(row: dict) -> dict:
            digest = by_study[row["StudyInstanceUID"]]
            grown = size if row["StudyInstanceUID"] == mine else 0
            return row | {"study_digest": digest, "study_version_id": digest[:32], "size_bytes": row["size_bytes"] + grown}

        tables = {"instance": rows(instance, version), "series": rows(series, version), "study": rows(study, study_version)}

        def write(folder: Path) -> None:
            for grain, table in tables.items():
                manifest(grain, lambda _, table=table: table)(folder)
            attestation(lambda s: {**s, "subject": [{**s["subject"][0], "digest": {"sha256": digests.root}}]})(folder)

        entry = read_log(FolderStore(public)).entries[-1].body
        counts = {**entry["counts"], "size_bytes": entry["counts"]["size_bytes"] + size}
        republished(write, root=digests.root, counts=counts)(public)

    return tamper


def older_copy(public: Path) -> None:
    """Yesterday's copy: the log and latest.json end before the second release."""
    (public / "log/00000002.json").unlink()
    (public / "latest.json").unlink()
    point_to_head(FolderStore(public), SIGNER, DAY)


def latest_points_back(public: Path) -> None:
    """latest.json as it was after the first release; the log goes on."""
    second = (public / "log/00000002.json").read_bytes()
    older_copy(public)
    (public / "log/00000002.json").write_bytes(second)


def foreign_log(public: Path) -> None:
    data = json.loads((public / "log/00000002.json").read_bytes())
    relog(public, STRANGER)
    assert json.loads((public / "log/00000002.json").read_bytes()) != data


def unchained(public: Path) -> None:
    store = FolderStore(public)
    log = read_log(store)
    old = {k: v for k, v in log.entries[1].body.items() if k not in ("kind", "seq", "previous_sha256")}
    head = Log(log.genesis, (*log.entries[:0], log.entries[1]), log.keys, log.revoked)
    (public / "log/00000002.json").write_bytes(entry_bytes(SIGNER, head, "release", old))


def revoked(public: Path) -> None:
    from tasks.publish.key_rotation import add_key, revoke_key
    from tasks.publish.log import append
    from tasks.publish.store import open_store

    store, private = FolderStore(public), open_store(str(public.parent / "scratch-private"))
    add_key(private, store, SIGNER, STRANGER.public, DAY)
    revoke_key(private, store, STRANGER, SIGNER.public.key_id, DAY)
    append(store, SIGNER, read_log(store), "retirement", {"on": DAY.isoformat(), "release_ids": []})


def block(statement: dict) -> dict:
    gates = [{**g, "verdict": "block"} for g in statement["predicate"]["gates"]]
    return {**statement, "predicate": {**statement["predicate"], "gates": gates}}


def expired_approval(folder: Path) -> None:
    statement = open_dsse(SIGNER.public, (folder / "attestations/gates.dsse.json").read_bytes())
    bound = {k: statement["predicate"][k] for k in ("dataset", "release_id", "seq", "released_on")}
    approval = {**statement, "predicateType": "urn:sallyport:approval:v1", "predicate": {**bound, "expires_on": "2026-11-01"}}
    (folder / "attestations/approval.dsse.json").write_bytes(sign_dsse(SIGNER, approval))


def swap_manifests(public: Path) -> None:
    one, two = (public / f"releases/2026.11.{n}/manifests/series.parquet" for n in (0, 1))
    a, b = one.read_bytes(), two.read_bytes()
    one.write_bytes(b)
    two.write_bytes(a)


def bring_back(public: Path) -> None:
    """The current release names a series again that a tombstone names."""
    folder = public / "releases/2026.11.2"
    series = pq.read_table(folder / "manifests/series.parquet")["SeriesInstanceUID"][0].as_py()
    path = public / "tombstones/00000001.json"
    data = json.loads(path.read_bytes())
    data["series"].append(series)
    path.write_bytes(readable_json(data))
    relog(public, tombstone_sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def other_croissant(folder: Path) -> None:
    described = json.loads((folder / "croissant.json").read_bytes())
    described["distribution"][0]["sha256"] = "0" * 64
    (folder / "croissant.json").write_bytes(readable_json({**described, "tampered": True}))


def preamble(data: bytes) -> bytes:
    return b"MZ" + data[2:]


def other_uid(data: bytes) -> bytes:
    return data.replace(b"UI\x0a\x002.25.1.1.1", b"UI\x0a\x002.25.9.9.9")


def undeclared(data: bytes) -> bytes:
    return data.replace(b"YES ", b"NO  ", 1)


TAMPERINGS = [
    ("the dataset is gone", shutil.rmtree, Cause.NO_RELEASE),
    ("keys.json is gone", remove("keys.json"), Cause.KEYS_INVALID),
    ("another publisher's key", lambda p: None, Cause.KEY_MISMATCH),
    ("an entry in the middle of the log is gone", lambda p: (add("log/00000004.json")(p), None)[1], Cause.LOG_GAP),
    ("an entry is cut short", edit("log/00000002.json", lambda d: d[:100]), Cause.LOG_UNREADABLE),
    ("an entry follows another past", unchained, Cause.LOG_CHAIN_BROKEN),
    ("an entry is changed", edit("log/00000002.json", lambda d: d.replace(b'"patients": 4', b'"patients": 5')), Cause.LOG_SIGNATURE),
    ("an entry is signed by a stranger", foreign_log, Cause.LOG_SIGNATURE),
    ("the end of the log is gone", remove("log/00000002.json"), Cause.LOG_TRUNCATED),
    ("the whole copy is older than seen", older_copy, Cause.LOG_TRUNCATED),
    ("latest.json is gone", remove("latest.json"), Cause.LATEST_INVALID),
    ("latest.json is forged", edit("latest.json", lambda d: d.replace(b'"seq": 2', b'"seq": 1')), Cause.LATEST_INVALID),
    ("latest.json is rolled back", latest_points_back, Cause.LATEST_ROLLED_BACK),
    ("a revoked key goes on signing", revoked, Cause.REVOKED_KEY),
    ("release.json is changed", edit(f"{R}/release.json", lambda d: d + b" "), Cause.RELEASE_JSON_CHANGED),
    ("SHA256SUMS is changed", edit(f"{R}/SHA256SUMS", lambda d: d + b"\n"), Cause.CHECKSUMS_CHANGED),
    ("the SSH signature is changed", edit(f"{R}/SHA256SUMS.sshsig", lambda d: d.replace(b"A", b"B")), Cause.SSH_SIGNATURE),
    ("the minisign comment is changed", edit(f"{R}/SHA256SUMS.minisig", lambda d: d.replace(b"root", b"rood")), Cause.MINISIGN_SIGNATURE),
    ("a document is gone", remove(f"{R}/DATA_DICTIONARY.md"), Cause.FILE_MISSING),
    ("a document is changed", edit(f"{R}/README.md", lambda d: d + b"!"), Cause.FILE_CHANGED),
    ("manifests of two releases are swapped", swap_manifests, Cause.FILE_CHANGED),
    ("a file is added", add(f"{R}/manifests/more.parquet"), Cause.FILE_UNLISTED),
    ("the attestation is by a stranger", republished(attestation(lambda s: s, STRANGER)), Cause.ATTESTATION_SIGNATURE),
    (
        "the attestation is of other bytes",
        republished(attestation(lambda s: {**s, "subject": [{"name": "x", "digest": {"sha256": "0" * 64}}]})),
        Cause.ATTESTATION_SUBJECT,
    ),
    ("a gate did not pass", republished(attestation(block)), Cause.GATE_NOT_PASSED),
    ("the approval had expired", republished(expired_approval), Cause.APPROVAL_INVALID),
    ("a column is added", republished(manifest("series", lambda t: t.append_column("source_id", t["patient_id"]))), Cause.SCHEMA_CHANGED),
    ("a column is gone", republished(manifest("study", lambda t: t.drop_columns(["split"]))), Cause.SCHEMA_CHANGED),
    ("a row is doubled", republished(manifest("patient", lambda t: pa.concat_tables([t, t.slice(0, 1)]))), Cause.DUPLICATE_KEY),
    ("a study has no patient", republished(manifest("study", cell("patient_id", "P9999"))), Cause.DANGLING_REFERENCE),
    ("a count is wrong", republished(manifest("study", cell("series_count", 7))), Cause.COUNTS_DISAGREE),
    ("a digest is wrong", republished(manifest("instance", cell("sha256", "0" * 64))), Cause.DIGEST_MISMATCH),
    ("croissant describes other files", republished(other_croissant), Cause.CROISSANT_INVALID),
    ("an object is gone", on_object(lambda d: None), Cause.OBJECT_MISSING),
    ("an object is longer", on_object(lambda d: d + b"\0"), Cause.OBJECT_SIZE),
    ("an object is changed", on_object(lambda d: d[:-1] + b"\xff"), Cause.OBJECT_CHANGED),
    ("an object is added", lambda p: (first_object(p).parent / "more.dcm").write_bytes(b"x"), Cause.OBJECT_UNLISTED),
    ("a preamble hides a program", object_republished(preamble), Cause.OBJECT_PREAMBLE),
    ("an object says it belongs elsewhere", object_republished(other_uid), Cause.OBJECT_IDENTITY),
    ("an object says it is not de-identified", object_republished(undeclared), Cause.OBJECT_DECLARATION),
    ("latest.json has expired", lambda p: None, Cause.LATEST_EXPIRED),
    ("a tombstone is gone", remove("tombstones/00000001.json"), Cause.TOMBSTONE_INVALID),
    ("a withdrawn series is still there", bring_back, Cause.TOMBSTONED_CONTENT),
]


@pytest.mark.parametrize(("what", "tamper", "cause"), TAMPERINGS, ids=[t[0] for t in TAMPERINGS])
def test_each_tampering_has_its_own_verdict(tmp_path, originals, what, tamper, cause):
    kind = "withdrawn" if "tombstone" in str(cause) else "two"
    public = tmp_path / "public"
    shutil.copytree(originals[kind], public)
    today = LATER if kind == "withdrawn" else DAY
    store, state = FolderStore(public), tmp_path / "seen.json"
    assert verify(store, full=True, state=state, today=today).ok
    tamper(public)
    options = {"today": today.replace(year=2030)} if cause == Cause.LATEST_EXPIRED else {"today": today}
    if cause == Cause.KEY_MISMATCH:
        options["trusted_fingerprint"] = STRANGER.public.fingerprint
    if cause in (Cause.LOG_TRUNCATED, Cause.LATEST_ROLLED_BACK):
        options["state"] = state  # seen with no other eyes than those of yesterday
    if what == "latest.json is gone":
        options["today"] = DAY.replace(day=30)
    report = verify(store, full=True, **options)
    assert cause in [p.cause for p in report.problems], report
    assert report.problems[0].cause == cause
    assert (report.status, report.exit_code) == ("invalid", CAUSES[cause].exit_code)


def test_every_cause_of_verification_is_provoked():
    provoked = {cause for _, _, cause in TAMPERINGS}
    assert {c for c, entry in CAUSES.items() if entry.exit_code >= 40} == provoked
    assert len(TAMPERINGS) >= 40
