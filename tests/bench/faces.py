"""What the face stage is measured by, as a table: `python -m tests.bench.faces [phantoms|real] …`.

Phantoms are made by code; real heads are read from the folder that SALLYPORT_SHARED names, when it is there. No render is kept.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace as with_fields
from pathlib import Path

import numpy as np
from pydicom import dcmread, dcmwrite

from tasks.deface import FacePlan, deface_series, judge_series, plan_faces
from tasks.deface.head import face_volume
from tasks.deface.judge import Judgement, judge_stack
from tasks.deface.look import Sight
from tasks.intake import SeriesFiles
from tasks.policy.faces import FacePolicy
from tests.bench.face_checks import controls_seen, is_held_in, native_brain, outside_mask, points_in_head, stored, wrong_frames
from tests.bench.memory import peak_mib
from tests.phantoms import bodies, limbs
from tests.phantoms.heads import head, turned
from tests.phantoms.series import instances_of, source_file, write_series

POLICY = FacePolicy()
PHANTOMS = {
    "MR head": lambda: head("MR", (3.0, 2.0, 2.0)),
    "MR child": lambda: head("MR", (3.0, 2.0, 2.0), scale=0.82),
    "MR pitched 25": lambda: head("MR", (3.0, 2.0, 2.0), pose=turned("x", 25), z_range=(-150, 120), y_range=(-170, 140)),
    "MR decubitus": lambda: head("MR", (3.0, 2.0, 2.0), pose=turned("z", 90), y_range=(-110, 110), half_width=140),
    "MR thick": lambda: head("MR", (6.0, 2.0, 2.0)),
    "CT head": lambda: head("CT", (3.0, 2.0, 2.0)),
    "MR no vault": lambda: head("MR", (3.0, 2.0, 2.0), z_range=(-130, -8)),
    "MR feet first by header": lambda: _turned_over(*head("MR", (3.0, 2.0, 2.0))),
    "CT no vault": lambda: head("CT", (3.0, 2.0, 2.0), z_range=(-130, -38)),
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


def _turned_over(values: np.ndarray, to_patient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return values, turned("y", 180) @ to_patient


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    verdict: str
    reason: str
    relief_before: float | None
    relief_after: float | None
    detected: str  # pictures with a detection: before, after, bone, peeled
    control: str  # the same detectors on pictures of the back of the head, rendered alike: how often they fire on no face
    judgement: Judgement | None  # PRIVACY: holds embeddings, in memory only, for the ranks
    brain_changed: int | None  # voxels of the brain as found in the volume itself
    outside_changed: int  # voxels outside the mask
    wrong_frames: str  # held, of those tried
    second_pass: str
    identical: bool
    plan_s: float  # CPU seconds: plan and deface
    judge_s: float  # CPU seconds, detectors included
    memory_mb: int


def cpu_seconds() -> float:
    """CPU time of this process and of its children so far."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


def measure(name: str, series: SeriesFiles, folder: Path) -> Row:
    """Run one series through plan, deface and judge, twice, and look at every voxel."""
    started = cpu_seconds()
    plan = plan_faces([series], POLICY)
    instances = instances_of(series)
    outcomes = deface_series(instances, plan, POLICY)
    planned = cpu_seconds()
    folder.mkdir()
    paths = [folder / f"{n:05d}.dcm" for n in range(len(outcomes))]
    for path, outcome in zip(paths, outcomes, strict=True):
        dcmwrite(path, outcome.instance.dataset)
    written = cpu_seconds()
    judged = judge_series(paths, outcomes, plan, POLICY)
    ended = cpu_seconds()
    files = tuple(with_fields(f, file=with_fields(f.file, path=p)) for f, p in zip(series.files, paths, strict=True))
    second = with_fields(series, files=files)
    again = deface_series(instances_of(second), plan_faces([second], POLICY), POLICY)
    unchanged = all(a.instance.dataset.PixelData == o.instance.dataset.PixelData for a, o in zip(again, outcomes, strict=True))
    repeat = deface_series(instances_of(series), plan_faces([series], POLICY), POLICY)
    same = all(a.instance.dataset.PixelData == o.instance.dataset.PixelData for a, o in zip(repeat, outcomes, strict=True))
    looked = _look(series, paths, plan) if plan.decisions[series.files[0].file.path].job is not None else _Looked()
    changed = sum(a.dataset.PixelData != o.instance.dataset.PixelData for a, o in zip(instances_of(series), outcomes, strict=True))
    return Row(
        name, judged[0].verdict, judged[0].reason.value if judged[0].reason else "", looked.before, looked.after, _counts(looked.seen),
        looked.control, looked.seen, looked.brain, looked.outside if looked.seen else changed, looked.wrong,
        "no-op" if unchanged else "CHANGED", same, planned - started, ended - written,
        int(peak_mib()),
    )  # fmt: skip


@dataclass(frozen=True)
class _Looked:
    before: float | None = None
    after: float | None = None
    seen: Judgement | None = None
    control: str = ""
    brain: int | None = None
    outside: int = 0
    wrong: str = ""


