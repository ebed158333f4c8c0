"""Checks of what reads text and looks for faces; the other checks are in `flows/checkup.py`."""

from __future__ import annotations

from flows.checkup_results import Doubt, Trouble
from tasks.spec import Spec


def engines(spec: Spec) -> str:
    """Start the text engine, and say which face engine there is."""
    from tasks import pixels

    pixels.start_engine()
    import SimpleITK

    return f"text engine started; face engine SimpleITK {SimpleITK.Version_VersionString()}"


def face_judge(spec: Spec) -> str:
    """Have the face detectors look at one empty picture; without them less is released, and faces are judged by relief alone."""
    import numpy as np

    from tasks.deface.detectors import VARIABLE, detect_faces, judge_interpreter
    from tasks.deface.render import IMAGE_SIZE

    remedy = f"run infra/judge/install.sh, or name its interpreter in {VARIABLE}"
    if judge_interpreter() is None:
        raise Doubt("not installed: relief alone judges faces, and what only detectors can clear is held", remedy)
    try:
        empty = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
        seen = detect_faces([empty], [empty], (80, 80, 240, 240))
    except (OSError, MemoryError) as error:
        raise Trouble(f"installed, and did not answer ({type(error).__name__})", "less load, or more memory") from None
    if seen is None:
        raise Trouble("installed, and does not work: heads would be held", remedy)
    versions = ", ".join(f"{name} {version}" for name, version in seen.versions.items())
    if seen.embeddings is None:
        raise Doubt(f"{versions}, without the recogniser", remedy)
    return f"{versions}, and the recogniser"
