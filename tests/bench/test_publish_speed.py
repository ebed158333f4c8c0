"""Publishing's measures in small; the whole ones are `python -m tests.bench.publish put|verify|million`."""

from __future__ import annotations

import pytest

from tests.bench.publish import million, verify_rate

pytestmark = pytest.mark.bench


def test_manifests_are_written_in_bounded_memory_and_queried_at_once():
    """A million: at most 60 s and 1 GB, a query within 1 s. A tenth of it here, with a tenth of the time."""
    result = million(100_000)
    assert result["instances"] == 100_000
    assert result["cpu_s"] < 6
    assert result["peak_mb"] < 1000
    assert result["slowest_query_cpu_s"] < 1


def test_full_verification_reads_objects_at_four_fifths_of_sha256sum_or_better():
    assert verify_rate(200)["objects_only_ratio"] >= 0.8
