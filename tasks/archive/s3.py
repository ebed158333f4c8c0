"""A bucket as an archive: DICOM objects under a prefix, whatever their keys are called. Reads only: list, and get by range."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlparse

from tasks.archive.files import ChangedError, FileArchive, Found, as_text
from tasks.archive.index import Entry
from tasks.archive.pace import Pace, PassingError
from tasks.archive_spec import S3Archive as S3Spec
from tasks.errors import ReleaseError
from tasks.model import PulledFile, StudyRef
from tasks.secret import Secret

RANGE_BYTES = 64 << 10
CHUNK_BYTES = 1 << 20

# PRIVACY: these loggers write keys, and those may hold names (tests/archive/test_remote_privacy.py).
for _name in ("boto3", "botocore", "s3transfer", "urllib3"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


class S3Archive(FileArchive):
    """Studies under a prefix of a bucket. The index is kept in `index_folder`, on the private side."""

    def __init__(self, spec: S3Spec, secret: Secret, index_folder: Path) -> None:
        name = secret.digest("archive-index", spec.url, spec.endpoint or "").hex()[:16]
        self._pace = Pace(spec.limits, index_folder, name)
        super().__init__(BucketTree(spec, self._pace), secret, index_folder / f"s3-{name}.sqlite")

    def pull_study(self, ref: StudyRef, into: Path) -> list[PulledFile]:
        """Copy the study's objects to `into`; ReleaseError when they are not what the index says."""
        self._pace.check_hours()
        with self._pace.pull():
            return super().pull_study(ref, into)


def look_into(spec: S3Spec) -> str:
    """List a little of the bucket and say what is there; raises ReleaseError. For `sallyport doctor`."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        tree = BucketTree(spec, Pace(spec.limits, Path(folder), "look"))
        count = sum(1 for _ in islice(tree.walk(), 1000))
    return f"can be listed: {count}{' or more' if count == 1000 else ''} objects"


class BucketTree:
    """The objects under a prefix. Their ETag is the stamp: it changes when the bytes do."""

    readers = 8

    def __init__(self, spec: S3Spec, pace: Pace) -> None:
        self._spec, self._pace = spec, pace
        parsed = urlparse(spec.url)
        self._bucket, self._prefix = parsed.netloc, parsed.path.lstrip("/")
        self._client: Any = None

    def walk(self) -> Iterator[Found]:
        token: dict[str, str] = {}
        while True:
            page = self._pace.patiently(lambda token=token: self._list(token))  # type: ignore[misc]  # bound now
            for item in page.get("Contents", ()):
                key = item["Key"]
                if key.endswith("/") and item["Size"] == 0:
                    continue  # the marker that a browser of buckets leaves for a folder
                changed = int(item["LastModified"].timestamp() * 1e9)
                yield Found(b"", key[len(self._prefix) :].encode(), item["Size"], f"etag {item['ETag']}", changed)
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def open(self, folder: bytes, name: bytes) -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(_RangedObject(self, self._key(name)), RANGE_BYTES))

    def copy(self, entry: Entry, target: Path, limit: int | None) -> None:
        left = entry.size if limit is None else min(entry.size, limit)

        def step() -> None:
            with self._failures():
                answer = self._s3().get_object(Bucket=self._bucket, Key=self._key(entry.name))
                if f"etag {answer['ETag']}" != entry.stamp:
                    raise ChangedError
                remaining = left
                with target.open("wb") as file, answer["Body"] as body:
                    while remaining > 0 and (chunk := body.read(min(CHUNK_BYTES, remaining))):
                        file.write(chunk)
                        remaining -= len(chunk)
                        self._pace.received(len(chunk))
                if remaining:
                    raise PassingError("broke off in the middle of an object")

        self._pace.patiently(step)

    def shown(self, folder: bytes, name: bytes) -> str:
        return as_text(self._key(name).encode())

    def read_range(self, key: str, offset: int, count: int) -> bytes:
        """Return some bytes of an object."""

        def step() -> bytes:
            with self._failures():
                answer = self._s3().get_object(Bucket=self._bucket, Key=key, Range=f"bytes={offset}-{offset + count - 1}")
                return bytes(answer["Body"].read())

        return self._pace.patiently(step)

    def size(self, key: str) -> int:
        """Return the size of an object."""

        def step() -> int:
            with self._failures():
                return int(self._s3().head_object(Bucket=self._bucket, Key=key)["ContentLength"])

        return self._pace.patiently(step)

    def _list(self, token: dict[str, str]) -> dict[str, Any]:
        with self._failures():
            return dict(self._s3().list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, **token))

    def _key(self, name: bytes) -> str:
        return self._prefix + name.decode()

    def _s3(self) -> Any:
        if self._client is None:
            import boto3
            from botocore.config import Config

            silence = self._spec.limits.timeout_seconds
            config = Config(connect_timeout=min(30, silence), read_timeout=silence, retries={"total_max_attempts": 1})
            session = boto3.session.Session(profile_name=self._spec.profile)
            self._client = session.client("s3", endpoint_url=self._spec.endpoint, config=config)
        return self._client

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn failures of the store into ours. PRIVACY: their messages hold keys, so only codes survive."""
        import botocore.exceptions as aws

        try:
            yield
        except aws.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if code in ("NoSuchKey", "404") or status == 412:
                raise FileNotFoundError from None
            if code == "NoSuchBucket":
                raise ReleaseError("archive.url", "there is no such bucket", "check the name and the endpoint") from None
            if status in (401, 403):
                raise ReleaseError(
                    "archive", f"refuses us ({code or status})", "check the credentials; we need s3:ListBucket and s3:GetObject"
                ) from None
            if status in (408, 409, 429) or status >= 500 or code in ("SlowDown", "RequestTimeout", "Throttling"):
                raise PassingError(f"answered {code or status}") from None
            raise ReleaseError("archive", f"answered {code or status}", "see the store's own log") from None
        except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.ProfileNotFound) as error:
            raise ReleaseError(
                "archive", f"no credentials ({type(error).__name__})", "set them as for the AWS tools, or name a profile"
            ) from None
        except (aws.BotoCoreError, aws.HTTPClientError) as error:
            raise PassingError(f"cannot be reached ({type(error).__name__})") from None


class _RangedObject(io.RawIOBase):
    """One object as a seekable file; every read is a range request."""

    def __init__(self, tree: BucketTree, key: str) -> None:
        self._tree, self._key, self._at, self._end = tree, key, 0, tree.size(key)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, (0, self._at, self._end)[whence] + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._end - self._at)
        if count <= 0:
            return 0
        data = self._tree.read_range(self._key, self._at, count)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