def _look(series: SeriesFiles, paths: list[Path], plan: FacePlan) -> _Looked:
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
    brain = native_brain(hounsfield, points, view.is_ct)
    fired, shown = controls_seen(view, head)
    tries = wrong_frames() if view.sight is Sight.HEAD and len(decision.views) == 1 else []
    wrong = [is_held_in(frame, series, decision, paths[0].parent / f"wrong-{n}") for n, frame in enumerate(tries)]
    return _Looked(
        face_volume(view, head).relief.rms_mm, seen.relief_mm, seen, f"{fired}/{shown}",
        int((changed & brain).sum()) if brain.any() else None,
        int((changed & outside_mask(stack, decision.head, points)).sum()), f"{sum(wrong)}/{len(wrong)}",
    )  # fmt: skip


def _counts(seen: Judgement | None) -> str:
    if seen is None:
        return ""
    counts = (seen.detected_before, seen.detected_after, seen.detected_bone, seen.detected_peeled)
    return "/".join("-" if c is None else str(c) for c in counts)


def ranks(rows: list[Row]) -> list[tuple[str, float, int]]:
    """Return for each head the distance to its own original and the rank of that among all originals (1 = recognised)."""
    known = [(row.name, row.judgement.faces) for row in rows if row.judgement is not None and row.judgement.faces is not None]

    def apart(after: tuple[np.ndarray, ...], before: tuple[np.ndarray, ...]) -> float:
        return min(float(np.linalg.norm(a - b)) for a in after for b in before)

    found = []
    for name, (own, after) in known:
        mine = apart(after, own)
        found.append((name, mine, 1 + sum(apart(after, other) < mine for other_name, (other, _) in known if other_name != name)))
    return found


def phantoms(folder: Path, names: list[str] | None = None) -> Iterator[tuple[str, SeriesFiles]]:
    """Yield the phantoms as series on disk."""
    for name, make in PHANTOMS.items():
        if names is None or name in names:
            yield name, write_series(folder / name, *make(), "CT" if "CT" in name else "MR")


def real(shared: Path) -> Iterator[tuple[str, SeriesFiles]]:
    """Yield the real heads and the fruit of the shared folder."""
    places = {"head": "data/heads/*/*", "GE CT head": "data/dicom/*dcm_qa_ct/In/GE/*", "fruit": "data/dicom/*dcm_qa_deident/In/*"}
    for label, pattern in places.items():
        groups: dict[str, list[Path]] = {}
        for path in sorted(shared.glob(pattern)):
            groups.setdefault(str(dcmread(path, stop_before_pixels=True, force=True).get("SeriesInstanceUID")), []).append(path)
        for paths in groups.values():
            if len(paths) >= 8:
                files = tuple(source_file(path, dcmread(path, stop_before_pixels=True)) for path in paths)
                yield f"{label} ({len(paths)} slices)", SeriesFiles(files[0].series_instance_uid, files[0].modality, files)


def main(groups: list[str]) -> None:
    """Print the table."""
    shared = os.environ.get("SALLYPORT_SHARED", "")
    print("| what | verdict | reason | relief mm before | after | detections before/after/bone/peeled | on its back ", end="")
    print("| brain changed | outside mask changed | wrong frames held | second pass | twice the same | CPU s | judge CPU s | MB |")
    print("|---" * 15 + "|")
    with tempfile.TemporaryDirectory() as folder:
        series = [*(phantoms(Path(folder)) if "phantoms" in groups else ()), *(real(Path(shared)) if "real" in groups and shared else ())]
        rows = []
        for n, (name, one) in enumerate(series):
            row = measure(name, one, Path(folder) / f"out {n}")
            rows.append(row)
            relief = ["" if r is None else f"{r:.2f}" for r in (row.relief_before, row.relief_after)]
            brain = "" if row.brain_changed is None else row.brain_changed
            cells = (row.name, row.verdict, row.reason, *relief, row.detected, row.control, brain, row.outside_changed, row.wrong_frames)
            print(
                "|",
                " | ".join(str(c) for c in (*cells, row.second_pass, row.identical)),
                f"| {row.plan_s:.1f} | {row.judge_s:.1f} | {row.memory_mb} |",
                flush=True,
            )
    bodies_seen = [row for row in rows if row.verdict == "no face"]
    print(f"without a face: {len(bodies_seen)} series, untouched: {sum(row.outside_changed == 0 for row in bodies_seen)}")
    print(f"held: {sum(bool(row.reason) for row in rows)}; defaced: {sum(row.verdict == 'defaced' for row in rows)}")
    ranked = ranks(rows)
    for name, distance, rank in ranked:
        print(f"{name}: distance to its own original {distance:.2f}, rank {rank} of {len(ranked)}")
    if ranked:
        print(f"mean rank {np.mean([rank for *_, rank in ranked]):.1f}; chance gives {(len(ranked) + 1) / 2:.1f}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["phantoms", "real"])
