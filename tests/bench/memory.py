"""The most memory that this process has held."""

from __future__ import annotations

from pathlib import Path


def peak_mib() -> float:
    """Return the peak of resident memory since this program started, in MiB.

    Not getrusage's: Linux hands that down through fork and exec, so a small process would tell of its large parent.
    """
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024
