"""One suspect study in a process of its own: it can only kill itself.

Dask blames every study that was queued on a dead worker; here the guilty one is told from the innocent.
"""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection

from tasks.model import Receipt, StudyRef
from tasks.study_job import Job

_GRACE_SECONDS = 120  # for starting a process on a busy machine

Process = Callable[[StudyRef, Job], Receipt]


def process_alone(process: Process, ref: StudyRef, job: Job, memory_limit_bytes: int) -> Receipt | None:
    """Return the study's receipt, or None when its process died, hung, or needed more memory than a worker has."""
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(theirs, process, ref, job, memory_limit_bytes), daemon=True)
    child.start()
    theirs.close()
    try:
        receipt = ours.recv() if ours.poll(job.timeout_seconds + _GRACE_SECONDS) else None
    except EOFError:
        receipt = None
    finally:
        child.kill()
        child.join()
        ours.close()
    return receipt if isinstance(receipt, Receipt) else None


def _run(answer: Connection, process: Process, ref: StudyRef, job: Job, memory_limit_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (memory_limit_bytes, memory_limit_bytes))
    try:
        receipt = process(ref, job)
    except Exception:  # PRIVACY: its traceback would be printed here
        receipt = None
    answer.send(receipt)
