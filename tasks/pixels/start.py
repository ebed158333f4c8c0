"""Start the two detectors of this process, without importing them before they are asked for."""

from __future__ import annotations


def start_engine() -> None:
    """Load both detectors and show each a control image with known text; ReleaseError when one is absent or does not find it.

    Call it once per worker process, before any study is touched. No model is fetched: they come with the installed packages.
    """
    from tasks.pixels.engine import check_engine
    from tasks.pixels.network import check_network

    check_engine()
    check_network()
