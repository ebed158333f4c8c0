"""The S3 store, the roles' policies, a whole life of a dataset and its purge on a real server (Ceph radosgw)."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from tasks.errors import ReleaseError
from tasks.publish.causes import Cause
from tasks.publish.release import publish_candidate
from tasks.publish.store import AlreadyExistsError, open_store
from tasks.publish.verify import verify
from tests.publish.corpus import DAY, Shape, approve, frozen, uid
from tests.publish.test_release_protocol import SIGNER
from tests.publish.test_withdraw import LATER, withdraw_patient

pytestmark = [pytest.mark.servers, pytest.mark.slow]
make = runpy.run_path(str(Path(__file__).resolve().parents[2] / "infra/policies/make.py"))
ARN = "arn:aws:iam:::user/{}"


def cause_of(work) -> Cause | None:
    try:
        work()
    except ReleaseError as error:
        return error.cause
    return None


def test_the_contract_of_a_store(radosgw, as_user, tmp_path):
    as_user("test")
    store = open_store(radosgw.bucket("contract"))
    store.probe()
    store.put("a/b", b"one", if_absent=True)
    with pytest.raises(AlreadyExistsError):
        store.put("a/b", b"two", if_absent=True)
    assert (store.get("a/b"), store.size("a/b"), store.size("a/c")) == (b"one", 3, None)
    assert store.replace("a/b", b"three", b"two") is False
    assert store.replace("a/b", b"three", b"one") is True
    assert (list(store.keys("a/")), dict(store.sizes())) == (["a/b"], {"a/b": 5})
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * (66 << 12))
    store.put("large", large, if_absent=True)
    with pytest.raises(AlreadyExistsError):
        store.put("large", large, if_absent=True)
    with store.open("large") as file:
        assert file.read() == large.read_bytes()
    with pytest.raises(KeyError):
        store.get("a/c")


def test_a_store_that_ignores_conditions_is_refused(radosgw, as_user):
    """Ceph ignores If-None-Match where versioning is enabled; the probe finds that out before anything is published."""
    as_user("test")
    store = open_store(radosgw.bucket("versioned", versioning=True))
    with pytest.raises(ReleaseError) as caught:
        store.probe()
    assert (caught.value.cause, caught.value.exit_code) == (Cause.NO_CONDITIONAL_PUT, 16)
    assert list(store.versions()) == []


def test_every_refusal_of_the_server_has_its_own_cause(radosgw, as_user, monkeypatch):
    as_user("test")
    url = radosgw.bucket("refusals")
    assert cause_of(lambda: open_store(radosgw.url("no-such-bucket")).probe()) == Cause.NO_SUCH_BUCKET
    assert cause_of(lambda: open_store("s3://b/x?endpoint=http://127.0.0.1:9&addressing=path").probe()) == Cause.STORE_UNREACHABLE
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert cause_of(lambda: open_store(url).probe()) == Cause.STORE_CREDENTIALS
    as_user("reader")
    assert cause_of(lambda: open_store(url).probe()) == Cause.STORE_DENIED


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_wrong_by_an_hour_is_said_to_be(radosgw, as_user, monkeypatch, hours):
    from datetime import timedelta

    import botocore.auth

    as_user("test")
    store, right = open_store(radosgw.url("no-matter")), botocore.auth.get_current_datetime
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *args: right(*args) + timedelta(hours=hours))
    assert cause_of(store.probe) == Cause.CLOCK_SKEW


def test_a_dataset_is_encrypted_with_the_key_that_was_asked_for_or_not_published(radosgw, as_user, tmp_path):
    """SSE-KMS as Ceph has it; this Ceph has no SSE-S3, and a key that is not there must not look like wrong credentials."""
    as_user("test")
    url = radosgw.bucket("encrypted")
    private, public = open_store(str(tmp_path / "private")), open_store(f"{url}&sse=aws:kms&kms_key_id=testkey-1")
    candidate = frozen(private, Shape(patients=1, series=1))
    publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    assert verify(open_store(url), full=True, today=DAY).ok
    client = radosgw.client()
    heads = {key: client.head_object(Bucket="test-encrypted", Key=f"set/{key}") for key in public.keys("")}
    assert {(h.get("ServerSideEncryption"), h.get("SSEKMSKeyId")) for h in heads.values()} == {("aws:kms", "testkey-1")}
    for options in ("&kms_key_id=no-such-key", "&sse=aws:kms", "&sse=AES256"):
        store = open_store(url.replace("/set?", "/other?") + options)
        assert cause_of(store.probe) == Cause.NOT_ENCRYPTED, options
        assert list(store.keys("")) == []


def test_a_dataset_lives_on_the_server_and_a_withdrawal_leaves_no_version(radosgw, as_user, tmp_path):
    as_user("test")
    url = radosgw.bucket("life")
    private, public = open_store(str(tmp_path / "private")), open_store(url)
    for shape in (Shape(patients=2, series=1), Shape(patients=3, series=1, revision=1)):
        candidate = frozen(private, shape)
        publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    assert verify(public, full=True, today=DAY).ok
    client = radosgw.client()
    client.put_bucket_versioning(Bucket="test-life", VersioningConfiguration={"Status": "Enabled"})
    key = next(k for k in public.keys("series/") if f"{uid(1, 1, 1, 1)}.dcm" in k)
    public.put(key, public.get(key))  # a second version, and a delete marker over both
    client.delete_object(Bucket="test-life", Key=f"set/{key}")
    client.put_bucket_versioning(Bucket="test-life", VersioningConfiguration={"Status": "Suspended"})
    before = [v for v in public.versions("series/") if f"/{uid(1, 1)}." in v.key]
    assert len({v.version_id for v in before}) >= 3
    withdraw_patient(private, public)
    assert [v for v in public.versions("series/") if f"/{uid(1, 1)}." in v.key] == []
    assert [v for v in before if public.readable(v)] == []
    assert verify(public, full=True, today=LATER).ok
    assert verify(public, "2026.11.0", today=LATER).status == "superseded"


def test_roles_may_do_their_work_and_nothing_else(radosgw, as_user, tmp_path):
    as_user("test")
    client = radosgw.client()
    private = open_store(radosgw.bucket("private"))
    radosgw.bucket("public")
    private.put("vault/suppression/list.json", b'{"digests": []}')
    principals = {role: ARN.format(role) for role in make["ROLES"] if role != "reviewer"}
    for side in ("private", "public"):
        policy = make["bucket_policy"](side, f"test-{side}", "set", principals, tls_only=False)
        client.put_bucket_policy(Bucket=f"test-{side}", Policy=json.dumps(policy))
    candidate = frozen(private, Shape(patients=2, series=1))

    def stores(user: str):
        as_user(user)
        return open_store(radosgw.url("test-private")), open_store(radosgw.url("test-public"))

    mine, theirs = stores("publisher")
    publish_candidate(mine, theirs, candidate, *approve(candidate), SIGNER, DAY)
    key = next(iter(theirs.keys("series/")))
    assert cause_of(lambda: client_delete(radosgw, "publisher", f"set/{key}")) == Cause.STORE_DENIED
    mine.put("quarantine/objects/aa/coarsened.dcm", b"x")
    for forbidden in ("quarantine/instances/a.parquet", "vault/crosswalk/a.parquet", "vault/suppression/a.json", "vault/ledger/a.json"):
        assert cause_of(lambda forbidden=forbidden: mine.put(forbidden, b"x")) == Cause.STORE_DENIED
    assert mine.get("vault/suppression/list.json")
    mine, theirs = stores("worker")
    mine.put("quarantine/objects/aa/new.dcm", b"x")
    assert cause_of(lambda: theirs.put("series/x", b"x")) == Cause.STORE_DENIED
    assert cause_of(lambda: theirs.get("keys.json")) == Cause.STORE_DENIED
    assert cause_of(lambda: mine.get("vault/suppression/list.json")) == Cause.STORE_DENIED
    mine, theirs = stores("reader")
    assert verify(theirs, full=True, today=DAY).ok
    assert cause_of(lambda: mine.get(f"{candidate.prefix}candidate.json")) == Cause.STORE_DENIED
    assert cause_of(lambda: theirs.put("latest.json", b"{}")) == Cause.STORE_DENIED
    mine, theirs = stores("withdrawer")
    done = withdraw_patient(mine, theirs)
    assert (done.series, done.instances) == (1, 3)
    assert not [k for k in theirs.keys("series/") if f"/{uid(1, 1)}." in k]
    mine, theirs = stores("reader")
    assert verify(theirs, full=True, today=LATER).ok


def test_requests_without_tls_are_refused(radosgw, as_user):
    as_user("test")
    url = radosgw.bucket("tls")
    open_store(url).put("keys.json", b"{}")
    as_user("reader")
    for tls_only, cause in ((False, None), (True, Cause.STORE_DENIED)):
        policy = make["bucket_policy"]("public", "test-tls", "set", {"reader": ARN.format("reader")}, tls_only=tls_only)
        radosgw.client().put_bucket_policy(Bucket="test-tls", Policy=json.dumps(policy))
        assert cause_of(lambda: open_store(url).get("keys.json")) == cause


def client_delete(radosgw, user: str, key: str) -> None:
    from tasks.publish.s3_errors import explained

    with explained():
        radosgw.client(user).delete_object(Bucket="test-public", Key=key)
