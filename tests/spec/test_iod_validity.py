"""Released objects are still valid IODs: dciodvfy finds no error in them that the source does not have."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tasks.model import Reason
from tests.spec.made import deidentified, written

VERIFIER = shutil.which("dciodvfy")
FILES = 24


def errors(path: Path) -> Counter[str]:
    lines = subprocess.run([str(VERIFIER), str(path)], capture_output=True, timeout=120, check=False).stderr.decode("latin-1").splitlines()
    return Counter(re.sub(r"<[^>]*>|\d+", "", line) for line in lines if line.startswith("Error"))


@pytest.mark.slow
@pytest.mark.skipif(VERIFIER is None, reason="dciodvfy (Debian package dicom3tools) is not here")
@pytest.mark.parametrize("policy", ["shifted-dates", "strict"])
def test_no_new_error(policy: str, shared: Path, tmp_path: Path) -> None:
    folders = sorted({p.parent for p in (shared / "data" / "dicom").rglob("*.dcm")})
    sample = [min(folder.glob("*.dcm")) for folder in folders]
    checked = 0
    for number, source in enumerate(p for p in sample if p.stat().st_size < 2_000_000):
        if checked == FILES:
            break
        folder = tmp_path / str(number)
        folder.mkdir()
        (done, *_) = deidentified(folder, source.read_bytes(), policy=policy)
        if isinstance(done, Reason):
            continue
        written(done, folder / "out.dcm")
        new = errors(folder / "out.dcm") - errors(source)
        assert not new, source.name
        checked += 1
    assert checked == FILES
