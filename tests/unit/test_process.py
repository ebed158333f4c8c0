"""One study through all stages: every object ends once, and a stage that breaks lets nothing out."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks import deface, deidentify, pixels, scan
from tasks.errors import ReleaseError
from tasks.model import PulledFile, Reason, Status
from tasks.policy import load_policy
from tasks.process import CleanObject, Rules, clean_study
from tasks.sample import PATIENTS, objects
from tasks.sample.archive import write_object
from tasks.secret import Secret


@pytest.fixture
def files(tmp_path: Path) -> list[PulledFile]:
    """One study of one patient: a small chest series."""
    source = tmp_path / "source"
    source.mkdir()
    pulled = []
    for index, dataset in enumerate(objects.ct_series(PATIENTS[2], slices=9)):
        path = source / f"{index}"
        write_object(dataset, path)
        pulled.append(PulledFile(path, f"{PATIENTS[2].family}/{index}", path.stat().st_size))
    return pulled


def run(files: list[PulledFile], secret: Secret, scratch: Path) -> list[CleanObject]:
    return list(clean_study(files, Rules("test", load_policy(), secret), scratch))


def test_every_file_comes_out_once_and_clean_ones_are_released(files: list[PulledFile], secret: Secret, tmp_path: Path) -> None:
    done = run(files, secret, tmp_path)
    assert sorted(d.outcome.source_path for d in done) == sorted(f.source_path for f in files)
    assert {d.outcome.status for d in done} == {Status.RELEASED}
    assert len({d.path for d in done}) == len(files)


def raising(*_: Any, **__: Any) -> Any:
    raise ValueError(f"{PATIENTS[2].family} broke me")


def returning_nothing(*_: Any, **__: Any) -> Any:
    return None


def returning_too_few(*_: Any, **__: Any) -> Any:
    return []


STAGES = [
    (deidentify, "deidentify_object", raising, {Reason.INVALID_OBJECT}),
    (pixels, "clean_text", raising, {Reason.PIXELS_NOT_EXAMINED}),
    (pixels, "clean_text", returning_too_few, {Reason.PIXELS_NOT_EXAMINED}),
    (pixels, "clean_text", returning_nothing, {Reason.PIXELS_NOT_EXAMINED}),
    (pixels, "look_again", raising, {Reason.PIXELS_NOT_EXAMINED}),
    (deface, "plan_faces", raising, {Reason.FACE_NOT_EXAMINED}),
    (deface, "plan_faces", returning_nothing, {Reason.FACE_NOT_EXAMINED}),
    (deface, "deface_series", raising, {Reason.FACE_NOT_EXAMINED}),
    (deface, "deface_series", returning_too_few, {Reason.FACE_NOT_EXAMINED}),
    (deface, "judge_series", raising, {Reason.FACE_NOT_EXAMINED}),
    (deface, "judge_series", returning_too_few, {Reason.FACE_NOT_EXAMINED}),
    (scan, "collect_identity", raising, {Reason.SCAN_FAILED}),
    (scan, "scan_object", raising, {Reason.SCAN_FAILED}),
    (scan, "scan_object", returning_nothing, {Reason.SCAN_FAILED}),
]


@pytest.mark.parametrize(("module", "name", "broken", "expected"), STAGES, ids=lambda v: getattr(v, "__name__", None))
def test_a_broken_stage_lets_nothing_out(
    module: Any,
    name: str,
    broken: Callable[..., Any],
    expected: set[Reason],
    files: list[PulledFile],
    secret: Secret,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, name, broken)
    done = run(files, secret, tmp_path)
    assert len(done) == len(files)
    assert {d.outcome.reason for d in done} == expected
    assert not any(PATIENTS[2].family in repr(d) for d in done), "no message of an exception survives"


@pytest.mark.parametrize("trouble", [OSError(errno.ENOSPC, "full"), MemoryError(), ReleaseError("ocr", "no engine")])
def test_machine_trouble_is_not_mistaken_for_bad_data(
    trouble: BaseException, files: list[PulledFile], secret: Secret, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise trouble

    monkeypatch.setattr(deidentify, "write_object", fail)
    with pytest.raises(type(trouble)):
        run(files, secret, tmp_path)
