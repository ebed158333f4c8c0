"""What the face stage is measured by, as a table: `python -m tests.bench.faces [phantoms|real] …`.

Phantoms are made by code; real heads are read from the folder that SALLYPORT_SHARED names, when it is there. No render is kept.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_fields
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmread

from tasks.deface import FacePlan, deface_series, plan_faces
from tasks.deface.head import face_volume
from tasks.deface.judge import Judgement, judge_stack
from tasks.deface.look import Sight
from tasks.face_rounds import deface_until_clear
from tasks.intake import SeriesFiles
from tasks.model import FaceOutcome
from tasks.policy.faces import FacePolicy
from tests.bench.brains import independent_brains, nearest_mm
from tests.bench.face_checks import controls_seen, is_held_in, outside_mask, points_in_head, stored, wrong_frames
from tests.bench.face_ranks import apart_by_recogniser, rank_all
from tests.bench.memory import TreeMemory
from tests.phantoms import bodies, limbs
from tests.phantoms.heads import Skull, brain, head, turned
from tests.phantoms.series import instances_of, source_file, write_outcomes, write_series

POLICY = FacePolicy()
FINE = (3.0, 2.0, 2.0)
HEADS: dict[str, dict[str, Any]] = {
    "MR head": {},
    "MR child": {"scale": 0.82},
    "MR pitched 25": {"pose": turned("x", 25), "z_range": (-150, 120), "y_range": (-170, 140)},
    "MR turned 30": {"pose": turned("z", 30), "y_range": (-150, 130), "half_width": 130},
    "MR decubitus": {"pose": turned("z", 90), "y_range": (-110, 110), "half_width": 140},
    "MR thick": {"spacing": (6.0, 2.0, 2.0)},
    "CT head": {},
    "MR no vault": {"z_range": (-130, -8)},
    "MR feet first by header": {},
    "CT no vault": {"z_range": (-130, -38)},
    "MR brain far in front": {"skull": Skull(frontal=9, orbital=9, temporal=9)},
    "CT brain far in front": {"skull": Skull(frontal=9, orbital=9, temporal=9)},
    "MR long and narrow": {"skull": Skull(wide=0.94, long=1.07)},
}
BODIES = {
    "chest CT": lambda: bodies.chest("CT"),
    "ball MR": lambda: bodies.ball("MR"),
    "leg CT": lambda: bodies.leg("CT"),
    "knee MR": lambda: limbs.knee("MR"),
    "two legs CT": lambda: limbs.two_legs("CT"),
    "foot CT": lambda: limbs.foot("CT"),
    "hand MR": lambda: limbs.hand("MR"),
    "shoulder MR": lambda: limbs.shoulder("MR"),
    "breasts MR": lambda: limbs.breasts("MR"),
    "neck MR": lambda: limbs.cervical("MR"),
    "quality phantom CT": lambda: limbs.quality_phantom("CT"),
}


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    modality: str
    verdict: str
    reason: str
    relief_before: float | None
    relief_after: float | None
    detected: str  # pictures with a detection: before, after, bone, peeled
    control: str  # the same detectors on pictures of the back of the head, rendered alike: how often they fire on no face
    judgement: Judgement | None  # PRIVACY: holds embeddings, in memory only, for the ranks
    brain_changed: int | None  # voxels of a brain that the defacer did not find itself, the most over all such brains
    brain_by: str  # whose those are, and how far (mm) the nearest changed voxel lies from each
    outside_changed: int  # voxels outside the mask
    wrong_frames: str  # held, of those tried
    rounds: int  # of defacing and judging
    second_pass: str  # over what is released
    identical: bool
    plan_s: float  # CPU seconds: plan and deface
    judge_s: float  # CPU seconds, detectors and every further round included
    memory_mb: int  # most that this process and the judge's hold together up to the judgement, the series itself included


def cpu_seconds() -> float:
    """CPU time of this process and of its children so far."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


