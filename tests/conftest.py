"""Fixtures that every area of the tests may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.sample import PATIENTS, make_archive
from tasks.secret import Secret

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the repository; tests that need it skip where it is absent."""
    place = Path(os.environ.get("SALLYPORT_SHARED", ROOT.parent / "shared"))
    if not (place / "data" / "dicom").is_dir():
        pytest.skip("the folder of real data (../shared) is not here")
    return place


@pytest.fixture
def secret() -> Secret:
    return Secret(bytes(range(32)))


@pytest.fixture
def write_spec(tmp_path: Path) -> Callable[..., Path]:
    """Write a spec for a folder archive into tmp_path, with a fixed secret; returns the spec's path."""

    def write(archive: Path, *, name: str = "work", workers: int = 1, **more: str) -> Path:
        secret_file = tmp_path / "secret.key"
        if not secret_file.exists():
            secret_file.write_bytes(bytes(range(32)).hex().encode())
            secret_file.chmod(0o600)
        lines = {
            "dataset": "test",
            "archive": f"{{kind: folder, path: {archive}}}",
            "private": (tmp_path / name / "private").as_uri(),
            "public": (tmp_path / name / "public").as_uri(),
            "secret": f"{{file: {secret_file}}}",
            "gates": "{k: 1}",
            "workers": f"{{cluster: local, n: {workers}}}",
            **more,
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()), "utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def small_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five made patients and the odd files: CT, MR, ultrasound, dose page, report, PDF, broken files."""
    return make_archive(tmp_path_factory.mktemp("sample") / "archive", PATIENTS[:5]).folder
