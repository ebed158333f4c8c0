"""Face detectors in an environment of their own, asked through a subprocess; absent detectors are an answer, not an error.

Pictures go through a pipe and never touch a disk. What a detection means belongs to `judge` and `plan`.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.deface.render import Image

VARIABLE = "SALLYPORT_FACE_JUDGE"
"""Names the interpreter of the judge's environment; `off` means none. Default: beside the running environment, `<prefix>-judge`."""
TIMEOUT_S = 600
LIMITS = {"mediapipe_mesh": 0.5, "mediapipe_short_range": 0.5, "dlib_hog": 1.0}
"""Scores from which a picture counts as showing a face: those that each detector itself goes by unless it is told otherwise."""
LIMITS_OF_BRAINS = {**LIMITS, "mediapipe_short_range": 0.6}
"""The same for a head of which only the brain is left: round and furrowed, it makes the short range fire at 0.5 (test_faces_policy.py)."""


Box = tuple[int, int, int, int]
"""Left, top, right, bottom of a face in a picture."""
Embedding = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Detections:
    """For each detector, which pictures show a face."""

    fired: dict[str, tuple[bool, ...]]
    versions: dict[str, str]
    embeddings: tuple[Embedding, ...] | None = field(repr=False, default=None)
    """By portrait; None when the recogniser is not installed. PRIVACY: biometric, kept in memory only, never written anywhere."""

    def count(self, pictures: slice | None = None) -> int:
        """Return how many of the pictures made at least one detector fire."""
        return int(np.any([hits[pictures or slice(None)] for hits in self.fired.values()], axis=0).sum())


def judge_interpreter() -> Path | None:
    """Return the interpreter of the judge's environment, None when it is not installed."""
    named = os.environ.get(VARIABLE, "")
    if named.lower() == "off":
        return None
    path = Path(named) if named else Path(f"{sys.prefix}-judge") / "bin" / "python"
    return path if path.is_file() else None


def detect_faces(
    pictures: Sequence[Image], portraits: Sequence[Image] = (), box: Box = (0, 0, 0, 0), limits: Mapping[str, float] = LIMITS
) -> Detections | None:
    """Run every detector over the pictures and the recogniser over the same box of each portrait.

    None when the detectors are absent or fail: then nothing was assessed. Raises TimeoutError when the machine is too slow for them,
    and MemoryError when it ended them: the study fails and is done again, since a held one would stay held for ever.
    """
    interpreter = judge_interpreter()
    if interpreter is None or not pictures:
        return None
    buffer = io.BytesIO()
    faces = np.stack(portraits) if portraits else np.zeros((0, 1, 1), dtype=np.uint8)
    np.savez(buffer, images=np.stack(pictures), portraits=faces, box=np.array(box, dtype=np.int32))
    program = Path(__file__).with_name("detector_program.py")
    environment = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "MPLCONFIGDIR": "/nonexistent", "HOME": "/nonexistent"}
    try:
        done = subprocess.run(
            [str(interpreter), "-I", str(program)],
            input=buffer.getvalue(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
            env=environment,
            check=True,
        )
        answer = json.loads(done.stdout)
        fired = {name: tuple(float(s) >= limits[name] for s in answer["scores"][name]) for name in limits}
        described = answer["embeddings"]
        embeddings = None if described is None else tuple(np.array(one, dtype=np.float64) for one in described)
        versions = {str(name): str(version) for name, version in answer["versions"].items()}
    except subprocess.TimeoutExpired:
        raise TimeoutError("the face judge was not done in time") from None
    except subprocess.CalledProcessError as error:
        if error.returncode == -signal.SIGKILL:  # nobody but the kernel, out of memory, or an operator
            raise MemoryError("the face judge was killed") from None
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if any(len(hits) != len(pictures) for hits in fired.values()) or (embeddings is not None and len(embeddings) != len(portraits)):
        return None
    return Detections(fired, versions, embeddings)
