"""Every shape in which a head or its likeness comes, and the verdict it got: `python -m tests.bench.face_shapes [name …]`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tasks.deface import plan_faces
from tasks.face_rounds import deface_until_clear
from tasks.model import FaceOutcome
from tasks.policy.faces import FacePolicy
from tests.bench.faces import cpu_seconds
from tests.phantoms.series import instances_of, write_outcomes
from tests.phantoms.shapes import HELD, SHAPES, Study

POLICY = FacePolicy()


def verdicts(study: Study, folder: Path) -> list[str]:
    """The end of each series of a study after plan, deface and judge; `held` when any object of it is held."""
    plan = plan_faces(study, POLICY)
    ends = []
    for number, series in enumerate(study):
        write = partial(write_outcomes, folder=folder / str(number))
        ends.append(_end(deface_until_clear(instances_of(series), plan, POLICY, write).judged))
    return ends


def _end(outcomes: Sequence[FaceOutcome]) -> str:
    if any(outcome.reason is not None for outcome in outcomes):
        return HELD
    return "/".join(sorted({outcome.verdict for outcome in outcomes}))


def main(names: Sequence[str]) -> None:
    """Print the table."""
    print("| shape | verdicts | allowed | right | CPU s |\n|---|---|---|---|---|", flush=True)
    wrong = 0
    for name, (make, allowed) in SHAPES.items():
        if names and name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "out")
            out.mkdir()
            study = make(Path(folder, "in"))
            started = cpu_seconds()
            ends = verdicts(study, out)
            spent = cpu_seconds() - started
        right = all(end in can for end, can in zip(ends, allowed, strict=True))
        wrong += not right
        wanted = "; ".join(" or ".join(sorted(can)) for can in allowed)
        print(f"| {name} | {'; '.join(ends)} | {wanted} | {'yes' if right else 'NO'} | {spent:.1f} |", flush=True)
    print(f"{wrong} wrong")


if __name__ == "__main__":
    main(sys.argv[1:])
