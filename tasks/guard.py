"""Run a step of a study so that trouble with its data becomes a reason, and trouble of the machine is passed on.

Which reason, and what it holds, belongs to the stage that asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tasks.errors import ReleaseError
from tasks.model import Reason

T = TypeVar("T")


def guarded(step: Callable[[], T], reason: Reason) -> tuple[T | Reason, str]:
    """Run one step; what goes wrong with an object becomes its reason. Machine trouble is passed on.

    PRIVACY: the exception's message may hold a value; only its class survives (tests/leaks/test_canaries.py).
    """
    try:
        return step(), ""
    except (OSError, MemoryError, ReleaseError):
        raise
    except Exception as error:
        return reason, type(error).__name__


def whole(done: list[T] | Reason, count: int) -> list[T] | None:
    """Return a stage's answer if it answers for every object, else None."""
    return done if isinstance(done, list) and len(done) == count else None
