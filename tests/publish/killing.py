"""End this process with SIGKILL at one chosen write: a system call that changes a folder, or a request that changes a bucket.

What is killed, and what is asked afterwards, is in `crash_driver.py`.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

PLENTY = 10**6
_S3_WRITES = frozenset(
    ("PutObject", "DeleteObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload")
)


class Killer:
    """Counts writes; dies before the `at`-th, after it, or (only where bytes go into a file) in the middle of it."""

    def __init__(self, at: int = PLENTY, when: str = "before") -> None:
        self.at, self.when, self.count = at, when, 0
        self._lock = threading.Lock()
        self.halves: list[int] = []  # the writes that have a middle

    def step(self, write: Callable[[], Any], half: Callable[[], Any] | None = None) -> Any:
        with self._lock:
            self.count += 1
            if half is not None:
                self.halves.append(self.count)
            chosen = self.count == self.at
        if chosen and self.when != "after":
            if self.when == "half" and half is not None:
                half()
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return write()
        finally:  # also after a call that failed, as mkdir does where the folder is there
            if chosen:
                os.kill(os.getpid(), signal.SIGKILL)


def watch_folders(killer: Killer, *roots: Path) -> None:
    """Count every call that changes something below these folders."""
    written: set[int] = set()
    places = tuple(f"{root}/" for root in roots)

    def inside(path: Any) -> bool:
        return str(path).startswith(places)

    def by_path(name: str, which: int = 0) -> None:
        original = getattr(os, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            if not (isinstance(args[which], (str, os.PathLike)) and inside(args[which])):
                return original(*args, **kwargs)
            return killer.step(lambda: original(*args, **kwargs))

        setattr(os, name, counted)

    for name in ("mkdir", "rmdir", "unlink"):
        by_path(name)
    for name in ("link", "replace", "rename"):
        by_path(name, 1)
    open_, write_, close_ = os.open, os.write, os.close

    def counted_open(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if not (flags & os.O_CREAT and inside(path)):
            return open_(path, flags, *args, **kwargs)
        descriptor: int = killer.step(lambda: open_(path, flags, *args, **kwargs))
        written.add(descriptor)
        return descriptor

    def counted_write(descriptor: int, data: Any) -> int:
        if descriptor not in written:
            return write_(descriptor, data)
        return int(killer.step(lambda: write_(descriptor, data), half=lambda: write_(descriptor, data[: len(data) // 2])))

    def counted_close(descriptor: int) -> None:
        written.discard(descriptor)
        close_(descriptor)

    os.open, os.write, os.close = counted_open, counted_write, counted_close


def watch_s3(killer: Killer) -> None:
    """Count every request that changes a bucket."""
    from botocore.client import BaseClient

    original = BaseClient._make_api_call

    def counted(self: Any, operation: str, parameters: Any) -> Any:
        if operation not in _S3_WRITES:
            return original(self, operation, parameters)
        return killer.step(lambda: original(self, operation, parameters))

    BaseClient._make_api_call = counted
