"""The most memory that this process, or it and its children, have held."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import psutil


def peak_mib() -> float:
    """Return the peak of resident memory since this program started, in MiB.

    Not getrusage's: Linux hands that down through fork and exec, so a small process would tell of its large parent.
    """
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


class TreeMemory:
    """The most memory (MiB, resident) that this process and its children hold together while the block runs, by ten looks a second."""

    def __enter__(self) -> TreeMemory:
        """Begin to look."""
        self.peak_mib = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look once more and stop."""
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        process = psutil.Process()
        while True:
            held = 0
            for one in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    held += one.memory_info().rss
            self.peak_mib = max(self.peak_mib, held / 2**20)
            if self._done.wait(0.1):
                return
