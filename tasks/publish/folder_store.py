"""The store in a local folder: atomic, durable, exclusive writes of files.

The contract is in `tasks/publish/store.py`. A file that is being written has a name that no listing shows, and is locked by its writer:
one that nobody locks was left by a writer that was killed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from tasks.errors import ReleaseError
from tasks.publish.causes import Cause, refuse
from tasks.publish.store import PROBES, AlreadyExistsError, Version

_UNFINISHED = ".put-"
"""Prefix of files that are being written, or were when their writer was killed; never a key."""
_TRIES = 100


class FolderStore:
    """A store in a local folder: files written beside their place, fsynced, then linked or renamed into it."""

    together = 16  # each costs an open file while the others are written
    parallel = 8

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
        written: list[_Unfinished] = []
        try:
            file = _begin(os.path.dirname(path), written)
            file.fill(data)
            os.fsync(file.descriptor)
            Path(file.path).replace(path)
            _fsync_folders(file.folders)
        except OSError as error:
            raise _explained(error) from None
        finally:
            for file in written:
                file.end()

    def put_all(self, items: Sequence[tuple[str, bytes | Path]]) -> set[str]:
        taken: set[str] = set()
        written: list[_Unfinished] = []
        places: list[tuple[_Unfinished, str, str]] = []
        try:
            for key, data in items:
                path = str(self._path(key))
                if os.path.lexists(path):
                    taken.add(key)
                    continue
                file = _begin(os.path.dirname(path), written)
                file.fill(data)
                places.append((file, path, key))
            for file in written:  # every file is whole on the disk before one of them has its name
                os.fsync(file.descriptor)
            for file, path, key in places:
                try:
                    os.link(file.path, path)
                except FileExistsError:
                    taken.add(key)
            _fsync_folders({folder for file in written for folder in file.folders})
        except OSError as error:
            raise _explained(error) from None
        finally:
            for file in written:
                file.end()
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

    def discard_unfinished(self, of: Callable[[str], bool], prefix: str = "") -> int:
        del of  # the name of an unfinished file does not tell its key
        count = 0
        for above, _, names in os.walk(self.root / prefix):
            for name in names:
                if name.startswith(_UNFINISHED):
                    count += _discard(f"{above}/{name}")
        return count

    def probe(self, prefix: str = "probe/") -> None:
        self.discard_unfinished(lambda _: True, prefix)
        for key in list(self.keys(prefix)):
            self.delete(key)
        for _ in range(PROBES):
            key = f"{prefix}{secrets.token_hex(16)}"
            try:
                self.put(key, b"one", if_absent=True)
                self.put(key, b"two", if_absent=True)
            except AlreadyExistsError:
                return
            finally:
                self.delete(key)
        raise refuse(Cause.NO_CONDITIONAL_PUT, "store")


class _Unfinished:
    """A file that is being written: locked, so that nobody takes it for one that was left."""

    def __init__(self, path: str, descriptor: int, folders: set[str]) -> None:
        self.path, self.descriptor = path, descriptor
        self.folders = folders  # whose entries are to be made durable, so that a power cut loses no file and no folder

    def fill(self, data: bytes | Path) -> None:
        if isinstance(data, Path):
            with data.open("rb") as source:
                while chunk := source.read(1 << 20):
                    _write(self.descriptor, chunk)
        else:
            _write(self.descriptor, data)

    def end(self) -> None:
        """Take the name away (the file stays where it was linked or moved to), then the lock."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        os.close(self.descriptor)


def _begin(folder: str, written: list[_Unfinished]) -> _Unfinished:
    """Create a locked file without content in the folder, which is made where it is missing, and add it to `written`."""
    folders = {folder}
    for _ in range(_TRIES):
        folders |= _make_folder(folder)
        path = f"{folder}/{_UNFINISHED}{secrets.token_hex(8)}"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileNotFoundError:
            continue  # whoever deleted the last file of the folder took the folder away as well
        written.append(_Unfinished(path, descriptor, folders))
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return written[-1]
        written.pop().end()  # discarded before it was locked
    raise OSError(errno.EAGAIN, "the folder does not hold still")


def _discard(path: str) -> bool:
    """Remove a file that was left; False where its writer lives."""
    try:
        descriptor = os.open(path, os.O_WRONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    except (BlockingIOError, FileNotFoundError):
        return False
    finally:
        os.close(descriptor)
    return True


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


def _explained(error: OSError) -> ReleaseError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return refuse(Cause.STORE_FULL, "store")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return refuse(Cause.STORE_DENIED, "store", type(error).__name__)
    return refuse(Cause.STORE_UNREACHABLE, "store", type(error).__name__)
