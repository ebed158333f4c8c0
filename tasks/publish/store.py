"""Stores: the only module family that touches boto3 or a bucket's files. Keys are POSIX-like, relative, never user text.

One contract, two kinds: `file://` folders and `s3://` buckets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import parse_qsl, unquote, urlparse

from tasks.errors import UsageError

PROBES = 3
"""How often a store is probed before it is refused: another publisher that starts takes away the probes that it finds."""


class AlreadyExistsError(Exception):
    """A put-if-absent found the key taken. The caller decides whether that is agreement or alarm."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one object, or a delete marker."""

    key: str
    version_id: str
    is_delete_marker: bool = False


class Store(Protocol):
    url: str
    together: int
    """How many small objects are best put in one call of `put_all`."""
    parallel: int
    """How many calls are best under way at once."""

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> None:
        """Write one object durably and atomically; with `if_absent`, raise AlreadyExistsError when the key exists."""
        ...

    def put_all(self, items: Sequence[tuple[str, bytes | Path]]) -> set[str]:
        """Put each object if absent; return the keys that were taken. All are durable when this returns, and none is seen in part."""
        ...

    def get(self, key: str) -> bytes:
        """Return one object; KeyError when absent."""
        ...

    def open(self, key: str) -> BinaryIO:
        """Open one object for streaming reads; KeyError when absent."""
        ...

    def size(self, key: str) -> int | None:
        """Return the object's size, or None when absent."""
        ...

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield every key under the prefix, sorted."""
        ...

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Yield (key, size in bytes) of every object under the prefix, from listings alone."""
        ...

    def delete(self, key: str) -> None:
        """Remove one object, in every version; no error when absent."""
        ...

    def local_path(self, key: str) -> Path | None:
        """Return the file behind a key when this store is a local folder, else None."""
        ...

    def replace(self, key: str, data: bytes, expected: bytes | None) -> bool:
        """Write one object only if it still holds `expected` (None: is absent); say whether it did. Atomic."""
        ...

    def versions(self, prefix: str = "") -> Iterator[Version]:
        """Yield every version and delete marker under the prefix; a folder has one version of each file."""
        ...

    def readable(self, version: Version) -> bool:
        """Say whether this very version can still be read, by its version id."""
        ...

    def discard_unfinished(self, of: Callable[[str], bool], prefix: str = "") -> int:
        """Remove what killed writers left below the prefix and no listing shows; return how many.

        In a folder every file that no living process writes; in a bucket the parts of uploads to the keys for which `of` holds.
        """
        ...

    def probe(self, prefix: str = "probe/") -> None:
        """Refuse (ReleaseError) a store that cannot be written, or that ignores put-if-absent.

        Leaves nothing at the prefix, which is the probes' own: not even what a killed probe left there.
        """
        ...


def open_store(url: str, *, anonymous: bool = False) -> Store:
    """Open the store that a `file://` or `s3://` URL (or a plain path) names; `anonymous` sends no credentials to an open bucket."""
    parsed = urlparse(url)
    if parsed.scheme in ("", "file"):
        from tasks.publish.folder_store import FolderStore

        return FolderStore(Path(unquote(parsed.path) if parsed.scheme else url).absolute())
    if parsed.scheme == "s3":
        from tasks.publish.s3_store import open_s3

        return open_s3(parsed.netloc, unquote(parsed.path).strip("/"), dict(parse_qsl(parsed.query)), anonymous=anonymous)
    raise UsageError("store", "unknown kind of URL", "write file:///folder or s3://bucket/prefix")
