"""The store in an S3 bucket: conditional puts, checksums, versions, encryption; path or virtual addressing.

The contract is in `tasks/publish/store.py`; what errors mean is in `s3_errors.py`. Options are written in the URL:
`s3://bucket/prefix?endpoint=http://127.0.0.1:7480&addressing=path&region=eu-west-1&profile=publisher&sse=aws:kms&kms_key_id=…`;
without them boto3's own settings (environment, profiles, roles) apply.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import secrets
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from botocore.exceptions import BotoCoreError, ClientError

from tasks.errors import ReleaseError, UsageError
from tasks.publish.causes import Cause, refuse
from tasks.publish.s3_body import ResumingBody
from tasks.publish.s3_errors import ABSENT, CONFLICT, PRECONDITION, code_of, explain, explained
from tasks.publish.store import PROBES, AlreadyExistsError, Version

OPTIONS = frozenset(("endpoint", "addressing", "region", "profile", "sse", "kms_key_id"))
_MULTIPART_FROM = 64 << 20
_PART = 16 << 20
_CONFLICT_RETRIES = 5
_ASK_FIRST_FROM = 1 << 20
CONNECTIONS = 32


def open_s3(bucket: str, prefix: str, options: dict[str, str], *, anonymous: bool = False) -> S3Store:
    """Open a bucket without asking the server anything yet."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    unknown = options.keys() - OPTIONS
    if unknown or not bucket:
        raise UsageError("store", "not an S3 URL that can be used", f"write s3://bucket/prefix; options are {', '.join(sorted(OPTIONS))}")
    settings: dict[str, Any] = {
        "retries": {"mode": "standard", "max_attempts": 5},
        "connect_timeout": 10,
        "read_timeout": 60,
        "max_pool_connections": CONNECTIONS,
        # Checksums are sent as Content-MD5, which every server checks; many do not know the flexible ones.
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "s3": {"addressing_style": options.get("addressing", "auto")},
    }
    if anonymous:
        settings["signature_version"] = UNSIGNED
    try:
        with explained():
            session = boto3.session.Session(profile_name=options.get("profile"), region_name=options.get("region"))
            region = session.region_name or "us-east-1"
            client = session.client("s3", endpoint_url=options.get("endpoint"), region_name=region, config=Config(**settings))
    except ValueError:
        raise UsageError("store", "the endpoint is not a URL", "write endpoint=https://host:port") from None
    client.meta.events.register_last("before-call.s3", _send_small_bodies_at_once)
    store = S3Store(client, bucket, prefix, sse=options.get("sse", ""), kms_key_id=options.get("kms_key_id", ""))
    if "endpoint" in options:  # a bucket of the same name on another server is another store
        store.url += f"?endpoint={options['endpoint']}"
    return store


def _send_small_bodies_at_once(params: dict[str, Any], **_: Any) -> None:
    """Do not ask the server whether it wants a small body (`Expect: 100-continue`): the question costs as much as the body."""
    body = params.get("body")
    if isinstance(body, bytes) and len(body) < _ASK_FIRST_FROM:
        params["headers"].pop("Expect", None)


