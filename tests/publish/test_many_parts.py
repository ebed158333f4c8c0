"""A manifest that is too large for one file is kept in parts: every reader, the verifier, `get` and a withdrawal see one manifest."""

from __future__ import annotations

import json

import pytest

from tasks.publish import canonical, manifest_files
from tasks.publish.causes import Cause
from tasks.publish.get import get
from tasks.publish.objects import random_transfers
from tasks.publish.verify import verify
from tests.publish.corpus import DAY, Shape
from tests.publish.test_release_protocol import published
from tests.publish.test_withdraw import LATER, withdraw_patient


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(manifest_files, "SPLIT_BYTES", 1)
    monkeypatch.setattr(canonical, "ROW_GROUP_ROWS", 5)


@pytest.mark.slow
def test_parts_are_one_manifest_to_everybody(tmp_path, small_parts):
    private, public, _, _ = published(tmp_path, Shape(patients=6))
    folder = tmp_path / "public/releases/2026.11.0/manifests"
    names = sorted(p.name for p in folder.iterdir())
    assert [n for n in names if n.startswith("instance")] == [f"instance-{n:04d}.parquet" for n in range(1, 9)]
    assert {"patient-0001.parquet", "patient-0002.parquet", "series-0003.parquet"} <= set(names)
    assert "patient.parquet" not in names
    report = verify(public, full=True, today=DAY)
    assert (report.status, report.counts["instances"]) == ("valid", 36)
    import duckdb
    import polars as pl

    assert duckdb.sql(f"SELECT count(*), count(DISTINCT SOPInstanceUID) FROM '{folder}/instance*.parquet'").fetchall() == [(36, 36)]
    assert pl.scan_parquet(f"{folder}/series*.parquet").select(pl.len()).collect().item() == 12
    assert get(public, tmp_path / "mine", where="SeriesNumber = 1").objects == 18
    done = withdraw_patient(private, public)
    assert (done.series, done.instances) == (2, 6)
    assert verify(public, full=True, today=LATER).counts["instances"] == 30
    (tmp_path / f"public/releases/{done.new_release_id}/manifests/instance-0003.parquet").unlink()
    assert verify(public, full=True, today=LATER).problems[0].cause == Cause.FILE_MISSING


def test_croissant_reads_all_parts_as_one(tmp_path, small_parts):
    mlc = pytest.importorskip("mlcroissant")
    published(tmp_path, Shape(patients=6))
    path = tmp_path / "public/releases/2026.11.0/croissant.json"
    described = {f["@id"]: f for f in json.loads(path.read_text())["distribution"]}
    assert described["study-files"]["includes"] == "study-*.parquet"
    dataset = mlc.Dataset(jsonld=str(path))
    assert len(dataset.metadata.record_sets) == 5


def test_objects_go_up_in_an_order_that_tells_nothing(tmp_path):
    from tasks.publish.candidate import fetch_table
    from tasks.publish.digests import compute_digests
    from tasks.publish.store import open_store
    from tests.publish.corpus import frozen

    private = open_store(str(tmp_path / "private"))
    instances = fetch_table(private, frozen(private, Shape(patients=8)), "instances", tmp_path)
    digests = compute_digests(instances)
    orders = [[t.public_key for t in random_transfers(instances, digests)] for _ in range(3)]
    assert len({tuple(order) for order in orders}) == 3
    assert {tuple(sorted(order)) for order in orders} == {tuple(sorted(orders[0]))}