def measure(name: str, series: SeriesFiles, folder: Path, known: np.ndarray | None = None) -> Row:
    """Run one series through plan, deface and judge, twice, and look at every voxel; `known` is its brain, by file, where that is known."""
    paths: list[Path] = []
    spent: list[float] = []

    def write(outcomes: Sequence[FaceOutcome]) -> Sequence[Path]:
        spent.append(cpu_seconds())
        paths[:] = write_outcomes(outcomes, folder)
        spent.append(cpu_seconds())
        return paths

    with TreeMemory() as memory:
        started = cpu_seconds()
        plan = plan_faces([series], POLICY)
        ended = deface_until_clear(instances_of(series), plan, POLICY, write)
        finished = cpu_seconds()
    outcomes, judged = ended.written, ended.judged
    files = tuple(with_fields(f, file=with_fields(f.file, path=p)) for f, p in zip(series.files, paths, strict=True))
    second = with_fields(series, files=files)
    again = deface_series(instances_of(second), plan_faces([second], POLICY), POLICY)
    unchanged = all(a.instance.dataset.PixelData == o.instance.dataset.PixelData for a, o in zip(again, outcomes, strict=True))
    repeat = deface_series(instances_of(series), plan_faces([series], POLICY), POLICY, ended.rounds - 1)
    same = all(a.instance.dataset.PixelData == o.instance.dataset.PixelData for a, o in zip(repeat, outcomes, strict=True))
    looked = _look(series, paths, plan, known) if plan.decisions[series.files[0].file.path].job is not None else _Looked()
    changed = sum(a.dataset.PixelData != o.instance.dataset.PixelData for a, o in zip(instances_of(series), outcomes, strict=True))
    return Row(
        name, series.modality, judged[0].verdict, judged[0].reason.value if judged[0].reason else "",
        looked.before, looked.after, _counts(looked.seen),
        looked.control, looked.seen, looked.brain, looked.brain_by, looked.outside if looked.seen else changed, looked.wrong,
        ended.rounds, "no-op" if unchanged else "CHANGED", same, spent[0] - started, finished - spent[1],
        int(memory.peak_mib),
    )  # fmt: skip


@dataclass(frozen=True)
class _Looked:
    before: float | None = None
    after: float | None = None
    seen: Judgement | None = None
    control: str = ""
    brain: int | None = None
    brain_by: str = ""
    outside: int = 0
    wrong: str = ""


def _look(series: SeriesFiles, paths: list[Path], plan: FacePlan, known: np.ndarray | None) -> _Looked:
    from tasks.deface.geometry import read_geometry

    decision = plan.decisions[series.files[0].file.path]
    assert decision.head is not None
    view, stack = decision.views[0], read_geometry(paths).stacks[0]
    head = decision.head.to_patient
    seen = judge_stack(view, stack, head, "defaced")
    before, after = stored(view.stack), stored(stack)
    points = points_in_head(stack, head)
    hounsfield = before * stack.frames[0].slope + stack.frames[0].intercept
    changed = before != after
    if known is not None:
        places = {file.file.path: n for n, file in enumerate(series.files)}
        known = known[[places[frame.path] for frame in view.stack.frames]]
    brains = dict(independent_brains(hounsfield, view.stack, points, view.is_ct, known))
    by = ", ".join(f"{whose} {nearest_mm(changed, one, view.stack):.1f}" for whose, one in brains.items())
    fired, shown = controls_seen(view, head)
    tries = wrong_frames() if view.sight is Sight.HEAD and len(decision.views) == 1 else []
    wrong = [is_held_in(frame, series, decision, paths[0].parent / f"wrong-{n}") for n, frame in enumerate(tries)]
    return _Looked(
        face_volume(view, head).relief.rms_mm, seen.relief_mm, seen, f"{fired}/{shown}",
        max((int((changed & one).sum()) for one in brains.values() if one.any()), default=None), by,
        int((changed & outside_mask(stack, decision.head, points)).sum()), f"{sum(wrong)}/{len(wrong)}",
    )  # fmt: skip


