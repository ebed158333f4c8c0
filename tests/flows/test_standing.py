"""A bad night takes nothing out of a release: what failed stays as it was, what left the archive stays, until somebody withdraws it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flows.session import Session
from tasks import private
from tasks.archive_spec import DicomwebArchive
from tasks.model import Status
from tasks.schemas import INSTANCES
from tasks.spec import Spec, read_spec
from tests.archive.faulty_web import FaultyWeb, running
from tests.archive.small_studies import small_study, study_uid

LIMITS = {"timeout_seconds": 5.0, "backoff_seconds": 0.01, "attempts": 1}


@pytest.fixture
def web() -> Iterator[FaultyWeb]:
    with running(FaultyWeb([ds for number in range(3) for ds in small_study(number)])) as web:
        yield web


@pytest.fixture
def spec(web: FaultyWeb, tmp_path: Path, write_spec: Callable[..., Path]) -> Spec:
    made = read_spec(write_spec(tmp_path))
    return made.model_copy(update={"archive": DicomwebArchive(url=web.url, limits=LIMITS)})


def published(session: Session, tmp_path: Path) -> list[int]:
    """How many instances of each study the newest release has."""
    newest = max((tmp_path / "work" / "public" / "releases").iterdir(), key=lambda p: int(p.name.rsplit(".", 1)[1]))
    return sorted(pq.read_table(newest / "manifests" / "study.parquet")["instance_count"].to_pylist())


def grow_and_fail(web: FaultyWeb) -> None:
    web.objects.append(small_study(1, 4)[-1])
    web.inject("missing instance", 1_000)


@pytest.mark.slow
def test_a_study_that_fails_stays_as_it_was_released_and_is_done_again(web: FaultyWeb, spec: Spec, tmp_path: Path, run_here: Any) -> None:
    session, first = run_here(spec)
    assert (first.objects_by_status, published(session, tmp_path)) == ({"released": 9}, [3, 3, 3])
    grow_and_fail(web)
    for _ in range(2):  # one bad night, and another
        session, bad = run_here(spec)
        assert (bad.pulled, bad.exit_code, bad.objects_by_reason) == (1, 1, {"pull_failed": 4})
        assert published(session, tmp_path) == [3, 3, 3]
    web.inject("", 0)
    session, good = run_here(spec)
    assert (good.pulled, good.exit_code, published(session, tmp_path)) == (1, 0, [3, 3, 4])


@pytest.mark.slow
def test_nothing_stands_of_a_study_whose_tables_are_of_two_states(web: FaultyWeb, spec: Spec, tmp_path: Path, run_here: Any) -> None:
    session, _ = run_here(spec)
    (key,) = [r.study_key for r in private.get_receipts_index(session.private).values() if r.study_key == _key(session, 1)]
    table = private.get_table(session.private, private.instances_key(key), INSTANCES)
    private.put_table(session.private, private.instances_key(key), table.slice(1))
    grow_and_fail(web)
    session, _ = run_here(spec)
    assert private.get_receipts_index(session.private)[key].status is Status.FAILED
    assert published(session, tmp_path) == [3, 3]


@pytest.mark.slow
def test_a_study_that_left_the_archive_stays_whatever_becomes_of_limits_and_logins(
    web: FaultyWeb, spec: Spec, tmp_path: Path, run_here: Any
) -> None:
    run_here(spec)
    web.objects = [ds for ds in web.objects if ds.StudyInstanceUID != study_uid(2)]
    gentler = DicomwebArchive(url=web.url, limits={**LIMITS, "concurrent_pulls": 1}, compare="counts")
    session, summary = run_here(spec.model_copy(update={"archive": gentler}))
    assert (summary.studies, summary.absent_studies, published(session, tmp_path)) == (2, 1, [3, 3, 3])


def _key(session: Session, number: int) -> str:
    from tasks.archive import study_key

    return study_key(session.rules.secret, study_uid(number))
