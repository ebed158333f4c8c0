"""Fixtures of the flows' tests."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from flows import artifacts, release, workers
from flows.session import Session, open_session
from flows.summary import ReleaseSummary
from tasks.spec import Spec
from tasks.study_job import process_study

Run = Callable[[Spec], tuple[Session, ReleaseSummary]]


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch) -> Run:
    """One whole run of the flow's code in this process: stages without Prefect, studies without Dask, every candidate approved."""
    plain = {"find", "foresee", "compare", "assemble", "publish", "verify"}
    names = {"find": "find_studies", "compare": "compare_with_archive", "verify": "verify_release"}

    def approve(session, candidate, _receipts):
        from tests.publish.corpus import approve

        return approve(candidate)

    def process(session, _client, refs, _offset, _total):
        return [process_study(ref, session.job) for ref in refs]

    stages = {name: getattr(release, names.get(name, name)) for name in plain} | {"process": process, "judge": approve}
    monkeypatch.setattr(release, "_stages", lambda: stages)
    monkeypatch.setattr(release, "get_run_logger", lambda: logging.getLogger("night"))
    for name in ("receipts_table", "verdict_table"):
        monkeypatch.setattr(artifacts, name, lambda *_: None)

    class Client:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(workers, "connect", lambda *_: Client())
    monkeypatch.setattr(workers, "check_engines", lambda _: None)

    def run(spec: Spec) -> tuple[Session, ReleaseSummary]:
        with open_session(spec) as session:
            return session, release._run(session, None, False)

    return run
