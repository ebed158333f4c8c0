"""The S3 store against a server that misbehaves on demand, and against moto: addressing, encryption, parts, versions."""

from __future__ import annotations

import hashlib
from urllib.parse import urlencode

import pytest

from tasks.errors import ReleaseError, UsageError
from tasks.publish import s3_store
from tasks.publish.causes import CAUSES, Cause
from tasks.publish.release import publish_candidate
from tasks.publish.store import AlreadyExistsError, open_store
from tasks.publish.verify import verify
from tests.publish.corpus import DAY, Shape, approve, frozen, uid
from tests.publish.faulty_s3 import faulty_s3
from tests.publish.test_release_protocol import SIGNER
from tests.publish.test_withdraw import LATER, withdraw_patient


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    for name, value in {"ACCESS_KEY_ID": "me", "SECRET_ACCESS_KEY": "secret", "REGION": "us-east-1", "MAX_ATTEMPTS": "2"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)


def cause_of(work) -> Cause | None:
    try:
        work()
    except ReleaseError as error:
        assert "Doe" not in str(error), "a server's message may quote a key"
        assert error.exit_code == CAUSES[error.cause].exit_code
        return error.cause
    return None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("other region", Cause.WRONG_REGION),
        ("wrong region", Cause.WRONG_REGION),
        ("clock", Cause.CLOCK_SKEW),
        ("expired", Cause.STORE_CREDENTIALS),
        ("full", Cause.STORE_FULL),
        ("quota", Cause.STORE_FULL),
        ("always busy", Cause.STORE_UNREACHABLE),
        ("ignores conditions", Cause.NO_CONDITIONAL_PUT),
        ("damages", Cause.UPLOAD_DAMAGED),
        ("no listing", Cause.STORE_DENIED),
    ],
)
def test_what_a_server_refuses_or_spoils_has_its_own_cause_before_anything_is_published(tmp_path, fault, cause):
    with faulty_s3(fault) as server:
        private, public = open_store(str(tmp_path)), open_store(server.url)
        candidate = frozen(private, Shape(patients=1, series=1, instances=1))
        assert cause_of(lambda: publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)) == cause
        assert not [key for key in server.objects if "/probe/" not in key]


def test_buckets_of_the_same_name_on_two_servers_are_two_stores_to_a_consumer():
    urls = {open_store(f"s3://bucket/set{options}").url for options in ("", "?endpoint=http://one:1", "?endpoint=http://two:1")}
    assert len(urls) == 3


@pytest.mark.slow
def test_a_busy_server_a_conflict_and_a_broken_connection_are_tried_again():
    with faulty_s3("busy once") as server:
        store = open_store(server.url)
        store.put("a", b"x" * 5000)
        server.faults.add("conflict once")
        store.put("b", b"y" * 5000, if_absent=True)
        server.faults.add("breaks off")
        assert (store.get("a"), store.get("b")) == (b"x" * 5000, b"y" * 5000)


@pytest.mark.slow
def test_where_the_answer_to_a_put_proves_nothing_the_object_is_asked_for():
    with faulty_s3("no etag") as server:
        store = open_store(server.url)
        store.put("a", b"one")
        assert ("HEAD", "set/a") in server.requests
        server.faults.add("damages")
        assert cause_of(lambda: store.put("b", b"two")) == Cause.UPLOAD_DAMAGED
    with faulty_s3() as server:
        open_store(server.url).put("a", b"one")
        assert server.requests == [("PUT", "set/a")], "the server's own MD5 of what it keeps is proof enough"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["AES256", "aws:kms"])
def test_a_store_that_does_not_encrypt_as_asked_is_refused_at_the_first_put(kind):
    with faulty_s3() as server:
        open_store(f"{server.url}&sse={kind}").put("a", b"one")
        server.faults.add("no encryption")
        assert cause_of(lambda: open_store(f"{server.url}&sse={kind}").put("b", b"one")) == Cause.NOT_ENCRYPTED
        assert cause_of(lambda: open_store(f"{server.url}&sse={kind}").probe()) == Cause.NOT_ENCRYPTED


@pytest.mark.slow
@pytest.mark.parametrize(
    "url",
    ["s3://", "s3:///prefix", "s3://bucket/p?endpoint=nonsense", "s3://bucket/p?regoin=x", "ftp://host/x", "s3://bucket/p?profile=nobody"],
)
def test_a_url_that_cannot_be_used_is_refused_in_words(url):
    with pytest.raises((UsageError, ReleaseError)) as caught:
        open_store(url).probe()
    assert caught.value.remedy


