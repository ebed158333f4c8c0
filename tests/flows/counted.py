"""A run that counts the CPU seconds of its own work, so that what it costs beside its work can be told.

`python -m tests.flows.counted release SPEC` runs the command, `... plain SPEC` the same code without Prefect and Dask (`plain`). Studies
and stages add what they took to the file that SALLYPORT_WORK names. Two equal runs on a shared machine differ by a tenth in what the same
studies cost, more than what orchestration costs: so only what the family of a run took beside its work is compared (tests/bench).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tasks.model import Receipt, StudyRef
from tasks.spec import Spec
from tasks.study_job import Job, process_study

FILE = "SALLYPORT_WORK"


def work_seconds(file: Path) -> float:
    """Return the CPU seconds that the studies and stages of one run took."""
    return sum(float(line) for line in file.read_text().splitlines())


def _add(seconds: float) -> None:
    with Path(os.environ[FILE]).open("a", encoding="utf-8") as file:
        file.write(f"{seconds:.6f}\n")


def counted_study(ref: StudyRef, job: Job) -> Receipt:
    """Process one study, on a worker or here; what else the process does meanwhile does not count."""
    began = time.thread_time()
    try:
        return process_study(ref, job)
    finally:
        _add(time.thread_time() - began)


def _counted(stage: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(stage)
    def run(*args: Any, **kwargs: Any) -> Any:
        began = time.process_time()
        try:
            return stage(*args, **kwargs)
        finally:
            _add(time.process_time() - began)

    return run


def _release() -> None:
    from flows import cli, run_server

    start = run_server.start_server

    def start_and_count(spec: Spec) -> run_server.RunServer | None:
        server = start(spec)
        _count_stages()  # imports Prefect, which asks once where its server is
        return server

    with patch.object(run_server, "start_server", start_and_count):
        cli.main()


def _count_stages() -> None:
    from flows import release, workers

    as_task = release.stage

    def stage(function: Callable[..., Any], name: str, **options: Any) -> Callable[..., Any]:
        return as_task(function if function is release.process_shard else _counted(function), name, **options)

    workers.process_study, release.stage = counted_study, stage


def _plain() -> None:
    from tasks.spec import read_spec
    from tasks.study_job import start_worker
    from tests.flows import plain

    start_worker()
    with patch.object(plain, "process_study", counted_study):
        print(plain.run_plainly(read_spec(Path(sys.argv[2])), around=_counted)[1].sentence())


if __name__ == "__main__":
    _plain() if sys.argv[1] == "plain" else _release()
