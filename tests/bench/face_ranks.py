"""Whether a defaced head can still be told from others: `python -m tests.bench.face_ranks [MR] [CT] [T2] [COUNT]`.

A gallery of heads is scanned once with bare faces. The same people are scanned again, with other noise, grid and position of the head,
and compared with the gallery: as they are (the control: without power the rest says nothing), and defaced. Heads are phantoms made by
code and differ in the face alone, so that the skull, which no defacing hides, tells nobody apart. Printing real heads' ranks belongs to
`faces`.
"""

from __future__ import annotations

import itertools
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.deface import deface_series, plan_faces
from tasks.deface.detectors import detect_faces
from tasks.deface.geometry import Matrix, Stack, read_geometry
from tasks.deface.head import face_volume
from tasks.deface.judge import STEP_MM, face_box, whole_head
from tasks.deface.look import View
from tasks.deface.render import VIEWS, Image, render_views, skin_levels
from tasks.intake import SeriesFiles
from tasks.policy.faces import FacePolicy
from tests.phantoms.heads import head, person, turned
from tests.phantoms.series import instances_of, write_outcomes, write_series

KINDS = {"MR": ("MR", False), "CT": ("CT", False), "T2": ("MR", True)}
SHUFFLES, EXACT = 20_000, 7
GALLERY_STEP, PROBE_STEP = (3.0, 2.0, 2.0), (3.5, 1.8, 1.8)
LARGEST_TURN = 6.0  # degrees, about each axis
SEED = 5

Portraits = tuple[Image, ...]
"""Of one head, by level of skin."""


@dataclass(frozen=True)
class Ranks:
    """At which place each probe's own original came, and how likely shuffled names do as well or better."""

    own: tuple[float, ...]  # 1 = recognised; ties count half

    chance: float  # one-sided permutation p-value of the mean

    @property
    def mean(self) -> float:
        """Mean rank; (n + 1) / 2 when the probes tell nothing."""
        return float(np.mean(self.own))

    def __str__(self) -> str:
        """Say it in one line."""
        first = sum(rank == 1 for rank in self.own)
        return f"mean rank {self.mean:.1f} of {len(self.own)}, chance {(len(self.own) + 1) / 2:.1f}, first {first}, p {self.chance:.3g}"


def rank_all(apart: np.ndarray) -> Ranks:
    """Rank probes (rows) against a gallery (columns) of the same people in the same order, by distance."""
    nearer = (apart[:, None, :] < apart[:, :, None]).sum(axis=2)  # [probe, candidate]: how many are nearer than the candidate
    alike = (apart[:, None, :] == apart[:, :, None]).sum(axis=2) - 1
    ranks = 1 + nearer + alike / 2
    people = np.arange(len(apart))
    own = ranks[people, people]
    if len(people) <= EXACT:
        orders: Iterator[Sequence[int]] = itertools.permutations(range(len(people)))
        tried = math.factorial(len(people))
        as_good = sum(ranks[people, list(order)].mean() <= own.mean() + 1e-9 for order in orders)
        return Ranks(tuple(own.tolist()), as_good / tried)
    random = np.random.default_rng(SEED)
    as_good = sum(ranks[people, random.permutation(people)].mean() <= own.mean() + 1e-9 for _ in range(SHUFFLES))
    return Ranks(tuple(own.tolist()), (1 + as_good) / (1 + SHUFFLES))


