"""Withdrawal: gone in every release, store and version, proved, recorded, and never back."""

from __future__ import annotations

import contextlib
import json

import pytest

from tasks.errors import ReleaseError, UsageError
from tasks.publish import audit
from tasks.publish.causes import Cause
from tasks.publish.ledger import Disclosure, record_disclosure
from tasks.publish.log import read_log
from tasks.publish.patient_report import report_patient
from tasks.publish.release import publish_candidate
from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tasks.publish.withdraw import withdraw
from tasks.publish.withdrawal_scope import Asked
from tests.publish.corpus import DAY, Shape, approve, frozen, uid
from tests.publish.test_release_protocol import SIGNER, published, tree

LATER = DAY.replace(day=25)


def two_releases(folder):
    """Two releases: patients 1-3, then 1-4 with one revised series of patient 1."""
    private, public, _, _ = published(folder, Shape(studies=2))
    candidate = frozen(private, Shape(studies=2, patients=4, revision=1))
    publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY)
    return private, public


def withdraw_patient(private, public, patient=1, **options):
    return withdraw(private, public, SIGNER, LATER, Asked(patient_ids=(f"MRN-{patient:05d}",)), **options)


@pytest.mark.slow
def test_a_withdrawn_patient_is_gone_everywhere_and_every_release_still_verifies(tmp_path):
    private, public = two_releases(tmp_path)
    done = withdraw_patient(private, public)
    assert (done.new_release_id, done.reissued) == ("2026.11.2", (("2026.11.0", "2026.11.0+r1"),))
    assert done.tombstone == "tombstones/00000001.json"
    files = tree(tmp_path / "public")
    name = uid(1, 1, 1).encode()
    assert [k for k, v in files.items() if name in v and not k.startswith("tombstones/")] == ["releases/2026.11.2/manifests/change.parquet"]
    import duckdb

    for release in ("2026.11.2", "2026.11.0+r1"):
        for grain, column in (("patient", "patient_id"), ("series", "patient_id"), ("study", "patient_id")):
            rows = duckdb.sql(f"SELECT DISTINCT {column} FROM '{tmp_path}/public/releases/{release}/manifests/{grain}.parquet'").fetchall()
            assert "P0001" not in {r[0] for r in rows}
    report = {r: verify(public, r, full=True, today=LATER) for r in ("2026.11.0", "2026.11.1", "2026.11.2", "2026.11.0+r1")}
    assert {r: (v.status, v.exit_code) for r, v in report.items()} == {
        "2026.11.0": ("superseded", 0),
        "2026.11.1": ("superseded", 0),
        "2026.11.2": ("valid", 0),
        "2026.11.0+r1": ("valid", 0),
    }
    assert report["2026.11.0"].replaced_by == "2026.11.0+r1"
    assert verify(public, full=True, today=LATER).release_id == "2026.11.2"


@pytest.mark.slow
def test_the_quarantine_and_candidates_hold_nothing_of_a_withdrawn_patient(tmp_path):
    private, public = two_releases(tmp_path)
    before = set(private.keys("quarantine/objects/"))
    withdraw_patient(private, public)
    gone = before - set(private.keys("quarantine/objects/"))
    assert len(gone) == 2 * 2 * 3 + 3  # two studies of two series of three, and the revised series
    assert [k for k in private.keys("candidates/") if private.get(k).find(b"P0001") >= 0] == []


@pytest.mark.slow
def test_tonights_run_with_the_patient_still_in_the_archive_publishes_nothing_of_them(tmp_path):
    private, public = two_releases(tmp_path)
    stale = frozen(private, Shape(studies=2, patients=5))
    withdraw_patient(private, public)
    candidate = frozen(private, Shape(studies=2, patients=5))
    assert candidate.counts["patients"] == 4
    with pytest.raises(ReleaseError) as caught:
        publish_candidate(private, public, stale, *approve(stale), SIGNER, LATER)
    assert caught.value.cause in (Cause.SUPPRESSED_CONTENT, Cause.CANDIDATE_CHANGED)
    release = publish_candidate(private, public, candidate, *approve(candidate), SIGNER, LATER)
    assert verify(public, full=True, today=LATER).release_id == release.release_id
    assert not any(uid(1, 1, 1, 1) in k for k in public.keys(""))


