"""A stage as a Prefect task: which may be tried again, and what of its trouble Prefect may keep and print.

PRIVACY: Prefect stores and prints what exceptions say, and those of libraries quote values. What leaves a stage is a ReleaseError of
ours, or the class of anything else with the lines of code it came from (tests/flows/test_stages.py).
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.utilities.annotations import quote

from flows.machine import broken_machine
from tasks.errors import ReleaseError

_RETRY_SECONDS = 10


def stage(function: Callable[..., Any], name: str, *, retries: int = 0) -> Callable[..., Any]:
    """Wrap a stage as a Prefect task: no caching, no persisted results (they hold identified values).

    `retries` only where a second try does no harm and may help: machine trouble, never a verdict. Stages run one after the other:
    Prefect need not search their arguments, lists of all studies, for runs to wait for.
    """
    as_task = task(guarded(function)).with_options(
        name=name,
        retries=retries,
        retry_delay_seconds=_RETRY_SECONDS,
        retry_condition_fn=_may_pass,
        cache_policy=NO_CACHE,
        persist_result=False,
        log_prints=False,
    )

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return as_task(*map(quote, args), **{name: quote(value) for name, value in kwargs.items()})

    return run


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let no exception leave but a ReleaseError."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ReleaseError:
            raise
        except OSError as error:
            raise broken_machine(error) from None
        except Exception as error:
            raise internal_error(function.__name__.replace("_", " "), error) from None

    return run


def internal_error(what: str, error: Exception) -> ReleaseError:
    """Log where an unforeseen exception came from, and return what a person should know. Never its message."""
    # A traceback's source lines are code; what they were about is in the message and in the frames, which are not shown.
    lines = "".join(traceback.format_tb(error.__traceback__))
    get_run_logger().error("%s: stopped by %s; please report these lines\n%s", what, type(error).__name__, lines)
    return ReleaseError(what, f"stopped by {type(error).__name__}", "run it again; report it if it stays")


def _may_pass(_task: Any, _run: Any, state: Any) -> bool:
    """Say whether another try may help: a gate, a wrong spec or a failed verification says the same again."""
    error = state.data
    return isinstance(error, ReleaseError) and error.exit_code == 1


class _ReadableErrors(logging.Filter):
    """A ReleaseError, or a signal, is one line for people: without a traceback, and not at all where the command prints it itself."""

    def filter(self, record: logging.LogRecord) -> bool:
        of_ours = record.exc_info and isinstance(record.exc_info[1], ReleaseError)
        if of_ours:
            record.exc_info = record.exc_text = None
        elif not any(said in str(record.msg) for said in ("exception ReleaseError", "was aborted by")):
            return True
        return logging.getLogger("prefect").isEnabledFor(logging.INFO)


for _name in ("prefect.task_runs", "prefect.flow_runs"):
    logging.getLogger(_name).addFilter(_ReadableErrors())
