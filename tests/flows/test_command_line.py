"""The command line is quick to start, and every mistake has its exit code and a message that says what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.sallyport import environment, sallyport

HEAVY = ("prefect", "distributed", "great_expectations", "pandas", "cv2", "SimpleITK", "rapidocr_onnxruntime", "boto3", "pydicom", "duckdb")


@pytest.mark.parametrize("module", ["flows.__main__", "flows.cli"])
def test_help_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_worker_imports_neither_prefect_nor_great_expectations() -> None:
    code = "import sys, tasks.study_job; print([m for m in ('prefect', 'prefect_dask', 'great_expectations') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_spec_is_wrong_usage(tmp_path: Path) -> None:
    done = sallyport("release", tmp_path / "none.yaml")
    assert (done.code, "spec" in done.err) == (2, True)


def test_a_run_that_is_stopped_says_why_as_json_too(tmp_path: Path) -> None:
    done = sallyport("release", tmp_path / "none.yaml", "--json")
    assert (done.data["exit_code"], done.data["error"] in done.err) == (2, True)


@pytest.mark.slow
def test_a_machine_too_slow_for_prefects_server_is_told_so(tmp_path: Path, write_spec: Callable[..., Path]) -> None:
    (tmp_path / "archive").mkdir()
    late = sallyport("release", write_spec(tmp_path / "archive"), "--json", PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="1")
    assert (late.code, late.data["exit_code"]) == (1, 1)
    assert "did not start in time" in late.data["error"]


@pytest.mark.slow
def test_a_missing_source_is_wrong_usage(tmp_path: Path) -> None:
    done = sallyport("deidentify", tmp_path / "none", tmp_path / "out")
    assert (done.code, "SRC" in done.err) == (2, True)


@pytest.mark.slow
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    key = tmp_path / "key"
    key.write_text("00" * 32)
    key.chmod(0o644)
    done = sallyport("deidentify", tmp_path / "src", tmp_path / "out", "--secret-file", key)
    assert (done.code, "chmod 600" in done.err) == (2, True)