@pytest.mark.slow
def test_a_withdrawn_patient_stays_out_under_new_pseudonyms(tmp_path):
    """A rotated secret gives new released ids; the crosswalk behind them still names the patient."""
    private, public = two_releases(tmp_path)
    withdraw_patient(private, public)
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    from tasks.policy import load_policy
    from tasks.publish.candidate import freeze_candidate
    from tasks.schemas import CROSSWALK, FINDINGS, INSTANCES
    from tests.publish.corpus import crosswalk_row, dicom_bytes, instance_row

    row = instance_row(dicom_bytes(900, 1, 1, 1), 900, 1, 1, 1)
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([crosswalk_row(row, patient=1)], CROSSWALK), sink)
    private.put(f"vault/crosswalk/{row['study_key']}.parquet", sink.getvalue())
    candidate = freeze_candidate(private, "sample", load_policy(), pa.Table.from_pylist([row], INSTANCES), FINDINGS.empty_table())
    assert candidate.counts["instances"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "left"),
    [
        (Asked(studies=(uid(1, 1),)), {"patients": 4, "studies": 7, "series": 14}),
        (Asked(studies=(f"1.2.{uid(1, 1)}",)), {"patients": 4, "studies": 7, "series": 14}),
        (Asked(series=(uid(2, 1, 2),)), {"patients": 4, "studies": 8, "series": 15}),
        (Asked(patient_ids=("MRN-00001", "MRN-00002")), {"patients": 2, "studies": 4, "series": 8}),
    ],
)
def test_studies_and_series_are_withdrawn_by_source_or_released_uid(tmp_path, asked, left):
    private, public = two_releases(tmp_path)
    withdraw(private, public, SIGNER, LATER, asked)
    report = verify(public, full=True, today=LATER)
    assert (report.status, {k: report.counts[k] for k in left}) == ("valid", left)


@pytest.mark.slow
def test_withdrawing_again_changes_nothing(tmp_path):
    private, public = two_releases(tmp_path)
    withdraw_patient(private, public)
    before = tree(tmp_path / "public")
    again = withdraw_patient(private, public)
    assert (again.new_release_id, again.reissued, again.tombstone) == ("", (), "")
    assert tree(tmp_path / "public") == before


@pytest.mark.slow
def test_a_withdrawal_killed_anywhere_is_finished_by_running_it_again(tmp_path, monkeypatch):
    private, public = two_releases(tmp_path)
    withdraw_patient(*two_releases(tmp_path / "reference"))
    reference = tree(tmp_path / "reference/public")

    class Killed(BaseException):
        pass

    from tasks.publish.folder_store import FolderStore

    for name in ("put", "delete"):
        original = getattr(FolderStore, name)
        for stop in range(0, 90, 9):
            count = 0

            def limited(self, *args, _original=original, _stop=stop, **kwargs):
                nonlocal count
                if count >= _stop:
                    raise Killed
                count += 1
                return _original(self, *args, **kwargs)

            monkeypatch.setattr(FolderStore, name, limited)
            with contextlib.suppress(Killed):
                withdraw_patient(private, public)
            monkeypatch.setattr(FolderStore, name, original)
            report = verify(public, today=LATER)
            assert report.ok, (name, stop, report.problems)
    withdraw_patient(private, public)
    assert tree(tmp_path / "public").keys() == reference.keys()
    assert verify(public, full=True, today=LATER).ok


@pytest.mark.slow
def test_replicas_are_purged_too(tmp_path):
    private, public = two_releases(tmp_path)
    replica = open_store(str(tmp_path / "replica"))
    for key in public.keys(""):
        replica.put(key, public.get(key))
    withdraw_patient(private, public, replicas=[replica])
    assert not any(uid(1, 1, 1, 1) in k for k in replica.keys("series/"))


@pytest.mark.slow
def test_tombstones_and_log_name_no_patient_and_recipients_are_told(tmp_path):
    private, public = two_releases(tmp_path)
    record_disclosure(private, Disclosure("lab-7", "2026.11.1", "2026-11-22", "segmentation", "DUA-12"))
    done = withdraw_patient(private, public)
    tombstone = json.loads(public.get(done.tombstone))
    assert len(tombstone["series"]) == 4
    assert set(tombstone) == {"number", "on", "reason", "studies", "series", "series_versions", "request"}
    everything = b"".join(public.get(k) for k in public.keys("") if not k.endswith(".dcm"))
    assert b"MRN-" not in everything
    assert done.recipients == ("lab-7",)
    assert len(list(private.keys("vault/notices/"))) == 1
    assert [e.kind for e in read_log(public).entries] == ["release", "release", "release", "reissue", "withdrawal"]


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["before the plan is finished", "before anybody is told", "after the first is told"])
def test_recipients_of_a_withdrawal_that_was_killed_are_told_by_the_next_run(tmp_path, monkeypatch, killed):
    private, public = two_releases(tmp_path)
    for recipient, release in (("lab-7", "2026.11.1"), ("lab-8", "2026.11.0"), ("lab-7", "2026.11.0")):
        record_disclosure(private, Disclosure(recipient, release, "2026-11-22"))

    class Killed(BaseException):
        pass

    original, allowed = (
        type(private).put,
        {"before the plan is finished": -1, "before anybody is told": 0, "after the first is told": 1}[killed],
    )
    count = [0]

    def put(self, key, data, **options):
        if key.startswith("vault/notices/"):
            count[0] += 1
            if count[0] > allowed:
                raise Killed
        if allowed < 0 and key.startswith("vault/withdrawals/") and b'"finished":true' in data:
            raise Killed
        original(self, key, data, **options)

    with monkeypatch.context() as patch:
        patch.setattr(type(private), "put", put)
        with pytest.raises(Killed):
            withdraw_patient(private, public)
    withdraw_patient(private, public)
    notices = [json.loads(private.get(k)) for k in private.keys("vault/notices/")]
    assert sorted((n["recipient"], n["tombstone"], n["releases"]) for n in notices) == [
        ("lab-7", "tombstones/00000001.json", ["2026.11.0", "2026.11.1"]),
        ("lab-8", "tombstones/00000001.json", ["2026.11.0"]),
    ]
    assert withdraw_patient(private, public).recipients == ()


