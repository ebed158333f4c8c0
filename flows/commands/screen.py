"""What commands show: progress on stderr, tables for people or JSON for machines on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

_HINTS = {
    "out_of_disk": "A disk is full: free space, then run it again.",
    "pull_failed": "The archive did not deliver some studies: check it, then run it again.",
    "timed_out": "Some studies took too long: raise workers.study_timeout_seconds, or look at them with `sallyport inspect`.",
    "engine_failed": "An engine failed on some studies: `sallyport doctor SPEC` says which.",
    "internal_error": "Sallyport failed on some studies: report it with their receipts (they hold no value of a patient).",
    "suspected_worker_killer": "Some studies kill their worker: give workers more memory, or leave them in quarantine.",
}


@contextmanager
def progress(labels: Mapping[str, str], *, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """Yield an observer (stage, done, total) that draws one bar per stage on stderr."""
    if quiet:
        yield lambda _stage, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def observe(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(labels.get(stage, stage), total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield observe


def print_json(value: Any) -> None:
    """Write one JSON document to stdout."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=True, default=str) + "\n")


def print_counts(title: str, rows: Sequence[tuple[str, ...]], headers: tuple[str, ...]) -> None:
    """Write one readable table to stdout; numbers to the right."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for header in headers:
        table.add_column(header, justify="right" if header in ("objects", "studies", "n", "bytes") else "left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def print_hints(reasons: Iterable[str]) -> None:
    """Say on stderr what to do about machine trouble, a line per cause."""
    for reason in sorted(reasons):
        if reason in _HINTS:
            sys.stderr.write(_HINTS[reason] + "\n")
