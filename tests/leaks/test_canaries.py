"""A canary planted in every kind of place is found nowhere outside the vault's identified tables (law 3)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.sallyport import sallyport
from tests.leaks.canary import Canary, plant, sweep


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Canary]]:
    folder = tmp_path_factory.mktemp("canaries") / "archive"
    folder.mkdir()
    return folder, plant(folder)


def test_the_key_covers_at_least_forty_kinds_of_places(planted: tuple[Path, list[Canary]]) -> None:
    places = {canary.place for canary in planted[1]}
    assert len(places) >= 40


def test_the_sweep_finds_every_canary_in_the_source(planted: tuple[Path, list[Canary]]) -> None:
    folder, canaries = planted
    found = {hit.split(" in ")[0] for hit in sweep([folder], canaries)}
    assert {canary.place for canary in canaries} - found == set()


@pytest.mark.slow
@pytest.mark.timeout(2400)  # a minute of work, which takes ten on a machine that others use too
def test_no_channel_of_a_release_holds_a_canary(
    planted: tuple[Path, list[Canary]], write_spec: Callable[..., Path], tmp_path: Path
) -> None:
    folder, canaries = planted
    ran = sallyport("release", write_spec(folder), "--json", "--verbose", timeout=2300)
    assert ran.data.get("objects_by_status") == {"released": 10}, (ran.code, ran.out)
    log = tmp_path / "screen.log"
    log.write_text(ran.out + ran.err)
    work = tmp_path / "work"
    for identified in ("crosswalk", "identities", "index"):  # the vault's own identified tables: private by design
        shutil.rmtree(work / "private" / "vault" / identified, ignore_errors=True)
    assert any((work / "private" / "vault").rglob("*.db")), "Prefect's database is part of the sweep"
    assert "Warning" not in ran.err, "pydicom's warnings carry values"
    assert sweep([work, log], canaries) == []
