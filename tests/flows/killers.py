"""Stand-ins for `process_study` that behave as badly as a decoder can; imported by the workers."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tasks.model import Receipt, Status, StudyRef
from tasks.study_job import Job, work_id


def _receipt(ref: StudyRef, job: Job) -> Receipt:
    return Receipt(ref.study_key, ref.fingerprint, work_id(ref, job.rules), Status.RELEASED, None, 1, (("released", "", 1),))


def dies_of_the_seventh(ref: StudyRef, job: Job) -> Receipt:
    """Kill the worker on one study, every time."""
    if int(ref.study_key, 16) == 7:
        os._exit(1)
    time.sleep(0.005)
    return _receipt(ref, job)


def dies_once(ref: StudyRef, job: Job) -> Receipt:
    """Kill the worker the first time it sees the fifth study."""
    mark = Path(job.scratch_root) / f"seen-{ref.study_key}"
    if int(ref.study_key, 16) == 5 and not mark.exists():
        mark.touch()
        os._exit(1)
    return _receipt(ref, job)


def raises_with_a_value(ref: StudyRef, job: Job) -> Receipt:
    """Raise an exception that holds an identified value."""
    raise RuntimeError(f"cannot process {ref.source_study_uid}")


def answers_nothing(ref: StudyRef, job: Job) -> None:
    """Return no receipt."""


def needs_too_much_memory(ref: StudyRef, job: Job) -> Receipt:
    """Ask for more memory than a worker has."""
    bytearray(8 << 30)
    return _receipt(ref, job)


def warnings_of_a_slow_disk() -> list[str]:
    """Which of two warnings a worker would show: Dask's about its scratch directory, and any other."""
    import warnings

    with warnings.catch_warnings(record=True) as shown:
        warnings.warn("Creating scratch directories is taking a surprisingly long time. (1.23s)", stacklevel=1)
        warnings.warn("something else", stacklevel=1)
    return [str(w.message) for w in shown]


def quick(ref: StudyRef, job: Job) -> Receipt:
    """Behave well, and take no time: what is left is what orchestration costs."""
    return _receipt(ref, job)
