"""What looking for burned-in text costs, one command each:

python -m tests.bench.burned_in.costs series         CPU seconds for 275 slices of CT, text in one of them (bar: 12)
python -m tests.bench.burned_in.costs frame          CPU seconds for a frame of 512 x 512 that must be read (bar: 0.7)
python -m tests.bench.burned_in.costs cine [FRAMES]  peak memory of a process that cleans 2,000 frames of ultrasound (bar: 2 GB)
python -m tests.bench.burned_in.costs clean FOLDER   files of a folder with CATALOG.csv that say "no" to burned-in text and are touched
"""

from __future__ import annotations

import csv
import sys
import threading
import time
from pathlib import Path

import numpy as np

from tasks.model import Instance, PulledFile
from tasks.pixels import clean_text, start_engine
from tasks.policy.pixels import PixelPolicy
from tests.bench.burned_in.compose import Style, write
from tests.bench.burned_in.frames import body_slice, speckle_fan
from tests.bench.burned_in.objects import EXPLICIT, make_case
from tests.unit.pixels_objects import instance_of


def _timed(instances: list[Instance]) -> tuple[float, list]:
    started = time.process_time()
    outcomes = clean_text(instances, PixelPolicy())
    return time.process_time() - started, outcomes


class _Peak(threading.Thread):
    """The most memory of its own (RssAnon) that the process holds while this runs, in GB; looked at twenty times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self._over = 0.0, threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.05):
            held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
            self.most = max(self.most, int(held.split()[1]) / 1e6)

    def end(self) -> float:
        self._over.set()
        self.join()
        return self.most


def series() -> None:
    rng = np.random.default_rng(275)
    slices = [body_slice(512, 512, rng) for _ in range(25)]
    slices = [np.roll(slices[number % 25], number // 25 * 3, axis=1) for number in range(275)]
    write(slices[137], Style(), rng, (0, 4095), np.zeros((512, 512), bool))
    seconds, outcomes = _timed([instance_of(values, modality="CT", bits_stored=12) for values in slices])
    touched = [number for number, outcome in enumerate(outcomes) if outcome.findings]
    print(f"275 slices of CT: {seconds:.1f} CPU s; text in slice 137, blanked in {touched}")


def frame() -> None:
    rng = np.random.default_rng(512)
    cases = [make_case(rng, [Style()] * 3 * (n % 2), name, EXPLICIT) for name in ("CT", "XA") for n in range(8)]
    _timed([cases[0].instance])
    seconds = [_timed([case.instance])[0] for case in cases]
    print(f"{len(cases)} frames of 512 x 512, half of them with text: {np.mean(seconds):.2f} CPU s each, {max(seconds):.2f} at most")


def cine(frames: int = 2000) -> None:
    rng = np.random.default_rng(2000)
    few = [speckle_fan(480, 640, rng) for _ in range(8)]
    stack = np.empty((frames, 480, 640), np.uint8)
    for number in range(frames):
        stack[number] = np.roll(few[number % 8], number % 5, axis=0)
    write(stack[frames // 3], Style(), rng, (0, 255), np.zeros((480, 640), bool))
    instance = instance_of(stack, modality="US", number_of_frames=frames)
    del stack
    peak = _Peak()
    peak.start()
    seconds, (outcome,) = _timed([instance])
    print(f"{frames} frames of 480 x 640: {seconds:.0f} CPU s, {len(outcome.findings)} regions, peak {peak.end():.2f} GB")


def clean(folder: Path) -> None:
    from pydicom import dcmread

    total, touched = 0, []
    for row in csv.DictReader((folder / "CATALOG.csv").open(encoding="utf-8")):
        if row["burned_in_text"] != "no" or row["readable"] != "yes":
            continue
        dataset = dcmread(folder / row["path"], force=True)
        syntax = str(dataset.file_meta.get("TransferSyntaxUID", "1.2.840.10008.1.2"))
        kind, modality = str(dataset.get("SOPClassUID", "")), str(dataset.get("Modality", ""))
        instance = Instance(PulledFile(Path("x"), "x", 0), dataset, "2.25.1", "2.25.2", kind, syntax, modality)
        seconds, (outcome,) = _timed([instance])
        total += 1
        if outcome.findings:
            touched.append(row["path"])
            print(row["path"], *(f"{f.place} {f.rule} {f.score}" for f in outcome.findings[:6]), f"{seconds:.1f} CPU s", flush=True)
    print(f"touched: {len(touched)} of {total} files without text")


if __name__ == "__main__":
    start_engine()
    name, *rest = sys.argv[1:] or ["frame"]
    if name == "clean":
        clean(Path(rest[0]))
    else:
        {"series": series, "frame": frame, "cine": cine}[name](*map(int, rest))
