"""Fixtures of the archive tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_dicom() -> Path:
    """Real DICOM files beside the repository; the test is skipped without them."""
    beside = Path(__file__).resolve().parents[3] / "shared"
    path = Path(os.environ.get("SALLYPORT_SHARED", beside)) / "data" / "dicom"
    if not path.is_dir():
        pytest.skip("no shared test data beside the repository")
    return path
