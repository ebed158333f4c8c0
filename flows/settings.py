"""Prefect's settings for runs of ours, set before prefect is imported; what the user set in the environment wins."""

from __future__ import annotations

import os

_STARTUP = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
_DEFAULTS = {
    _STARTUP: "900",  # 10 s of work: two minutes were not enough on a machine at load 20
    "PREFECT_SERVER_DATABASE_TIMEOUT": "60",  # SQLite: a writer waits for another instead of failing
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_CLI_PROMPT": "false",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
}


def prepare_prefect(*, verbose: bool = False) -> None:
    """Set the defaults that our runs need."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    if verbose:
        os.environ["PREFECT_LOGGING_LEVEL"] = "INFO"


def startup_seconds() -> float:
    """Return how long a run waits for its own Prefect server."""
    return float(os.environ.get(_STARTUP, _DEFAULTS[_STARTUP]))