@pytest.mark.parametrize("options", [{"addressing": "path"}, {"addressing": "virtual"}, {"sse": "AES256"}, {"kms_key_id": "key"}, {}])
@pytest.mark.parametrize("prefix", ["", "a/b", "a b/ü+%25"])
def test_addressing_encryption_and_prefixes(moto, options, prefix):
    store = open_store(f"s3://bucket/{prefix}?{urlencode(options)}")
    store.put("x/y", b"one", if_absent=True)
    with pytest.raises(AlreadyExistsError):
        store.put("x/y", b"two", if_absent=True)
    assert (store.get("x/y"), store.size("x/y"), list(store.keys()), list(store.sizes("x/"))) == (b"one", 3, ["x/y"], [("x/y", 3)])
    key = next(o["Key"] for o in moto.list_objects_v2(Bucket="bucket")["Contents"])
    encrypted = moto.head_object(Bucket="bucket", Key=key).get("ServerSideEncryption")
    assert encrypted == ("aws:kms" if "kms_key_id" in options else "AES256" if "sse" in options else encrypted)
    store.delete("x/y")
    assert list(store.versions()) == []


def test_a_large_file_goes_up_in_parts_and_a_failed_upload_leaves_none(moto, tmp_path, monkeypatch):
    monkeypatch.setattr(s3_store, "_MULTIPART_FROM", 6 << 20)
    monkeypatch.setattr(s3_store, "_PART", 5 << 20)
    large = tmp_path / "large"
    large.write_bytes(bytes(range(256)) * (12 << 12))
    store = open_store("s3://bucket/set?sse=AES256")
    store.put("large", large, if_absent=True)
    assert moto.head_object(Bucket="bucket", Key="set/large")["ETag"].endswith('-3"')
    with pytest.raises(AlreadyExistsError):
        store.put("large", large, if_absent=True)
    with store.open("large") as file:
        assert hashlib.sha256(file.read()).digest() == hashlib.sha256(large.read_bytes()).digest()

    def broken(**_):
        raise OSError

    monkeypatch.setattr(store.client, "upload_part", broken)
    assert cause_of(lambda: store.put("other", large)) == Cause.STORE_UNREACHABLE
    assert moto.list_multipart_uploads(Bucket="bucket").get("Uploads", []) == []


@pytest.mark.slow
def test_a_withdrawal_from_a_versioned_bucket_leaves_no_version_and_no_delete_marker(moto, tmp_path, monkeypatch):
    moto.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    private, public = open_store(str(tmp_path)), open_store("s3://bucket/set")
    for shape in (Shape(patients=2, series=1), Shape(patients=3, series=1, revision=1)):
        candidate = frozen(private, shape)
        publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    theirs = next(k for k in public.keys("series/") if f"{uid(1, 1, 1, 1)}.dcm" in k)
    public.put(theirs, public.get(theirs))
    moto.delete_object(Bucket="bucket", Key=f"set/{theirs}")
    before = [v for v in public.versions("series/") if f"/{uid(1, 1)}." in v.key]
    assert any(v.is_delete_marker for v in before) and len({v.version_id for v in before}) == len(before) > 4
    assert [v for v in before if public.readable(v)]
    from tasks.publish import purge

    monkeypatch.setattr(purge, "bounded_map", lambda function, items, _: map(function, items))  # moto is for one thread
    done = withdraw_patient(private, public)
    assert sum(p.versions for p in done.proofs) >= len(before)
    assert [v for v in public.versions("series/") if f"/{uid(1, 1)}." in v.key] == []
    assert [v for v in before if public.readable(v)] == []
    assert verify(public, full=True, today=LATER).ok
    assert {v.key for v in public.versions() if v.is_delete_marker} == set()


@pytest.mark.slow
def test_a_consumer_who_may_not_list_still_verifies_and_is_told_what_was_not_seen(tmp_path):
    with faulty_s3() as server:
        private, public = open_store(str(tmp_path)), open_store(server.url)
        candidate = frozen(private, Shape(patients=1, series=1))
        publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
        server.faults.add("no listing")
        report = verify(open_store(server.url, anonymous=True), full=True, today=DAY)
        assert (report.ok, len(report.notes)) == (True, 1), report
