"""The store in a local folder: atomic, durable, exclusive writes of files.

The contract is in `tasks/publish/store.py`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tasks.errors import ReleaseError
from tasks.publish.causes import Cause, refuse
from tasks.publish.store import AlreadyExistsError, Version

_UNFINISHED = ".put-"
"""Prefix of files that are being written, or were when their writer was killed; never a key."""


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
        if if_absent and path.exists():
            raise AlreadyExistsError(key)
        temporary = path.parent / f"{_UNFINISHED}{secrets.token_hex(8)}"
        try:
            _make_folder(path.parent, self.root)
            _write_file(temporary, data)
            if if_absent:
                path.hardlink_to(temporary)
            else:
                temporary.replace(path)
            _fsync_folder(path.parent)
        except FileExistsError:
            raise AlreadyExistsError(key) from None
        except OSError as error:
            raise _explained(error) from None
        finally:
            temporary.unlink(missing_ok=True)

    def get(self, key: str) -> bytes:
        with self.open(key) as file:
            return file.read()

    def open(self, key: str) -> BinaryIO:
        try:
            return self._path(key).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise KeyError(key) from None
        except OSError as error:
            raise _explained(error) from None

    def size(self, key: str) -> int | None:
        try:
            return self._path(key).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def keys(self, prefix: str = "") -> Iterator[str]:
        for entry, key in self._entries(prefix):
            del entry
            yield key

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        for entry, key in self._entries(prefix):
            with contextlib.suppress(FileNotFoundError):  # it went away since it was listed
                yield key, entry.stat(follow_symlinks=True).st_size

    def _entries(self, prefix: str) -> Iterator[tuple[os.DirEntry[str], str]]:
        """Yield every file under the prefix with its key, in the order of keys."""
        above, _, start = prefix.rpartition("/")
        yield from _walk(self.root / above if above else self.root, f"{above}/" if above else "", start)

    def delete(self, key: str) -> None:
        path = self._path(key)
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self.root or not folder.is_dir():
                break
            try:
                folder.rmdir()
            except OSError:
                break

    def local_path(self, key: str) -> Path | None:
        return self._path(key)

    def replace(self, key: str, data: bytes, expected: bytes | None) -> bool:
        _make_folder(self.root, self.root)
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            try:
                found: bytes | None = self.get(key)
            except KeyError:
                found = None
            if found != expected:
                return False
            self.put(key, data)
            return True
        finally:
            os.close(descriptor)

    def versions(self, prefix: str = "") -> Iterator[Version]:
        for key in self.keys(prefix):
            yield Version(key, "")

    def readable(self, version: Version) -> bool:
        return self.size(version.key) is not None

    def probe(self) -> None:
        key = f"probe/{secrets.token_hex(16)}"
        try:
            self.put(key, b"one", if_absent=True)
            try:
                self.put(key, b"two", if_absent=True)
            except AlreadyExistsError:
                return
            raise refuse(Cause.NO_CONDITIONAL_PUT, "store")
        finally:
            self.delete(key)


def _walk(folder: Path | str, above: str, start: str = "") -> Iterator[tuple[os.DirEntry[str], str]]:
    try:
        with os.scandir(folder) as listing:
            entries = [e for e in listing if e.name.startswith(start) and not e.name.startswith(_UNFINISHED)]
    except (FileNotFoundError, NotADirectoryError):
        return
    # Keys are ordered as a bucket orders them: "a/b" comes before "a0", and "a-b" before "a/b".
    entries.sort(key=lambda e: e.name + "/" if e.is_dir() else e.name)
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry.path, f"{above}{entry.name}/")
        else:
            yield entry, above + entry.name


def _write_file(path: Path, data: bytes | Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        if isinstance(data, Path):
            with data.open("rb") as source:
                while chunk := source.read(1 << 20):
                    file.write(chunk)
        else:
            file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _make_folder(folder: Path, root: Path) -> None:
    """Create a folder so that a power cut cannot lose it: each new level is fsynced into its parent."""
    if folder.is_dir():
        return
    missing = [p for p in (folder, *folder.parents) if not p.is_dir()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        if made.parent == root.parent or root in made.parents or made == root:
            _fsync_folder(made.parent)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explained(error: OSError) -> ReleaseError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return refuse(Cause.STORE_FULL, "store")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return refuse(Cause.STORE_DENIED, "store", type(error).__name__)
    return refuse(Cause.STORE_UNREACHABLE, "store", type(error).__name__)
