"""The store in a local folder: atomic, durable, exclusive writes of files.

The contract is in `tasks/publish/store.py`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from tasks.errors import ReleaseError
from tasks.publish.causes import Cause, refuse
from tasks.publish.store import AlreadyExistsError, Version

_UNFINISHED = ".put-"
"""Prefix of files that are being written, or were when their writer was killed; never a key."""


class FolderStore:
    """A store in a local folder: files written beside their place, fsynced, then linked or renamed into it."""

    together = 16  # each costs an open file while the others are written

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = root.as_uri()

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if key.startswith("/") or any(p in ("", ".", "..") for p in parts):
            raise ValueError("not a store key")
        return self.root.joinpath(*parts)

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> None:
        if if_absent:
            if self.put_all([(key, data)]):
                raise AlreadyExistsError(key)
            return
        path = str(self._path(key))
        folder = os.path.dirname(path)
        temporary = _beside(folder)
        try:
            folders = _make_folder(folder) | {folder}
            _fsync_and_close(_write_file(temporary, data))
            Path(temporary).replace(path)
            _fsync_folders(folders)
        except OSError as error:
            raise _explained(error) from None
        finally:
            _forget(temporary)

    def put_all(self, items: Sequence[tuple[str, bytes | Path]]) -> set[str]:
        taken: set[str] = set()
        folders: set[str] = set()  # whose entries are to be made durable
        written: list[tuple[str, str, str]] = []
        unsynced: list[int] = []
        try:
            for key, data in items:
                path = str(self._path(key))
                if os.path.lexists(path):
                    taken.add(key)
                    continue
                folder = os.path.dirname(path)
                folders |= _make_folder(folder)
                temporary = _beside(folder)
                written.append((temporary, path, key))
                unsynced.append(_write_file(temporary, data))
            while unsynced:  # every file is whole on the disk before one of them has its name
                _fsync_and_close(unsynced.pop())
            for temporary, path, key in written:
                try:
                    os.link(temporary, path)
                except FileExistsError:
                    taken.add(key)
            _fsync_folders(folders | {os.path.dirname(path) for _, path, _ in written})
        except OSError as error:
            raise _explained(error) from None
        finally:
            for descriptor in unsynced:
                os.close(descriptor)
            for temporary, _, _ in written:
                _forget(temporary)
        return taken

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
        _fsync_folders(_make_folder(str(self.root)))
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


def _beside(folder: str) -> str:
    return f"{folder}/{_UNFINISHED}{secrets.token_hex(8)}"


def _write_file(path: str, data: bytes | Path) -> int:
    """Write a new file and return its descriptor, which is not fsynced yet; nothing is left open when that fails."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        if isinstance(data, Path):
            with data.open("rb") as source:
                while chunk := source.read(1 << 20):
                    _write(descriptor, chunk)
        else:
            _write(descriptor, data)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _write(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def _fsync_and_close(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: str) -> set[str]:
    """Create a folder and those above it that are missing; return the folders that are to be fsynced, so that a power cut loses none."""
    try:
        os.mkdir(folder)
    except FileExistsError:
        return set()
    except FileNotFoundError:
        return _make_folder(os.path.dirname(folder)) | _make_folder(folder)
    return {os.path.dirname(folder)}


def _fsync_folders(folders: set[str]) -> None:
    for folder in folders:
        _fsync_and_close(os.open(folder, os.O_RDONLY))


def _forget(temporary: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)


def _explained(error: OSError) -> ReleaseError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return refuse(Cause.STORE_FULL, "store")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return refuse(Cause.STORE_DENIED, "store", type(error).__name__)
    return refuse(Cause.STORE_UNREACHABLE, "store", type(error).__name__)
