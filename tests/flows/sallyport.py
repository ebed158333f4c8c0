"""Runs the command line as a user does, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    """The environment of a child process: no settings of the developer's own Prefect."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "COV_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "DO_NOT_TRACK": "1", **more}


def sallyport(*arguments: object, timeout: float = 600, cwd: Path | None = None, **env: str) -> Ran:
    """Run `sallyport ARGUMENTS` and return its exit code and output."""
    command = [sys.executable, "-m", "flows", *map(str, arguments)]
    done = subprocess.run(command, env=environment(**env), cwd=cwd, timeout=timeout, capture_output=True, text=True, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)
