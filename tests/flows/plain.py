"""The release flow's own code in one process: its stages without Prefect, its studies without Dask."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from flows import artifacts, release, studies, unchanged, workers
from flows.session import Session, open_session
from flows.summary import ReleaseSummary
from tasks.spec import Spec
from tasks.study_job import process_study

_NAMES = {"find": "find_studies", "compare": "compare_with_archive", "judge": "judge_candidate", "verify": "verify_release"}


Stage = Callable[..., Any]


def run_plainly(
    spec: Spec, judge: Stage | None = None, around: Callable[[Stage], Stage] = lambda stage: stage
) -> tuple[Session, ReleaseSummary]:
    """Run the whole flow once, every study after the other; `judge` stands in for the gates where it is given.

    `around` wraps every stage but the one that processes studies.
    """

    def process(session: Session, _client: Any, refs: Any, _offset: int, _total: int) -> Any:
        return [process_study(ref, session.job) for ref in refs]

    names = ("find", "foresee", "compare", "assemble", "judge", "publish", "verify")
    stages = {name: around(getattr(release, _NAMES.get(name, name))) for name in names} | {"process": process}
    if judge is not None:
        stages["judge"] = judge
    with (
        patch.object(release, "_stages", lambda: stages),
        patch.object(studies, "get_run_logger", lambda: logging.getLogger("night")),
        patch.object(unchanged, "get_run_logger", lambda: logging.getLogger("night")),
        patch.object(artifacts, "receipts_table", lambda *_: None),
        patch.object(artifacts, "verdict_table", lambda *_: None),
        patch.object(artifacts, "verdict_that_stands", lambda *_: None),
        patch.object(workers, "connect", _nobody),
        patch.object(workers, "check_engines", lambda _: None),
        open_session(spec) as session,
    ):
        return session, release._run(session, None, False)


@contextmanager
def _nobody(*_: Any) -> Iterator[None]:
    yield None
