"""Run the burned-in benchmark: `python -m tests.bench.burned_in [regions] [seed]`; prints recall by stratum, over-masking and CPU time.

Half of the text that fonts draw is drawn with fonts that the ink network was not trained with, where they are installed (Debian:
fonts-roboto-unhinted, fonts-crosextra-carlito, fonts-noto-cjk, fonts-sil-scheherazade, beside fonts-dejavu and fonts-wqy-zenhei); without
any font for a script its strata are empty. Memory, series and real files without text: `tests.bench.burned_in.costs`.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from tasks.pixels import clean_text, start_engine
from tasks.policy.pixels import PixelPolicy
from tests.bench.burned_in.compose import Style
from tests.bench.burned_in.frames import MAKERS
from tests.bench.burned_in.ink import face_of
from tests.bench.burned_in.measure import Judged, judge, strata
from tests.bench.burned_in.objects import EXPLICIT, J2K, JPEG, JPEG_LS, RLE, make_case


def any_style(rng: np.random.Generator) -> Style:
    """Draw one style, every stratum often enough."""
    script = str(rng.choice(["latin"] * 7 + ["cjk", "arabic", "cyrillic"]))
    font = str(rng.choice(["bitmap", "stroke", "mono", "sans", "serif"])) if script == "latin" else "sans"
    held_out = bool(rng.random() < 0.5) and face_of(font, script, 12, held_out=True) is not None
    heights = [8, 16, 24] if font == "bitmap" else [8, 10, 12, 14, 16, 20, 28, 40] if script == "latin" else [12, 14, 16, 20, 28]
    return Style(
        font=font,
        height=int(rng.choice(heights)),
        script=script,
        rotation=int(rng.choice([0] * 5 + [90, 180, 270, 12, -20])),
        contrast=float(rng.choice([1.0, 0.6, 0.3, 0.15, 0.06, 0.03])),
        polarity=str(rng.choice(["bright", "bright", "dark"])),
        position=str(rng.choice(["corner", "corner", "edge", "centre"])),
        held_out=held_out,
    )


def run(regions: int, seed: int = 1, least_visibility: float = 0.0) -> tuple[list[Judged], list[float], list[float], float, float]:
    """Return judged regions, over-masked shares with text, the same of clean objects, CPU seconds and megapixels."""
    rng = np.random.default_rng(seed)
    judged: list[Judged] = []
    over, clean = [], []
    seconds = megapixels = 0.0
    names = list(MAKERS)
    number = 0
    while len(judged) < regions:
        modality = names[number % len(names)]
        eight = MAKERS[modality][2] == 8
        syntax = str(rng.choice([EXPLICIT, EXPLICIT, RLE, J2K, JPEG_LS, *([JPEG, JPEG] if eight else [])]))
        styles = [] if number % 8 == 7 else [any_style(rng) for _ in range(4)]
        frames = 8 if modality == "US" and number % 3 == 0 else 1
        case = make_case(rng, styles, modality, syntax, frames)
        number += 1
        started = time.process_time()
        (outcome,) = clean_text([case.instance], PixelPolicy())
        seconds += time.process_time() - started
        megapixels += case.instance.dataset.Rows * case.instance.dataset.Columns * frames / 1e6
        found, share = judge(case, outcome)
        judged += [j for j in found if j.visibility >= least_visibility]
        (over if case.regions else clean).append(share)
    return judged, over, clean, seconds, megapixels


def main() -> None:
    regions = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    start_engine()
    judged, over, clean, seconds, megapixels = run(regions, seed)
    gone = sum(j.gone for j in judged)
    print(f"recall {gone} of {len(judged)} regions ({gone / len(judged):.1%})")
    seen = [j for j in judged if j.visibility >= 1]
    print(f"of those that stand out by a deviation of their ground's grain: {sum(j.gone for j in seen)} of {len(seen)}")
    for name, rows in strata(judged).items():
        print(f"{name:12}", "  ".join(f"{value} {good}/{n}" for value, (good, n) in rows.items()))
    print(f"over-masked: mean {np.mean(over):.2%}, above 2 % in {np.mean(np.array(over) > 0.02):.1%} of {len(over)} objects with text")
    print(f"clean objects touched: {sum(share > 0 for share in clean)} of {len(clean)}")
    print(f"CPU: {seconds:.0f} s for {megapixels:.0f} Mpx, {seconds / megapixels:.2f} s/Mpx")
    for j in judged:
        if not j.gone and j.visibility >= 1:
            print("missed:", j.modality, j.syntax, j.photometric, j.style, f"visibility {j.visibility:.1f}")


if __name__ == "__main__":
    main()
