"""An audit of identified objects shows no value of anybody: not on the screen, in JSON, on the page, or in the findings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.model import PulledFile
from tasks.sample import PATIENTS, make_archive
from tasks.scan import collect_identity
from tasks.scan.texts import values_in_text
from tests.leaks.sweep import sweep_files

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def identified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_archive(tmp_path_factory.mktemp("identified") / "archive", PATIENTS[:4]).folder


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "flows", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_no_channel_of_an_audit_holds_a_value(identified: Path, tmp_path: Path) -> None:
    files = [PulledFile(p, p.name, p.stat().st_size) for p in sorted(identified.rglob("IM*"))]
    identity = collect_identity(files)
    assert values_in_text(f"{PATIENTS[0].family} was here", identity)  # the search would see it
    written = tmp_path / "report"
    written.mkdir()
    page, table = written / "audit.html", written / "findings.parquet"
    shown = run("audit", str(identified), "--pixels", "none", "--html", str(page), "--findings", str(table))
    as_json = run("audit", str(identified), "--pixels", "none", "--json")
    assert (shown.returncode, as_json.returncode) == (3, 3), shown.stderr + as_json.stderr
    for text in (shown.stdout, shown.stderr, as_json.stdout, as_json.stderr):
        assert values_in_text(text, identity) == set()
    assert sweep_files(written, [identity]) == []
    report = json.loads(as_json.stdout)
    assert report["verdict"] == "block"
    assert {"T2", "T3", "T5", "T6", "T7", "T10", "T4", "I4", "I5", "P1", "K"} == {g["gate"] for g in report["gates"]}
    assert pq.read_table(table).num_rows > 0


@pytest.mark.slow
def test_an_audit_of_nothing_is_no_pass(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no DICOM here")
    done = run("audit", str(tmp_path), "--pixels", "none", "--json")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (1, "nothing audited")


def test_an_audit_of_a_place_that_is_not_there(tmp_path: Path) -> None:
    done = run("audit", str(tmp_path / "absent"))
    assert done.returncode == 2
    assert "SRC: no such file or folder" in done.stderr
