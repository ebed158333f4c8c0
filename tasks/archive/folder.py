"""A folder as an archive: any tree of files, read recursively, whatever they are called.

Nothing here writes below the archive's root, and nothing is ever linked from it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from tasks.archive.files import ChangedError, FileArchive, Found, as_text
from tasks.archive.index import Entry
from tasks.archive.walk import walk_files
from tasks.errors import ReleaseError
from tasks.secret import Secret


class FolderArchive(FileArchive):
    """Studies in a folder (or one file). The index is kept in `index_folder`, on the private side."""

    def __init__(self, path: Path, secret: Secret, index_folder: Path) -> None:
        root = path.absolute()
        name = secret.digest("archive-index", os.fsencode(root).hex()).hex()[:16]
        super().__init__(FolderTree(root), secret, index_folder / f"folder-{name}.sqlite")


class FolderTree:
    """The files below a folder, or one file."""

    readers = 1

    def __init__(self, root: Path) -> None:
        self._root = os.fsencode(root)

    def walk(self) -> Iterator[Found]:
        try:
            if stat.S_ISDIR(os.stat(self._root).st_mode):  # noqa: PTH116 - bytes
                with os.scandir(self._root) as listing:
                    next(listing, None)
            else:
                with open(self._root, "rb"):  # noqa: PTH123 - bytes
                    pass
        except OSError as error:
            raise ReleaseError(
                "archive.path", f"cannot be read ({type(error).__name__})", "check that the folder exists, is mounted and readable"
            ) from None
        for folder, name, status in walk_files(Path(os.fsdecode(self._root))):
            if status is None:
                yield Found(folder, name, readable=False)
            else:
                yield Found(folder, name, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def open(self, folder: bytes, name: bytes) -> BinaryIO:
        return cast(BinaryIO, open(self._path(folder, name), "rb", buffering=0))  # noqa: PTH123 - bytes

    def copy(self, entry: Entry, target: Path, limit: int | None) -> None:
        with self.open(entry.folder, entry.name) as source, target.open("xb") as copy:
            before = os.fstat(source.fileno())
            if (before.st_size, before.st_mtime_ns) != (entry.size, entry.stamp):
                raise ChangedError
            _copy_bytes(source.fileno(), copy.fileno(), entry.size if limit is None else min(entry.size, limit))
            after = os.fstat(source.fileno())
        if (after.st_size, after.st_mtime_ns) != (entry.size, entry.stamp):
            raise ChangedError

    def shown(self, folder: bytes, name: bytes) -> str:
        return as_text(os.path.join(folder, name) if name else os.path.basename(self._root))  # noqa: PTH118, PTH119 - bytes

    def _path(self, folder: bytes, name: bytes) -> bytes:
        return os.path.join(self._root, folder, name) if name else self._root  # noqa: PTH118 - bytes


def _copy_bytes(source: int, target: int, count: int) -> None:
    """Copy without sharing: a write to the copy can never reach the archive (copy-on-write where the disk can)."""
    copied = 0
    while copied < count:
        try:
            done = os.copy_file_range(source, target, min(count - copied, 1 << 30))
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF):
                raise
            done = os.sendfile(target, source, None, min(count - copied, 1 << 30))
        if done == 0:
            break
        copied += done
