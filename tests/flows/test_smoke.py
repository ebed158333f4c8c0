"""The spine: an archive goes in, a verified release comes out, a second run does nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tests.flows.sallyport import sallyport


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.slow
def test_an_archive_becomes_a_verified_release_and_a_second_run_changes_nothing(
    small_archive: Path, write_spec: Callable[..., Path], tmp_path: Path
) -> None:
    spec = write_spec(small_archive)
    first = sallyport("release", spec, "--json")
    assert first.code == 0, first.err
    assert first.data["release_id"]
    assert sum(first.data["objects_by_status"].values()) == len([p for p in small_archive.rglob("*") if p.is_file()])
    assert first.data["objects_by_status"].get("failed", 0) == 0
    assert first.data["objects_by_status"]["released"] > 0
    public = tmp_path / "work" / "public"
    verify(open_store(public.as_uri()), full=True).raise_if_failed()
    before = tree(public)
    second = sallyport("release", spec, "--json")
    assert second.code == 0, second.err
    assert second.data["pulled"] == 0
    assert second.data["changed"] is False
    assert second.data["stands_since"], "and nothing is judged again"
    assert tree(public) == before


@pytest.mark.slow
def test_the_same_secret_gives_the_same_bytes_on_any_number_of_workers_and_a_lost_study_stays(
    small_archive: Path, write_spec: Callable[..., Path], tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    shutil.copytree(small_archive, archive)
    specs = [write_spec(archive, name=f"with-{n}", workers=n) for n in (1, 2)]
    for spec in specs:
        ran = sallyport("release", spec, "--json")
        assert ran.code == 0, ran.err
    one, two = (tree(tmp_path / f"with-{n}" / "public") for n in (1, 2))
    assert one == two
    shutil.rmtree(next(p for p in sorted(archive.iterdir()) if p.name != "export (copy)"))
    (tmp_path / "with-1" / "private" / "vault" / "outcome.json").unlink()  # everything is judged again
    again = sallyport("release", specs[0], "--json")
    assert again.code == 0, again.err
    assert again.data["absent_studies"] == 1, "a study deleted in the archive does not vanish silently"
    assert again.data["changed"] is False
    assert tree(tmp_path / "with-1" / "public") == one
