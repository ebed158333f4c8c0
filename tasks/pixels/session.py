"""Sessions of the two detectors: one thread, memory that is kept from frame to frame and given back at the end of a series."""

from __future__ import annotations

from typing import Any

import numpy as np


def open_session(model: str | bytes) -> Any:
    """Return a session on one thread of the processor; whatever the runtime raises when the model cannot be loaded.

    Its memory stays with it between runs: fetching it anew costs a fifth of the time. `give_back` lets it go.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=[("CPUExecutionProvider", {"arena_extend_strategy": "kSameAsRequested"})])


def give_back(session: Any, shape: tuple[int, ...]) -> None:
    """Give the session's memory back to the worker by one run on the smallest input (of zeros) that the model takes."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    session.run(None, {session.get_inputs()[0].name: np.zeros(shape, np.float32)}, options)