@pytest.mark.slow
def test_who_received_a_release_after_it_was_replaced_is_told_of_the_next_withdrawal_only_once(tmp_path):
    private, public = two_releases(tmp_path)
    withdraw_patient(private, public, 1)
    record_disclosure(private, Disclosure("late", "2026.11.1", "2026-11-26"))
    record_disclosure(private, Disclosure("new", "2026.11.2", "2026-11-26"))
    assert withdraw_patient(private, public, 2).recipients == ("late", "new")
    notices = [json.loads(private.get(k)) for k in private.keys("vault/notices/")]
    told = sorted((n["recipient"], n["tombstone"][-6:]) for n in notices)
    assert told == [("late", "1.json"), ("late", "2.json"), ("new", "2.json")]


@pytest.mark.slow
def test_a_patient_report_names_who_received_a_release_before_it_was_redacted_for_somebody_else(tmp_path):
    private, public = two_releases(tmp_path)
    record_disclosure(private, Disclosure("lab-7", "2026.11.0", "2026-11-22"))
    withdraw_patient(private, public, 1)
    report = report_patient(private, public, "MRN-00002")
    assert [r[0] for r in report.releases] == ["2026.11.2", "2026.11.0+r1"]
    assert [(d.recipient, d.release_id) for d in report.disclosures] == [("lab-7", "2026.11.0")]
    assert report_patient(private, public, "MRN-00004").disclosures == ()


@pytest.mark.slow
def test_a_disclosure_to_nobody_is_refused(tmp_path):
    private, _ = two_releases(tmp_path)
    with pytest.raises(UsageError, match="recipient"):
        record_disclosure(private, Disclosure(" ", "2026.11.0", "2026-11-22"))


@pytest.mark.slow
@pytest.mark.parametrize("tamper", ["changed", "gone", "swapped", "no event", "not JSON"])
def test_each_tampering_of_the_audit_log_breaks_its_chain_from_there_on(tmp_path, tamper):
    private, public = two_releases(tmp_path)
    withdraw_patient(private, public)
    keys = list(private.keys("vault/audit/"))
    first, second = keys[0], keys[1]
    if tamper == "gone":
        private.delete(first)
    elif tamper == "swapped":
        one, two = private.get(first), private.get(second)
        private.put(first, two)
        private.put(second, one)
    else:
        private.put(first, {"changed": private.get(first).replace(b'"who"', b'"Who"'), "no event": b"[]", "not JSON": b"{"}[tamper])
    intact = [whole for _, whole in audit.read_events(private)]
    assert not any(intact[1:])
    assert len(intact) == len(keys) - (tamper == "gone")


@pytest.mark.slow
def test_the_audit_log_is_chained_holds_no_identifier_and_shows_tampering(tmp_path):
    private, public = two_releases(tmp_path)
    withdraw_patient(private, public)
    events = list(audit.read_events(private))
    assert all(intact for _, intact in events)
    assert [e["event"] for e, _ in events][-2:] == ["withdrawal_done", "committed"]
    assert b"MRN-" not in b"".join(private.get(k) for k in private.keys("vault/audit/"))
    assert b"MRN-" not in b"".join(private.get(k) for k in private.keys("vault/suppression/"))
    key = next(iter(private.keys("vault/audit/")))
    private.put(key, private.get(key).replace(b'"number":1', b'"number":1 '))
    assert not all(intact for _, intact in audit.read_events(private))
    with pytest.raises(ValueError, match="audit fact"):
        audit.record(private, "note", text="patient said 'no'\n")


@pytest.mark.slow
def test_a_patient_never_released_is_suppressed_all_the_same(tmp_path):
    private, public = two_releases(tmp_path)
    done = withdraw(private, public, SIGNER, LATER, Asked(patient_ids=("MRN-00005",)))
    assert (done.new_release_id, done.tombstone) == ("", "")
    assert frozen(private, Shape(studies=2, patients=5)).counts["patients"] == 4
