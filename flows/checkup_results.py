"""What a check of the machine can say. The checks are in `flows/checkup.py`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `level` is ok, warning (a run would work) or failure (it would not)."""

    check: str
    level: str
    message: str
    remedy: str = ""


class Trouble(Exception):  # noqa: N818 - a result, not an error of ours
    """Raised by a check: a run would not work."""


class Doubt(Exception):  # noqa: N818
    """Raised by a check: a run would work, and somebody should look."""
