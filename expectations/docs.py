"""great-expectations' context and its Data Docs: in memory, silent, and written only from value-free results.

Which results are value-free is pinned in `expectations/results.py`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from expectations.results import SuiteRecord

KEPT = (".html", ".css", ".otf", ".svg", ".ico")
"""What a private folder of Data Docs needs; the library's animated tutorials are left out."""


def open_context(docs: Path | None) -> Any:
    """Return an in-memory context that logs nothing, reports nothing home and, with `docs`, has a site in that folder."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    # PRIVACY: the library logs values of the columns it judges at levels below this one (tests/leaks/test_gate_canary.py).
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        data_docs_sites={"private": _site(docs)} if docs else {},
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    context.variables.progress_bars = {"globally": False}
    return context


def write_docs(context: Any, docs: Path, records: Sequence[SuiteRecord]) -> None:
    """Build the Data Docs, unless an expectation raised: a traceback may quote a value. A failure here decides nothing."""
    if all(record.ran for record in records):
        try:
            context.build_data_docs()
        except Exception:  # the verdict does not depend on a page; PRIVACY: the library's message may quote what it rendered
            for path in docs.rglob("*.html"):
                path.unlink()
    for path in docs.rglob("*"):
        if path.is_file() and path.suffix not in KEPT:
            path.unlink()


def _site(docs: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
