"""What may be wrong with the machine that a run is on, in words for people. Light: asked before anything heavy is imported."""

from __future__ import annotations

import errno
import shutil
import signal
from types import FrameType

from tasks.errors import ReleaseError
from tasks.publish.store import open_store
from tasks.spec import Spec

LEAST_FREE_BYTES = 128 << 20


class TerminatedError(SystemExit):
    """Somebody ended this process by SIGTERM. No Exception: what must not stop a run must not swallow this either."""

    exit_code = 128 + signal.SIGTERM

    def __init__(self) -> None:
        super().__init__(self.exit_code)

    def __str__(self) -> str:
        return "release: ended by SIGTERM; what was done is kept: run it again"


def end_on_sigterm() -> None:
    """Have SIGTERM unwind this process, so that scratch is emptied and servers end, instead of ending it where it stands."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise TerminatedError

    signal.signal(signal.SIGTERM, end)


def broken_machine(error: OSError) -> ReleaseError:
    """Return what a person should know and do about machine trouble; never the message, which may hold a path."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ReleaseError(
            "release", "a disk is full", "free space on the private and the public side, then run it again: nothing is lost"
        )
    return ReleaseError("release", f"stopped by {type(error).__name__}", "check disks, mounts and permissions, then run it again")


def check_disk(spec: Spec) -> None:
    """Refuse to start on a full disk: Prefect's own database, beside ours, would fail in ways that nobody can read."""
    for side in ("private", "public"):
        place = open_store(getattr(spec, side)).local_path("x")
        while place is not None and not place.exists():
            place = place.parent
        if place is not None and shutil.disk_usage(place).free < LEAST_FREE_BYTES:
            raise ReleaseError(
                f"spec: {side}", f"less than {LEAST_FREE_BYTES >> 20} MiB are free on its disk", "free space, or name another folder"
            )