def apart_by_recogniser(probes: Sequence[Sequence[np.ndarray]], gallery: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Distances of embeddings (by level), the nearest pair of levels deciding, as the judge compares them."""
    return np.array([[min(float(np.linalg.norm(a - b)) for a in one for b in other) for other in gallery] for one in probes])


def apart_by_pixels(probes: Sequence[Portraits], gallery: Sequence[Portraits]) -> np.ndarray:
    """1 - correlation of the shaded faces, less what all of the gallery and all of the probes have in common; the mean over levels."""
    left, top, right, bottom = face_box()

    def faces(portraits: Sequence[Portraits]) -> np.ndarray:
        cut = np.array([[picture[top:bottom, left:right] for picture in one] for one in portraits], dtype=float)
        cut = (cut - cut.mean(axis=0)).reshape(len(portraits), cut.shape[1], -1)
        return np.asarray(cut / np.maximum(np.linalg.norm(cut, axis=2, keepdims=True), 1e-9))

    return 1 - np.einsum("ilp,jlp->ij", faces(probes), faces(gallery)) / len(gallery[0])


def compare_gallery(kind: str, count: int, folder: Path) -> dict[str, Ranks]:
    """Return the ranks by attacker and kind of probe: "recogniser, original" and so on; the recogniser only where it is installed.

    People whose second scan is held are left out: nobody gets to see it. Raises RuntimeError when most are.
    """
    scans: list[tuple[Portraits, Portraits, Portraits]] = []
    for number in range(1, 2 * count + 1):
        scanned = _scanned_twice(kind, number, folder / str(number))
        scans += [scanned] if scanned is not None else []
        if len(scans) == count:
            break
    else:
        raise RuntimeError(f"{kind}: of {2 * count} heads {len(scans)} were defaced, {count} are wanted")
    gallery, original, defaced = zip(*scans, strict=True)
    found = {}
    for name, probes in (("original", original), ("defaced", defaced)):
        found[f"pixels, {name}"] = rank_all(apart_by_pixels(probes, gallery))
    portraits = [picture for part in (gallery, original, defaced) for one in part for picture in one]
    seen = detect_faces(portraits[:1], portraits, face_box())
    if seen is not None and seen.embeddings is not None:
        levels = len(gallery[0])
        told = [seen.embeddings[n : n + levels] for n in range(0, len(portraits), levels)]
        for n, name in enumerate(("original", "defaced"), start=1):
            probes_told = told[n * count : (n + 1) * count]
            found[f"recogniser, {name}"] = rank_all(apart_by_recogniser(probes_told, told[:count]))
    return found


def _scanned_twice(kind: str, number: int, folder: Path) -> tuple[Portraits, Portraits, Portraits] | None:
    """Return the portraits of one person's first scan, of a second one, and of that after defacing; None when it was held."""
    modality, t2 = KINDS[kind]
    first = write_series(folder / "first", *head(modality, GALLERY_STEP, person(number), seed=1000 + number, t2=t2), modality)
    random = np.random.default_rng((SEED, number))
    pitch, roll, yaw = random.uniform(-LARGEST_TURN, LARGEST_TURN, 3)
    pose = turned("x", pitch) @ turned("y", roll) @ turned("z", yaw)
    pose[:3, 3] = random.uniform(-4, 4, 3)
    values, to_patient = head(
        modality, PROBE_STEP, person(number), noise=1.3, seed=2000 + number, t2=t2,
        pose=pose, z_range=(-160, 115), y_range=(-155, 135), half_width=112,
    )  # fmt: skip
    again = write_series(folder / "again", values, to_patient, modality)
    plan = plan_faces([again], FacePolicy())
    outcomes = deface_series(instances_of(again), plan, FacePolicy())
    decision = plan.decisions[again.files[0].file.path]
    if decision.job is None or decision.head is None:
        return None
    paths = write_outcomes(outcomes, folder / "out")
    view, frame = decision.views[0], decision.head.to_patient
    threshold = face_volume(view, frame).threshold
    return (
        _portraits(_stack(first), view, np.eye(4), threshold),
        _portraits(view.stack, view, frame, threshold),
        _portraits(read_geometry(paths).stacks[0], view, frame, threshold),
    )


def _stack(series: SeriesFiles) -> Stack:
    return read_geometry([file.file.path for file in series.files]).stacks[0]


def _portraits(stack: Stack, view: View, frame: Matrix, threshold: float) -> Portraits:
    levels = skin_levels(threshold, view.is_ct)
    return tuple(render_views(whole_head(stack, view.is_ct, frame), STEP_MM, levels, VIEWS[:1]))


def main(arguments: Sequence[str]) -> None:
    """Print how well originals and defaced heads rank, by modality and attacker."""
    count = next((int(word) for word in arguments if word.isdigit()), 24)
    for kind in [word for word in arguments if word in KINDS] or KINDS:
        with tempfile.TemporaryDirectory() as folder:
            for name, ranks in compare_gallery(kind, count, Path(folder)).items():
                print(f"{kind}, {name}: {ranks}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
