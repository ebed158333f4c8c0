"""Publishing: what a release holds, that it verifies, and that doing it again changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.errors import HeldError, ReleaseError
from tasks.policy import load_policy
from tasks.publish.candidate import freeze_candidate, read_candidate, read_table
from tasks.publish.causes import Cause
from tasks.publish.digests import compute_digests
from tasks.publish.log import append, read_log
from tasks.publish.release import publish_candidate
from tasks.publish.signing import signer_from_secret
from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tasks.publish.withdraw import withdraw
from tasks.publish.withdrawal_scope import Asked
from tasks.schemas import FINDINGS
from tasks.secret import Secret
from tasks.spec import Publication
from tests.publish.corpus import DAY, Shape, approve, fill_private, frozen

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


WORDS = ["contact", "description", "title", "url"]
TERMS = [
    ({"license_spdx": "CC-BY-4.0"}, ["license_spdx"]),
    ({"access_tier": "registered"}, ["access_tier"]),
    (
        {"title": "Chests", "description": "CT", "contact": "data@example.org", "url": "https://example.org"},
        ["contact", "description", "title", "url"],
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("terms", "changed"), TERMS)
def test_the_same_objects_under_other_terms_are_a_new_release_that_says_what_changed(tmp_path, terms, changed):
    private, public, candidate, _ = published(tmp_path)
    before = tree(tmp_path / "public")
    publication = Publication(**terms)
    release = publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY, publication=publication)
    assert (release.release_id, release.changed, release.root) == ("2026.11.1", True, candidate.root)
    assert set(public.keys("series/")) == {k for k in before if k.startswith("series/")}
    entry = read_log(public).entries[-1]
    assert entry.body["changed_terms"] == changed
    summary = json.loads(public.get("releases/2026.11.1/release.json"))
    assert {name: summary[name] for name in terms} == terms
    assert summary["changed_terms"] == changed
    assert "changed: the" in public.get("releases/2026.11.1/CHANGELOG.md").decode()
    assert [verify(public, r, full=True, today=DAY).status for r in ("2026.11.0", "2026.11.1")] == ["valid", "valid"]
    again = publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY, publication=publication)
    assert again == replace(release, changed=False)


def test_the_same_objects_judged_under_another_policy_are_a_new_release(tmp_path):
    private, public, candidate, _ = published(tmp_path)
    policy = load_policy("strict")
    again = freeze_candidate(private, "sample", policy, read_table(private, candidate, "instances"), FINDINGS.empty_table())
    release = publish_candidate(private, public, again, *approve(again), SIGNER, DAY)
    assert (release.release_id, release.root) == ("2026.11.1", candidate.root)
    assert read_log(public).entries[-1].body["changed_terms"] == ["policy"]


@pytest.mark.slow
def test_the_hundredth_release_of_a_month_follows_the_ninety_ninth(tmp_path):
    """Release numbers are numbers: .100 comes after .99, in the log, for readers and for the next publisher."""
    private, public, candidate, _ = published(tmp_path, Shape(patients=1, series=1, instances=1))
    head = read_log(public)
    body = {k: v for k, v in head.entries[0].body.items() if k not in ("kind", "seq", "previous_sha256")}
    for number in range(1, 100):  # committed, though nobody put their files: only their numbers matter here
        assert append(public, SIGNER, read_log(public), "release", {**body, "release_id": f"2026.11.{number}", "historical": True})
    revised = frozen(private, Shape(patients=2, series=1, instances=1))
    release = publish_candidate(private, public, revised, *approve(revised), SIGNER, DAY)
    assert (release.release_id, release.seq) == ("2026.11.100", 101)
    following = publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    assert following.release_id == "2026.11.101"
    report = verify(public, full=True, today=DAY)
    assert (report.status, report.release_id) == ("valid", "2026.11.101")


@pytest.mark.slow
def test_a_clock_that_went_back_neither_reuses_a_number_nor_hides_the_newest_release(tmp_path):
    private, public, _, _ = published(tmp_path)
    candidate = frozen(private, Shape(patients=4))
    earlier = DAY.replace(month=10, day=3)
    release = publish_candidate(private, public, candidate, *approve(candidate), SIGNER, earlier)
    assert (release.release_id, release.seq) == ("2026.10.0", 2)
    assert read_log(public).current().release_id == "2026.10.0"
    report = verify(public, full=True, today=DAY)
    assert (report.status, report.release_id) == ("valid", "2026.10.0")
    back = frozen(private, Shape(patients=5))
    assert publish_candidate(private, public, back, *approve(back), SIGNER, DAY).release_id == "2026.11.1"
    assert verify(public, full=True, today=DAY).release_id == "2026.11.1"


@pytest.mark.parametrize("dataset", ["brüste-ct", "膝", "a'b", 'über "alles"', "x" * 200, "..", "%41", "a|b <script>"])
def test_a_dataset_of_any_name_is_published_verified_and_described(tmp_path, dataset):
    """The name is written into documents, signatures and manifests; no key is made of it."""
    private, public = stores(tmp_path)
    candidate = freeze_candidate(private, dataset, load_policy(), fill_private(private, Shape(1, 1, 1, 1)), FINDINGS.empty_table())
    publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    report = verify(public, full=True, today=DAY)
    assert (report.status, report.problems) == ("valid", ())
    assert all(key.isascii() for key in public.keys(""))
    assert "<script>" not in public.get("releases/2026.11.0/validation.html").decode()


@pytest.mark.slow
def test_a_store_in_a_folder_of_any_name_is_published_to_verified_and_withdrawn_from(tmp_path):
    folder = tmp_path / "naïve 'data' 100% #1?"
    private, public, _, _ = published(folder, Shape(patients=2))
    opened = open_store(public.url)
    assert verify(opened, full=True, today=DAY).ok
    withdraw(private, opened, SIGNER, DAY, Asked(patient_ids=("MRN-00001",)))
    assert verify(opened, full=True, today=DAY).ok


@pytest.mark.slow
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
