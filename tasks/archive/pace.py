"""Gentleness: how many pulls at once, how fast, at which hours, and how long to wait after a failure.

The state is a few small files in the index folder, so that all workers of one machine share one limit. Knows no protocol.
"""

from __future__ import annotations

import fcntl
import os
import random
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from datetime import time as wall_time
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from tasks.archive_spec import Limits
from tasks.errors import ReleaseError

T = TypeVar("T")
LONGEST_WAIT = 300.0
_POLL = 0.2


class PassingError(Exception):
    """The archive failed in a way that may pass. `what` names the failure and never a value of a patient."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Pace:
    """The limits of one archive, shared by every process of this machine that names the same `folder`."""

    def __init__(self, limits: Limits, folder: Path, name: str) -> None:
        self.limits = limits
        self._folder, self._name = folder, name
        self._debt = 0

    def check_hours(self, now: datetime | None = None) -> None:
        """Raise ReleaseError in the quiet hours: the study is left for the next run."""
        until = quiet_until(self.limits, now or datetime.now(ZoneInfo(self.limits.timezone)))
        if until is not None:
            raise ReleaseError("archive", f"quiet hours until {until:%H:%M} ({self.limits.timezone})", "the next run goes on from here")

    @contextmanager
    def pull(self) -> Iterator[None]:
        """Hold one of the places for pulls; wait for one when all are taken."""
        with self.place("pull", self.limits.concurrent_pulls):
            yield

    @contextmanager
    def place(self, kind: str, count: int) -> Iterator[int]:
        """Hold one of `count` places and yield its number. A place is freed when its process ends, however it ends."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            files = [stack.enter_context(self._open(f"{kind}-{n}")) for n in range(count)]
            while True:
                for number, descriptor in enumerate(files):
                    try:
                        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except OSError:
                        continue
                    yield number
                    return
                time.sleep(_POLL * random.uniform(0.5, 1.5))

    def request(self) -> None:
        """Wait until one more request is allowed."""
        if self.limits.requests_per_minute:
            self._wait("requests", 60 / self.limits.requests_per_minute)

    def received(self, size_bytes: int) -> None:
        """Count bytes that came, and wait when they came too fast."""
        if self.limits.megabytes_per_second:
            self._debt += size_bytes
            if self._debt >= 1 << 18:
                self._wait("bytes", self._debt / (self.limits.megabytes_per_second * 1e6))
                self._debt = 0

    def patiently(self, step: Callable[[], T], where: str = "archive") -> T:
        """Run a step that may be repeated; after a PassingError wait, longer each time, and try again."""
        for attempt in range(1, self.limits.attempts + 1):
            self.request()
            try:
                return step()
            except PassingError as error:
                if attempt == self.limits.attempts:
                    raise ReleaseError(
                        where, f"{error.what} ({attempt} attempts)", "the next run tries again; `sallyport doctor` tests it"
                    ) from None
            time.sleep(self.wait_after(attempt))
        raise AssertionError("unreachable")

    def wait_after(self, attempt: int) -> float:
        """Return the seconds to wait after the n-th failure: doubled each time, never the same for two workers."""
        doubled: float = self.limits.backoff_seconds * 2 ** (attempt - 1)
        return min(LONGEST_WAIT, doubled) * random.uniform(0.5, 1.0)

    @contextmanager
    def _open(self, kind: str) -> Iterator[int]:
        descriptor = os.open(self._folder / f"pace-{self._name}-{kind}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _wait(self, kind: str, seconds: float) -> None:
        """Take the next `seconds` of the shared time line, and sleep until they begin."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._open(kind) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            raw = os.pread(descriptor, 8, 0)
            now = time.time()
            free = struct.unpack("<d", raw)[0] if len(raw) == 8 else now
            begin = max(now, free) if free < now + 3600 else now  # a clock that was set back must not stop us for ever
            os.pwrite(descriptor, struct.pack("<d", begin + seconds), 0)
        time.sleep(max(0.0, begin - now))


def quiet_until(limits: Limits, now: datetime) -> datetime | None:
    """Return when the quiet hours that `now` lies in end, or None. Wall clock of the archive's place, also when it jumps."""
    local = now.astimezone(ZoneInfo(limits.timezone))
    for span in limits.quiet_hours:
        start, end = (wall_time.fromisoformat(part) for part in span.split("-"))
        clock = local.time()
        if start == end or (start <= clock < end if start < end else clock >= start or clock < end):
            day = local.date() + timedelta(days=1 if clock >= end else 0)
            return datetime.combine(day, end, local.tzinfo)
    return None
