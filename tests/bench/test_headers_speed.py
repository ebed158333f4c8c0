"""Speed of the header rules on 512 x 512 16-bit CT slices, file read to file written, in CPU seconds of one process."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tasks import deidentify
from tasks.intake import examine_files
from tasks.model import FaceOutcome, Instance, PixelOutcome
from tasks.policy import load_policy
from tests.spec.made import SECRET, ct_bytes, element, item, pulled, sequence

SLICES = 100
BAR = 100  # files per CPU second; public Python tools reach 27 to 51


def _slice(number: int) -> bytes:
    """Return one slice of a series with a header as scanners write it: texts, codes, references, private attributes."""
    words = "SeriesDescription of a chest CT with contrast, thin slices, lung kernel"
    texts = [(0x00081030, "CT chest"), (0x0008103E, words[:60]), (0x00181030, "THORAX 1.25"), (0x00181210, "LUNG"), (0x00181020, "v7.1")]
    references = [item(element(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2"), element(0x00081155, "UI", f"1.2.3.4.{n}")) for n in range(8)]
    private = [element(0x00190010, "LO", "GEMS_ACQU_01"), element(0x00191023, "DS", "55.0")]
    private += [element(0x00191000 + n, "SL", n.to_bytes(4, "little")) for n in range(0x30, 0x80)]
    pixels = np.random.default_rng(number).integers(-1024, 2000, 512 * 512).astype("<i2").tobytes()
    return ct_bytes(
        *(element(tag, "LO", text) for tag, text in texts),
        sequence(0x00081140, *references),
        *private,
        element(0x00200013, "IS", str(number)),
        element(0x00200032, "DS", f"-100\\-100\\{number * 1.25}"),
        element(0x00080018, "UI", f"1.2.3.4.{number}"),
        element(0x7FE00010, "OW", pixels),
        rows=512,
        columns=512,
    )


@pytest.mark.bench
def test_at_least_a_hundred_slices_per_cpu_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    files = pulled(source, *(_slice(number) for number in range(SLICES)))
    policy = load_policy("shifted-dates").headers
    started = time.process_time()
    intake = examine_files(files)
    context = deidentify.study_context(intake, policy, SECRET, "bench")
    for series in intake.series:
        for file in series.files:
            done = deidentify.deidentify_object(file, context)
            assert isinstance(done, Instance)
            face = FaceOutcome(done, None, "not applicable", None)
            deidentify.write_object(
                deidentify.declare(done, PixelOutcome(done, None, examined=True), face, context), out / file.file.path.name
            )
    rate = SLICES / (time.process_time() - started)
    with capsys.disabled():
        print(f"\nheaders: {rate:.0f} CT slices per CPU second (bar {BAR})")
    assert rate >= BAR
