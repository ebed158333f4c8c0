"""Stores: the only module family that touches boto3 or a bucket's files. Keys are POSIX-like, relative, never user text.

One contract, two kinds: `file://` folders and `s3://` buckets.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlparse

from tasks.errors import ReleaseError, UsageError


class AlreadyExistsError(Exception):
    """A put-if-absent found the key taken. The caller decides whether that is agreement or alarm."""


class Store(Protocol):
    url: str

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> None:
        """Write one object durably and atomically; with `if_absent`, raise AlreadyExistsError when the key exists."""
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

    def delete(self, key: str) -> None:
        """Remove one object, in every version; no error when absent."""
        ...

    def local_path(self, key: str) -> Path | None:
        """Return the file behind a key when this store is a local folder, else None."""
        ...


class FolderStore:
    """A store in a local folder: files written beside their place, fsynced, then linked or renamed into it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = root.as_uri()

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if key.startswith("/") or any(p in ("", ".", "..") for p in parts):
            raise ValueError("not a store key")
        return self.root.joinpath(*parts)

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".put-", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if isinstance(data, Path):
                    with data.open("rb") as source:
                        while chunk := source.read(1 << 20):
                            file.write(chunk)
                else:
                    file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            if if_absent:
                try:
                    path.hardlink_to(temporary)
                except FileExistsError:
                    raise AlreadyExistsError(key) from None
            else:
                temporary.replace(path)
            _fsync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)

    def get(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise KeyError(key) from None

    def open(self, key: str) -> BinaryIO:
        try:
            return self._path(key).open("rb")
        except (FileNotFoundError, NotADirectoryError):
            raise KeyError(key) from None

    def size(self, key: str) -> int | None:
        try:
            return self._path(key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def keys(self, prefix: str = "") -> Iterator[str]:
        base = self.root / prefix.rsplit("/", 1)[0] if "/" in prefix else self.root
        for folder, subfolders, files in os.walk(base):
            subfolders.sort()
            for name in sorted(files):
                if name.startswith(".put-"):
                    continue
                key = Path(folder, name).relative_to(self.root).as_posix()
                if key.startswith(prefix):
                    yield key

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def local_path(self, key: str) -> Path | None:
        return self._path(key)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_store(url: str) -> Store:
    """Open the store that a `file://` or `s3://` URL (or a plain path) names."""
    parsed = urlparse(url)
    if parsed.scheme in ("", "file"):
        return FolderStore(Path(unquote(parsed.path) if parsed.scheme else url).absolute())
    if parsed.scheme == "s3":
        raise ReleaseError("store", "s3:// is not built yet", "use file://")
    raise UsageError("store", "unknown kind of URL", "write file:///folder or s3://bucket/prefix")