def _counts(seen: Judgement | None) -> str:
    if seen is None:
        return ""
    counts = (seen.detected_before, seen.detected_after, seen.detected_bone, seen.detected_peeled)
    return "/".join("-" if c is None else str(c) for c in counts)


def phantoms(folder: Path, names: list[str] | None = None) -> Iterator[tuple[str, SeriesFiles, np.ndarray | None]]:
    """Yield the phantoms as series on disk, with the brain of those that have one."""
    for name, scan in HEADS.items():
        if names is None or name in names:
            scan = {"spacing": FINE, **scan}
            modality = name[:2]
            values, to_patient = head(modality, **scan)
            if "feet first" in name:
                to_patient = turned("y", 180) @ to_patient
            yield name, write_series(folder / name, values, to_patient, modality), brain(**scan)
    for name, make in BODIES.items():
        if names is None or name in names:
            yield name, write_series(folder / name, *make(), "CT" if "CT" in name else "MR"), None


def real(shared: Path) -> Iterator[tuple[str, SeriesFiles, None]]:
    """Yield the real heads and the fruit of the shared folder."""
    places = {"head": "data/heads/*/*", "GE CT head": "data/dicom/*dcm_qa_ct/In/GE/*", "fruit": "data/dicom/*dcm_qa_deident/In/*"}
    for label, pattern in places.items():
        groups: dict[str, list[Path]] = {}
        for path in sorted(shared.glob(pattern)):
            groups.setdefault(str(dcmread(path, stop_before_pixels=True, force=True).get("SeriesInstanceUID")), []).append(path)
        for paths in groups.values():
            if len(paths) >= 8:
                files = tuple(source_file(path, dcmread(path, stop_before_pixels=True)) for path in paths)
                yield f"{label} ({len(paths)} slices)", SeriesFiles(files[0].series_instance_uid, files[0].modality, files), None


def main(groups: list[str]) -> None:
    """Print the table."""
    shared = os.environ.get("SALLYPORT_SHARED", "")
    print("| what | verdict | reason | relief mm before | after | detections before/after/bone/peeled | on its back ", end="")
    print("| brain changed | whose, mm to it | outside mask changed | wrong frames held ", end="")
    print("| rounds | second pass | twice the same | CPU s | judge CPU s | MB |")
    print("|---" * 17 + "|")
    with tempfile.TemporaryDirectory() as folder:
        series = [*(phantoms(Path(folder)) if "phantoms" in groups else ()), *(real(Path(shared)) if "real" in groups and shared else ())]
        rows = []
        for n, (name, one, known) in enumerate(series):
            row = measure(name, one, Path(folder) / f"out {n}", known)
            rows.append(row)
            relief = ["" if r is None else f"{r:.2f}" for r in (row.relief_before, row.relief_after)]
            brains = ("" if row.brain_changed is None else row.brain_changed, row.brain_by)
            cells = (row.name, row.verdict, row.reason, *relief, row.detected, row.control, *brains, row.outside_changed, row.wrong_frames)
            print(
                "|",
                " | ".join(str(c) for c in (*cells, row.rounds, row.second_pass, row.identical)),
                f"| {row.plan_s:.1f} | {row.judge_s:.1f} | {row.memory_mb} |",
                flush=True,
            )
    bodies_seen = [row for row in rows if row.verdict == "no face"]
    print(f"without a face: {len(bodies_seen)} series, untouched: {sum(row.outside_changed == 0 for row in bodies_seen)}")
    print(f"held: {sum(bool(row.reason) for row in rows)}; defaced: {sum(row.verdict == 'defaced' for row in rows)}")
    for kind in ("MR", "CT"):  # a modality is no face: heads are ranked among their own
        known = [
            row.judgement.faces for row in rows if row.modality == kind and row.judgement is not None and row.judgement.faces is not None
        ]
        if len(known) > 1:
            print(f"{kind}: {rank_all(apart_by_recogniser([after for _, after in known], [before for before, _ in known]))}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["phantoms", "real"])
