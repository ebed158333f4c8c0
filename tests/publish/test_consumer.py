"""What consumers and officers run: get, stock tools, keys, retire, patient report, the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from tasks.errors import ReleaseError, UsageError
from tasks.publish.causes import CAUSES, Cause
from tasks.publish.get import get
from tasks.publish.key_rotation import add_key, revoke_key
from tasks.publish.log import read_log
from tasks.publish.patient_report import report_patient
from tasks.publish.release import publish_candidate
from tasks.publish.retire import retire
from tasks.publish.signing import make_signing_key, read_signer
from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tests.publish.corpus import DAY, Shape, approve, frozen, uid
from tests.publish.test_release_protocol import SIGNER, published, tree
from tests.publish.test_withdraw import two_releases, withdraw_patient


def test_get_downloads_what_matches_resumes_and_mends(tmp_path):
    _, public, _, _ = published(tmp_path)
    dest = tmp_path / "mine"
    first = get(public, dest, where="SeriesNumber = 1 AND patient_age_years > 30")
    assert (first.objects, first.downloaded, first.kept) == (9, 9, 0)
    damaged = next(dest.glob("P0001/*/*/*.dcm"))
    damaged.write_bytes(b"half")
    again = get(public, dest, where="SeriesNumber = 1")
    assert (again.downloaded, again.kept) == (1, 8)
    assert damaged.stat().st_size > 800
    assert get(public, dest).objects == 18
    assert [p.name for p in dest.rglob("*.part")] == []


@pytest.mark.parametrize("where", ["nonsense(", "1; DROP TABLE series", "SeriesNumber IN (SELECT * FROM read_csv('/etc/passwd'))"])
def test_a_condition_sees_the_manifests_and_nothing_else(tmp_path, where):
    _, public, _, _ = published(tmp_path)
    with pytest.raises(UsageError, match="--where"):
        get(public, tmp_path / "mine", where=where)


@pytest.mark.slow
def test_get_prunes_what_was_withdrawn(tmp_path):
    private, public = two_releases(tmp_path)
    dest = tmp_path / "mine"
    get(public, dest)
    assert list(dest.glob("P0001/*/*/*.dcm"))
    withdraw_patient(private, public)
    with pytest.raises(ReleaseError) as caught:
        get(public, dest, release_id="2026.11.1")
    assert caught.value.cause == Cause.TOMBSTONED_CONTENT
    done = get(public, dest, prune=True)
    assert (done.pruned, done.downloaded) == (12, 0)
    assert not (dest / "P0001").exists()
    assert list((dest / "manifests/2026.11.1").glob("*.parquet")) == []


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")
def test_a_release_is_verified_by_ssh_keygen_and_sha256sum_alone(tmp_path):
    published(tmp_path)
    check = "ssh-keygen -Y verify -f allowed_signers -I publisher -n dataset-release -s SHA256SUMS.sshsig < SHA256SUMS"
    command = f"{check} && sha256sum -c --quiet SHA256SUMS"
    folder = tmp_path / "public/releases/2026.11.0"
    subprocess.run(["bash", "-c", command], cwd=folder, check=True, capture_output=True)
    (folder / "README.md").write_text("changed")
    assert subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, check=False).returncode != 0


@pytest.mark.skipif(not shutil.which("minisign"), reason="minisign is not installed")
def test_a_release_is_verified_by_minisign(tmp_path):
    published(tmp_path)
    folder = tmp_path / "public/releases/2026.11.0"
    command = ["minisign", "-V", "-p", "minisign.pub", "-m", "SHA256SUMS", "-x", "SHA256SUMS.minisig"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    assert "sample 2026.11.0 root" in done.stdout
    (folder / "SHA256SUMS").write_text("changed")
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode != 0


@pytest.mark.slow
def test_keys_rotate_and_a_revoked_key_signs_nothing_more(tmp_path):
    private, public, _, _ = published(tmp_path)
    make_signing_key(tmp_path / "new.key")
    new = read_signer(tmp_path / "new.key")
    candidate = frozen(private, Shape(patients=4))
    with pytest.raises(ReleaseError) as caught:
        publish_candidate(private, public, candidate, *approve(candidate), new, DAY)
    assert caught.value.cause == Cause.KEY_NOT_TRUSTED
    with pytest.raises(ReleaseError, match="last one"):
        revoke_key(private, public, SIGNER, SIGNER.public.key_id, DAY)
    add_key(private, public, SIGNER, new.public, DAY)
    assert verify(public, today=DAY).ok
    publish_candidate(private, public, candidate, *approve(candidate), new, DAY)
    revoke_key(private, public, new, SIGNER.public.key_id, DAY)
    assert verify(public, full=True, today=DAY).ok
    assert verify(public, "2026.11.0", full=True, today=DAY).ok
    later = frozen(private, Shape(patients=5))
    with pytest.raises(ReleaseError) as caught:
        publish_candidate(private, public, later, *approve(later), SIGNER, DAY)
    assert caught.value.cause == Cause.KEY_NOT_TRUSTED
    assert [e.kind for e in read_log(public).entries] == ["release", "key_added", "release", "key_revoked"]


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    make_signing_key(tmp_path / "new.key")
    (tmp_path / "new.key").chmod(0o644)
    with pytest.raises(ReleaseError) as caught:
        read_signer(tmp_path / "new.key")
    assert (caught.value.cause, caught.value.exit_code) == (Cause.KEY_PERMISSIONS, 25)
    (tmp_path / "bad.key").write_bytes(b"no key")
    (tmp_path / "bad.key").chmod(0o600)
    with pytest.raises(ReleaseError) as caught:
        read_signer(tmp_path / "bad.key")
    assert caught.value.cause == Cause.KEY_UNREADABLE


def test_an_expired_approval_publishes_nothing_and_a_valid_one_is_attested(tmp_path):
    private, public = open_store(str(tmp_path / "private")), open_store(str(tmp_path / "public"))
    candidate = frozen(private)
    approval = {"candidate_root": candidate.root, "expires_on": "2026-11-20", "reviewers": "1"}
    with pytest.raises(ReleaseError) as caught:
        publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY, approval=approval)
    assert (caught.value.cause, list(public.keys())) == (Cause.APPROVAL_EXPIRED, [])
    publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY, approval={**approval, "expires_on": "2026-12-01"})
    assert verify(public, full=True, today=DAY).ok
    assert public.size("releases/2026.11.0/attestations/approval.dsse.json")


@pytest.mark.slow
def test_a_retired_release_is_kept_but_not_current(tmp_path):
    private, public = two_releases(tmp_path)
    retire(private, public, SIGNER, DAY, ["2026.11.1"], "wrong_metadata")
    assert retire(private, public, SIGNER, DAY, ["2026.11.1"], "wrong_metadata") == 3
    assert (verify(public, today=DAY).release_id, verify(public, "2026.11.1", full=True, today=DAY).status) == ("2026.11.0", "retired")


@pytest.mark.slow
def test_a_patient_report_says_in_which_releases_a_person_is(tmp_path):
    private, public = two_releases(tmp_path)
    assert report_patient(private, public, "MRN-00004").releases == (("2026.11.1", 2, 4, 12),)
    assert "MRN" not in repr(report_patient(private, public, "MRN-00004"))
    withdraw_patient(private, public, 4)
    report = report_patient(private, public, "MRN-00004")
    assert (report.withdrawn, report.releases) == (True, ())
    assert report_patient(private, public, "nobody").known is False


@dataclass
class Shell:
    folder: object

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "flows", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_the_command_line_verifies_gets_withdraws_and_reports(tmp_path):
    two_releases(tmp_path)
    secret = tmp_path / "secret.key"
    secret.write_bytes(bytes(range(32)).hex().encode())
    secret.chmod(0o600)
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        f"dataset: sample\narchive: {{kind: folder, path: a}}\nprivate: {(tmp_path / 'private').as_uri()}\n"
        f"public: {(tmp_path / 'public').as_uri()}\nsecret: {{file: secret.key}}\n"
    )
    run, url, state = Shell(tmp_path), str(tmp_path / "public"), str(tmp_path / "seen.json")
    verified = run("verify", url, "--full", "--json", "--state", state)
    assert (verified.returncode, json.loads(verified.stdout)["status"]) == (0, "valid"), verified.stderr
    withdrawn = run("withdraw", str(spec), "--patient-id", "MRN-00001", "--json")
    assert withdrawn.returncode == 0, withdrawn.stderr
    new, month = json.loads(withdrawn.stdout)["new_release_id"], f"{datetime.now(UTC):%Y.%m}"
    assert new == ("2026.11.2" if month == "2026.11" else f"{month}.0")
    assert "MRN" not in withdrawn.stdout + withdrawn.stderr
    assert run("audit-log", str(spec)).returncode == 0
    got = run("get", url, str(tmp_path / "mine"), "--where", "Modality = 'CT'", "--json")
    assert json.loads(got.stdout)["objects"] == 36, got.stderr
    (tmp_path / f"public/releases/{new}/README.md").write_text("changed")
    changed = run("verify", url, "--state", state)
    assert changed.returncode == CAUSES[Cause.FILE_CHANGED].exit_code
    assert f"file_changed: releases/{new}/README.md" in changed.stdout


def test_every_cause_has_its_own_exit_code():
    assert set(CAUSES) == set(Cause)
    codes = [entry.exit_code for entry in CAUSES.values()]
    assert len(codes) == len(set(codes))
    assert all(10 <= code < 126 for code in codes)


def test_public_bytes_name_no_source(tmp_path):
    two_releases(tmp_path)
    for name, data in tree(tmp_path / "public").items():
        assert b"MRN-" not in data, name
        assert b"1.2." + uid(1).encode() not in data, name
