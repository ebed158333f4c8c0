"""The face judge's process: absent or broken it says nothing, and a machine too slow or too small for it is no answer about a face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tasks import deface
from tasks.deface import detectors
from tasks.model import Reason, Status
from tasks.policy import load_policy
from tasks.process import Rules
from tasks.secret import Secret
from tasks.spec import Cohort, FolderArchive
from tasks.study_job import Job, process_study
from tests.archive.made import to_bytes
from tests.archive.small_studies import small_study

PICTURE = np.zeros((8, 8, 3), dtype=np.uint8)


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a program in the place of the judge's interpreter."""

    def install(body: str) -> None:
        program = tmp_path / "judge"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o700)
        monkeypatch.setenv(detectors.VARIABLE, str(program))

    return install


def test_absent_detectors_are_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(detectors.VARIABLE, "off")
    assert detectors.detect_faces([PICTURE]) is None


@pytest.mark.parametrize("body", ["exit 1", "echo not json", "echo '{}'", "kill -SEGV $$"])
def test_detectors_that_fail_assess_nothing(judge, body: str) -> None:
    judge(body)
    assert detectors.detect_faces([PICTURE]) is None


def test_detectors_that_are_not_done_in_time_are_machine_trouble(judge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detectors, "TIMEOUT_S", 0.3)
    judge("exec sleep 60")
    with pytest.raises(TimeoutError):
        detectors.detect_faces([PICTURE])


def test_detectors_that_the_machine_ended_are_machine_trouble(judge) -> None:
    judge("kill -KILL $$")
    with pytest.raises(MemoryError):
        detectors.detect_faces([PICTURE])


def test_a_study_whose_faces_were_not_examined_in_time_fails_with_a_receipt_and_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.archive import open_archive

    source, index = tmp_path / "archive", tmp_path / "index"
    source.mkdir()
    index.mkdir()
    for number, ds in enumerate(small_study(1)):
        (source / f"{number}").write_bytes(to_bytes(ds))
    rules = Rules("test", load_policy(), Secret(b"s" * 32))
    where = FolderArchive(path=str(source))
    job = Job("night", rules, where, (tmp_path / "private").as_uri(), str(index), str(tmp_path / "scratch"))
    (ref,) = open_archive(where, rules.secret, index).find_studies(Cohort())

    def late(*_: object) -> None:
        raise TimeoutError("the face judge was not done in time")

    with monkeypatch.context() as patched:
        patched.setattr(deface, "plan_faces", late)
        receipt = process_study(ref, job)
    assert (receipt.status, receipt.reason, receipt.outcomes) == (Status.FAILED, Reason.TIMED_OUT, (("failed", "timed_out", 3),))
    assert not list((tmp_path / "scratch").iterdir())
    assert process_study(ref, job).status is Status.RELEASED
