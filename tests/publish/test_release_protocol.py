"""Publishing: what a release holds, that it verifies, and that doing it again changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tasks.errors import HeldError, ReleaseError
from tasks.publish.candidate import read_candidate, read_table
from tasks.publish.causes import Cause
from tasks.publish.digests import compute_digests
from tasks.publish.release import publish_candidate
from tasks.publish.signing import signer_from_secret
from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tasks.secret import Secret
from tests.publish.corpus import DAY, Shape, approve, frozen

SIGNER = signer_from_secret(Secret(bytes(range(32))))


def stores(folder: Path):
    return open_store(str(folder / "private")), open_store(str(folder / "public"))


def published(folder: Path, shape: Shape = Shape(), **options):
    private, public = stores(folder)
    candidate = frozen(private, shape)
    release = publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY, **options)
    return private, public, candidate, release


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_published_candidate_verifies_in_full(tmp_path):
    _, public, candidate, release = published(tmp_path)
    report = verify(public, full=True, today=DAY)
    assert (report.status, report.problems, report.exit_code) == ("valid", (), 0)
    assert (release.release_id, release.seq, release.root, release.changed) == ("2026.11.0", 1, candidate.root, True)
    assert report.counts == {"patients": 3, "studies": 3, "series": 6, "instances": 18, "size_bytes": candidate.counts["size_bytes"]}


def test_two_runs_from_scratch_give_the_same_public_bytes(tmp_path):
    published(tmp_path / "one")
    published(tmp_path / "two")
    one = tree(tmp_path / "one/public")
    assert len(one) > 30
    assert one == tree(tmp_path / "two/public")


def test_publishing_the_same_content_again_makes_no_new_release(tmp_path):
    private, public, candidate, release = published(tmp_path)
    before = tree(tmp_path / "public")
    again = publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY.replace(day=22))
    assert again == replace(release, changed=False)
    assert before == tree(tmp_path / "public")


def test_a_revised_series_gets_a_new_version_and_the_rest_is_shared(tmp_path):
    private, public, _, _ = published(tmp_path)
    objects = set(public.keys("series/"))
    candidate = frozen(private, Shape(revision=1, patients=4))
    release = publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    assert release.release_id == "2026.11.1"
    assert len(set(public.keys("series/")) - objects) == 3 + 6
    assert verify(public, full=True, today=DAY).ok
    assert verify(public, "2026.11.0", full=True, today=DAY).ok
    import duckdb

    rows = duckdb.sql(f"SELECT change, count(*) FROM '{tmp_path}/public/releases/2026.11.1/manifests/change.parquet' GROUP BY 1 ORDER BY 1")
    assert rows.fetchall() == [("added", 2), ("revised", 1)]


def test_a_candidate_is_deterministic_and_its_root_follows_from_its_rows(tmp_path):
    private, _ = stores(tmp_path)
    candidate = frozen(private)
    assert frozen(private) == candidate == read_candidate(private, candidate.candidate_id)
    assert compute_digests(read_table(private, candidate, "instances")).root == candidate.root


def test_a_changed_byte_in_quarantine_is_never_published(tmp_path):
    private, public = stores(tmp_path)
    candidate = frozen(private)
    key = next(iter(private.keys("quarantine/objects/")))
    private.put(key, private.get(key)[:-1] + b"\0")
    with pytest.raises(ReleaseError) as caught:
        publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    assert caught.value.cause == Cause.CANDIDATE_CHANGED
    assert list(public.keys("log/")) == []


@pytest.mark.parametrize("change", [{"approved": False}, {"candidate_root": "0" * 64}, {"policy_sha256": "0" * 64}])
def test_nothing_reaches_the_public_side_without_a_verdict_over_these_bytes(tmp_path, change):
    private, public = stores(tmp_path)
    candidate = frozen(private)
    verdict, verdicts = approve(candidate)
    with pytest.raises(HeldError):
        publish_candidate(private, public, candidate, replace(verdict, **change), verdicts, SIGNER, DAY)
    assert list(public.keys()) == []
