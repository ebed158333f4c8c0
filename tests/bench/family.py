"""Run a command and print to a file what it cost with every process that it started: `python -m tests.bench.family FILE COMMAND...`.

Processes whose parent did not wait for them (workers are forked by one that ends last) become ours, and are counted too. Linux.
"""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def main(out: Path, command: list[str]) -> int:
    """Return the command's exit code; the file gets the CPU seconds of its family."""
    if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError("this kernel gives orphans to nobody but init")
    code = subprocess.run(command, check=False).returncode
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    out.write_text(f"{used.ru_utime + used.ru_stime:.3f}")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
