"""The burned-in benchmark in small (`python -m tests.bench.burned_in` is the whole): recall over known ink, clean frames untouched, CPU."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.pixels import start_engine
from tests.bench.burned_in.__main__ import run


@pytest.mark.bench
def test_small_benchmark_holds_its_floor():
    start_engine()
    judged, over, clean, seconds, megapixels = run(regions=24, seed=2)
    seen = [j for j in judged if j.visibility >= 1]
    assert sum(j.gone for j in seen) >= 0.95 * len(seen)
    assert all(share == 0 for share in clean)
    assert np.mean(over) < 0.005
    assert seconds / megapixels < 4
