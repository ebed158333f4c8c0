"""The documents of a release: read by the tools they are made for, generated from one table, without small counts."""

from __future__ import annotations

import json
import re

import pytest

from tasks.publish.manifest_schemas import MANIFESTS, manifest_schema
from tests.publish.corpus import Shape
from tests.publish.test_release_protocol import published


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("documents")
    published(place, Shape(patients=6))
    return place / "public/releases/2026.11.0"


def test_croissant_loads_with_mlcroissant_and_reads_the_manifests(folder):
    mlc = pytest.importorskip("mlcroissant")
    dataset = mlc.Dataset(jsonld=str(folder / "croissant.json"))
    assert {r.name for r in dataset.metadata.record_sets} == set(MANIFESTS)
    records = list(dataset.records("study"))
    assert len(records) == 6
    assert records[0]["study/patient_id"] == b"P0001"


@pytest.mark.parametrize("grain", list(MANIFESTS))
def test_independent_readers_see_the_documented_types(folder, grain):
    import duckdb
    import pandas as pd
    import polars as pl
    import pyarrow.parquet as pq

    path = folder / f"manifests/{grain}.parquet"
    names = manifest_schema(grain).names
    assert pq.read_schema(path).names == names
    assert duckdb.sql(f"SELECT * FROM '{path}'").columns == names
    assert pl.read_parquet(path).columns == names
    assert list(pd.read_parquet(path).columns) == names
    if grain == "series":
        query = f"FROM '{path}' WHERE list_contains(SOPClassUIDs, '1.2.840.10008.5.1.4.1.1.2') AND regularly_spaced_3d_volume"
        assert len(duckdb.sql(query).fetchall()) == 12
    if grain == "study":
        assert str(pl.read_parquet(path)["StudyDate"].dtype) == "Date"


def test_an_instance_is_looked_up_by_a_bloom_filter_that_is_as_small_as_the_manifest(folder):
    import duckdb

    path = folder / "manifests/instance.parquet"
    facts = duckdb.sql(
        f"SELECT path_in_schema, bloom_filter_length FROM parquet_metadata('{path}') WHERE bloom_filter_length > 0"
    ).fetchall()
    assert [name for name, _ in facts] == ["SOPInstanceUID"]
    assert all(0 < length < 2_000 for _, length in facts)


def test_the_dictionary_and_schemas_name_every_column(folder):
    dictionary = (folder / "DATA_DICTIONARY.md").read_text()
    for grain, columns in MANIFESTS.items():
        schema = json.loads((folder / f"schema/{grain}.json").read_text())
        assert list(schema["required"]) == [c.name for c in columns]
        assert all(f"| `{c.name}` |" in dictionary for c in columns)


def test_the_validation_page_runs_nothing_and_shows_no_small_counts_of_people(folder):
    page = (folder / "validation.html").read_text()
    assert "default-src 'none'" in page
    assert "<script" not in page and "http://" not in page and "https://" not in page
    distributions = json.loads((folder / "validation.json").read_text())["distributions"]
    assert distributions["Patients by sex"] == {"F": "withheld", "M": "withheld"}
    assert distributions["Series by modality"] == {"CT": "withheld"}


def test_the_data_card_says_what_is_in_it_and_how_to_report(folder):
    card = (folder / "README.md").read_text()
    for words in ("6, 6, 12, 36", "113101: Clean Pixel Data Option", "write to", "Forbidden", "ssh-keygen -Y verify"):
        assert words in card
    assert "The first release" in (folder / "CHANGELOG.md").read_text()
    assert "| 113107 |" in (folder / "CONFORMANCE.md").read_text()


def test_s5cmd_names_every_series_folder(folder):
    lines = (folder / "s5cmd/all.txt").read_text().splitlines()
    assert len(lines) == 12
    assert all(re.fullmatch(r"cp \$\{DATASET\}/series/[0-9a-f]{2}/[0-9a-f]{32}/\* P\d{4}/[0-9.]+/[0-9.]+/", line) for line in lines)
