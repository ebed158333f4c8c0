"""Cadence: nightly runs prepare, publishing happens in windows, so that a diff between releases is never one night's patients (C1)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from tasks.errors import ReleaseError
from tasks.publish.causes import Cause
from tasks.publish.log import read_log
from tasks.publish.store import Store

Window = Literal["always", "daily", "weekly", "monthly"]


def opens_on(last: date | None, window: Window) -> date | None:
    """Return the first day on which the next release may be published; None when any day may.

    daily: the day after the last release; weekly: the Monday after it (ISO 8601); monthly: the first of the next month.
    """
    if last is None or window == "always":
        return None
    if window == "daily":
        return last + timedelta(days=1)
    if window == "weekly":
        return last + timedelta(days=7 - last.weekday())
    return (last.replace(day=1) + timedelta(days=32)).replace(day=1)


def closed_until(public: Store, candidate_root: str, window: Window, today: date) -> date | None:
    """Return the day that a new release must wait for, or None when it may be published today.

    What was released already may be "published" again at any time, also under other terms: no object and no row of it changes.
    """
    if window == "always" or public.size("keys.json") is None:
        return None
    try:
        log = read_log(public)
    except ReleaseError as error:
        if getattr(error, "cause", None) is Cause.NO_RELEASE:
            return None
        raise
    current = log.current()
    if current is None or current.body.get("root") == candidate_root:
        return None
    opens = opens_on(date.fromisoformat(str(current.body["released_on"])), window)
    return opens if opens is not None and today < opens else None
