"""Start the text engine of this process, without importing it before it is asked for."""

from __future__ import annotations


def start_engine() -> None:
    """Load the engine and read a control image with known text; ReleaseError when it is absent or does not find and read it.

    Call it once per worker process, before any study is touched. No model is fetched: they come with the installed package.
    """
    from tasks.pixels.engine import check_engine

    check_engine()
