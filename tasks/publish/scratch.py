"""Folders for work in between, gone afterwards; a disk that runs full under them is a cause, not a crash.

A process that is killed cannot take its folder away: the next one does. What is kept does not belong here (stores).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.errors import ReleaseError
from tasks.publish.causes import Cause, refuse

FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_NOTHING_LEFT_BYTES = 1 << 16
_PREFIX = "sallyport-scratch-"


@contextmanager
def scratch_folder(what: str, within: Path | None = None) -> Iterator[Path]:
    """Yield a new folder (in the system's temporary one by default); STORE_FULL at `scratch` when its disk has no room left.

    # PRIVACY: rows of a patient who is withdrawn tomorrow must not stay on this machine: tests/publish/test_unfinished.py.
    """
    above = Path(within or tempfile.gettempdir())
    discard_left(above)
    with contextlib.ExitStack() as stack:
        folder = _locked(what, above, stack)
        inner = folder / "work"  # whoever clears it by making it anew must not make the locked folder anew, without its lock
        try:
            inner.mkdir()
            yield inner
        except ReleaseError:
            raise
        except OSError as error:
            if error.errno in FULL:
                raise refuse(Cause.STORE_FULL, "scratch") from None
            raise
        except Exception:
            # DuckDB has exceptions of its own for this, told from its others by their words only.
            if shutil.disk_usage(folder).free < _NOTHING_LEFT_BYTES:
                raise refuse(Cause.STORE_FULL, "scratch") from None
            raise


def discard_left(above: Path) -> int:
    """Remove the scratch folders of processes that no longer live; return how many. Those of living ones are locked."""
    count = 0
    for folder in above.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:  # somebody else's, in use, or gone meanwhile
            _lock(folder, stack, fcntl.LOCK_NB)
            shutil.rmtree(folder)
            count += 1
    return count


def _locked(what: str, above: Path, stack: contextlib.ExitStack) -> Path:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{what}-", dir=above))
        with contextlib.suppress(FileNotFoundError):  # taken for one that was left, before it was locked
            _lock(folder, stack, 0)
            if folder.is_dir():
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
                return folder


def _lock(folder: Path, stack: contextlib.ExitStack, more: int) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    stack.callback(os.close, descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_EX | more)
