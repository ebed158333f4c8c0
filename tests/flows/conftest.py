"""Fixtures of the flows' tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flows.session import Session
from flows.summary import ReleaseSummary
from tasks.spec import Spec
from tests.flows.plain import run_plainly

Run = Callable[[Spec], tuple[Session, ReleaseSummary]]


@pytest.fixture
def run_here() -> Run:
    """One whole run of the flow's own code in this process; every candidate is approved."""

    def approve(_session: Session, candidate: Any, _receipts: Any) -> Any:
        from tests.publish.corpus import approve

        return approve(candidate)

    return lambda spec: run_plainly(spec, approve)
