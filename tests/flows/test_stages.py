"""What leaves a stage: one line of ours, never the message of a library, and of a bug the lines of code it came from."""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from prefect.utilities.annotations import quote

from flows import stages
from tasks.errors import HeldError, ReleaseError, UsageError, VerificationError
from tests.flows.sallyport import sallyport

CANARY = "Quistgaard^Anneliese"


@pytest.mark.slow
def test_an_error_of_ours_is_one_line_on_stderr_without_a_traceback(tmp_path: Path, write_spec) -> None:
    ran = sallyport("release", write_spec(tmp_path / "nowhere"))
    lines = [line for line in ran.err.splitlines() if line.strip()]
    assert ran.code == 1
    assert [line.split(":")[0] for line in lines] == ["sallyport"], ran.err


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (ValueError(CANARY), "stopped by ValueError"),
        (KeyError(CANARY), "stopped by KeyError"),
        (UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, CANARY), "stopped by UnicodeDecodeError"),
        (OSError(errno.ENOSPC, CANARY), "a disk is full"),
        (PermissionError(errno.EACCES, CANARY, CANARY), "stopped by PermissionError"),
        (UsageError("spec", "is wrong", "mend it"), "spec: is wrong; mend it"),
    ],
)
def test_only_what_we_wrote_ourselves_leaves_a_stage(
    error: Exception, shown: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stages, "get_run_logger", lambda: logging.getLogger("run"))

    def read_the_headers(value: str) -> None:
        raise error

    with pytest.raises(ReleaseError) as caught:
        stages.guarded(read_the_headers)(CANARY)
    assert shown in str(caught.value)
    assert caught.value.__cause__ is None
    unforeseen = not isinstance(error, OSError | ReleaseError)
    assert ("in read_the_headers" in caplog.text) == unforeseen  # a bug can be found by it
    assert CANARY not in caplog.text + str(caught.value) + repr(caught.value)


def test_prefect_hands_a_stage_its_arguments_without_looking_into_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "task", _Task)
    studies = [object()] * 2000
    assert stages.stage(lambda refs, total: (refs, total), "find")(studies, total=2000) == (studies, 2000)
    refs, total = _Task.given
    assert (type(refs), type(total)) == (quote, quote)  # of others, Prefect visits every element, twice


class _Task:
    """As much of a Prefect task as a stage uses."""

    given: ClassVar[tuple[Any, ...]] = ()

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def with_options(self, **_options: Any) -> _Task:
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        _Task.given = (*args, *kwargs.values())
        return self._function(*(a.unquote() for a in args), **{name: a.unquote() for name, a in kwargs.items()})


def _record(message: str, error: Exception | None) -> logging.LogRecord:
    try:
        raise error or ReleaseError("x", "y")
    except Exception:
        return logging.LogRecord("prefect.task_runs", logging.ERROR, __file__, 1, message, (), sys.exc_info() if error else None)


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
def test_tracebacks_of_ours_are_dropped_and_those_of_bugs_in_prefect_are_kept(level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("prefect"), "level", level)
    logging.getLogger("prefect").manager._clear_cache()  # type: ignore[attr-defined]
    quiet = stages._ReadableErrors()
    ours = _record("Task run failed with exception: ReleaseError('archive')", ReleaseError("archive", "is down"))
    assert quiet.filter(ours) == (level == logging.INFO)  # in the UI one line says it; on the command line the command does
    assert ours.exc_info is None
    bug = _record("Unexpected exception encountered", RuntimeError("in Prefect"))
    assert quiet.filter(bug)
    assert bug.exc_info is not None
    assert quiet.filter(_record("Finished in state Completed()", None))


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ReleaseError("store", "does not answer"), True),
        (HeldError("publish", "held"), False),
        (UsageError("spec", "wrong"), False),
        (VerificationError("verify", "differs"), False),
        (ValueError("a bug"), False),
    ],
)
def test_only_machine_trouble_is_tried_again(error: Exception, again: bool) -> None:
    from prefect.states import Failed

    assert stages._may_pass(None, None, Failed(data=error)) is again