class S3Store:
    """A store in a bucket, below a prefix. Safe to use from several threads."""

    together = 1  # there is one request for each object
    parallel = 16

    def __init__(self, client: Any, bucket: str, prefix: str, *, sse: str = "", kms_key_id: str = "") -> None:
        self.client, self.bucket = client, bucket
        self.prefix = f"{prefix}/" if prefix else ""
        self.url = f"s3://{bucket}/{prefix}".rstrip("/")
        self._encryption: dict[str, str] = {}
        if sse:
            self._encryption["ServerSideEncryption"] = sse
        if kms_key_id:
            self._encryption |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id}

    def _at(self, key: str) -> dict[str, str]:
        if not key or key.startswith("/") or any(p in ("", ".", "..") for p in key.split("/")):
            raise ValueError("not a store key")
        return {"Bucket": self.bucket, "Key": self.prefix + key}

    def put_all(self, items: Sequence[tuple[str, bytes | Path]]) -> set[str]:
        taken = set()
        for key, data in items:
            try:
                self.put(key, data, if_absent=True)
            except AlreadyExistsError:
                taken.add(key)
        return taken

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> None:
        if isinstance(data, Path):
            if data.stat().st_size >= _MULTIPART_FROM:
                self._put_parts(key, data, if_absent=if_absent)
                return
            data = data.read_bytes()
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        if not self._put_bytes(key, data, condition):
            raise AlreadyExistsError(key)

    def _put_bytes(self, key: str, data: bytes, condition: dict[str, str]) -> bool:
        """Put one small object; False when the condition does not hold. What the server answers is checked."""
        md5 = hashlib.md5(data, usedforsecurity=False)
        for attempt in range(_CONFLICT_RETRIES):
            try:
                answer = self.client.put_object(
                    **self._at(key), Body=data, ContentMD5=base64.b64encode(md5.digest()).decode(), **condition, **self._encryption
                )
                break
            except ClientError as error:
                code = code_of(error)
                if code in PRECONDITION:
                    return False
                if code not in CONFLICT or attempt == _CONFLICT_RETRIES - 1:
                    raise explain(error) from None
            except BotoCoreError as error:
                raise explain(error) from None
        # The tag is the server's own MD5 of what it keeps: with it no further question is needed. Objects under KMS have other tags,
        # and some servers echo none; those are asked for.
        proven = str(answer.get("ETag", "")).strip('"') == md5.hexdigest()
        encryption = self._encryption.get("ServerSideEncryption")
        if not proven or (encryption and answer.get("ServerSideEncryption") != encryption):
            self._check_head(key, len(data))
        return True

    def _check_head(self, key: str, size: int) -> None:
        with explained():
            head = self.client.head_object(**self._at(key))
        if head["ContentLength"] != size:
            raise refuse(Cause.UPLOAD_DAMAGED, "store")
        wanted = self._encryption.get("ServerSideEncryption")
        if wanted and head.get("ServerSideEncryption") != wanted:
            raise refuse(Cause.NOT_ENCRYPTED, "store")

    def _put_parts(self, key: str, path: Path, *, if_absent: bool) -> None:
        """Put a large object in parts. The condition is checked before and, where the server can, at completion."""
        if if_absent and self.size(key) is not None:
            raise AlreadyExistsError(key)
        with explained():
            upload = self.client.create_multipart_upload(**self._at(key), **self._encryption)["UploadId"]
        parts: list[dict[str, Any]] = []
        try:
            with path.open("rb") as file:
                while data := file.read(_PART):
                    md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
                    number = len(parts) + 1
                    part = self.client.upload_part(**self._at(key), UploadId=upload, PartNumber=number, Body=data, ContentMD5=md5)
                    parts.append({"PartNumber": number, "ETag": part["ETag"]})
            condition = {"IfNoneMatch": "*"} if if_absent else {}
            self.client.complete_multipart_upload(**self._at(key), UploadId=upload, MultipartUpload={"Parts": parts}, **condition)
        except (ClientError, BotoCoreError, OSError) as error:
            with contextlib.suppress(ClientError, BotoCoreError):
                self._abort(key, upload)
            if isinstance(error, ClientError) and code_of(error) in PRECONDITION | CONFLICT:
                raise AlreadyExistsError(key) from None
            raise explain(error) from None
        self._check_head(key, path.stat().st_size)

    def get(self, key: str) -> bytes:
        with self.open(key) as file:
            return file.read()

    def open(self, key: str) -> BinaryIO:
        answer = self._get(key, {})
        if answer is None:
            raise KeyError(key)
        return cast(BinaryIO, io.BufferedReader(ResumingBody(partial(self._get, key), answer), 1 << 20))

    def _get(self, key: str, more: dict[str, str]) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = self.client.get_object(**self._at(key), **more)
            return answer
        except ClientError as error:
            if code_of(error) in ABSENT:
                return None
            raise explain(error) from None
        except BotoCoreError as error:
            raise explain(error) from None

    def size(self, key: str) -> int | None:
        try:
            return int(self.client.head_object(**self._at(key))["ContentLength"])
        except ClientError as error:
            if code_of(error) in ABSENT:
                return None
            raise explain(error) from None
        except BotoCoreError as error:
            raise explain(error) from None

    def keys(self, prefix: str = "") -> Iterator[str]:
        for key, _ in self.sizes(prefix):
            yield key

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        with explained():
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                for found in page.get("Contents", []):
                    yield found["Key"][len(self.prefix) :], int(found["Size"])

    def versions(self, prefix: str = "") -> Iterator[Version]:
        with explained():
            for page in self.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                for kind, marker in (("Versions", False), ("DeleteMarkers", True)):
                    for found in page.get(kind, []):
                        yield Version(found["Key"][len(self.prefix) :], str(found["VersionId"]), marker)

    def delete(self, key: str) -> None:
        for version in [v for v in self.versions(key) if v.key == key]:
            with explained():
                self.client.delete_object(**self._at(key), VersionId=version.version_id)

    def readable(self, version: Version) -> bool:
        if version.is_delete_marker:
            return False
        try:
            self.client.get_object(**self._at(version.key), VersionId=version.version_id, Range="bytes=0-0")["Body"].close()
        except ClientError as error:
            if code_of(error) in ABSENT:
                return False
            if code_of(error) == "InvalidRange":
                return True
            raise explain(error) from None
        except BotoCoreError as error:
            raise explain(error) from None
        return True

    def local_path(self, key: str) -> Path | None:
        return None

    def replace(self, key: str, data: bytes, expected: bytes | None) -> bool:
        if expected is None:
            return self._put_bytes(key, data, {"IfNoneMatch": "*"})
        # Ceph compares the tag without its quotes, AWS with them: the second form is tried only while the object is still the expected one.
        for quoted in (True, False):
            answer = self._get(key, {})
            if answer is None or answer["Body"].read() != expected:
                return False
            etag = str(answer["ETag"])
            if self._put_bytes(key, data, {"IfMatch": etag if quoted else etag.strip('"')}):
                return True
        return False

    def discard_unfinished(self, of: Callable[[str], bool], prefix: str = "") -> int:
        count = 0
        with explained():
            for page in self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                for upload in page.get("Uploads", []):
                    if of(key := upload["Key"][len(self.prefix) :]):
                        self._abort(key, upload["UploadId"])
                        count += 1
        return count

    def _abort(self, key: str, upload: str) -> None:
        try:
            self.client.abort_multipart_upload(**self._at(key), UploadId=upload)
        except ClientError as error:
            if code_of(error) not in ABSENT:
                raise

    def probe(self, prefix: str = "probe/") -> None:
        for stale in sorted({v.key for v in self.versions(prefix)}):
            self.delete(stale)
        # A store that ignores conditions would let one publisher overwrite what another has committed.
        for _ in range(PROBES):
            if self._honours_conditions(f"{prefix}{secrets.token_hex(16)}"):
                return
        raise refuse(Cause.NO_CONDITIONAL_PUT, "store")

    def _honours_conditions(self, key: str) -> bool:
        try:
            self.put(key, b"one", if_absent=True)
        except ReleaseError:
            with contextlib.suppress(ReleaseError):  # what was put, but not as it was asked for
                self.delete(key)
            if self._encryption and self._answers(key):
                raise refuse(Cause.NOT_ENCRYPTED, "store", "it does not take this kind of encryption, or this key") from None
            raise
        try:
            if self._encryption:
                self._check_head(key, 3)
            refused = not self._put_bytes(key, b"two", {"IfNoneMatch": "*"})
            matched = not self._put_bytes(key, b"two", {"IfMatch": '"00000000000000000000000000000000"'})
            return refused and matched and self.get(key) == b"one"
        except KeyError:
            return False
        finally:
            self.delete(key)

    def _answers(self, key: str) -> bool:
        """Say whether the server answers to a question without encryption in it: servers blame the credentials for a wrong KMS key."""
        try:
            return self.size(key) is None
        except ReleaseError:
            return False
