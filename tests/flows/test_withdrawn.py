"""A withdrawn study says so on its receipt, is not pulled again, and nothing of it is published, though the archive still has it."""

from __future__ import annotations

import runpy
import shutil
from fnmatch import fnmatch
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid

from flows import release
from tasks import private
from tasks.model import Reason, Status
from tasks.publish.folder_store import FolderStore
from tasks.publish.signing import open_signer
from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tasks.publish.withdraw import withdraw
from tasks.publish.withdrawal_scope import Asked
from tasks.sample import PATIENTS
from tasks.sample.objects import ct_series, uid
from tasks.spec import read_spec
from tasks.study_job import process_study
from tests.flows import plain
from tests.flows.sallyport import sallyport


def objects_of(archive: Path) -> dict[tuple[str, str, str], list[Path]]:
    """The archive's objects by (patient id, study, series)."""
    found: dict[tuple[str, str, str], list[Path]] = {}
    for path in sorted(p for p in archive.rglob("*") if p.is_file()):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True)
            key = (header.PatientID, header.StudyInstanceUID, header.SeriesInstanceUID)
        except Exception:
            continue
        found.setdefault(key, []).append(path)
    return found


def counts(ran) -> tuple[int, int]:
    assert ran.code in (0, 3), ran.err
    return sum(ran.data["objects_by_status"].values()), ran.data["objects_by_reason"].get("withdrawn", 0)


def add_study(archive: Path, patient: int, study: int, series: tuple[int, ...] = (1, 2)) -> None:
    """Write one study of a made patient: two slices of a chest per series."""
    for number in series:
        for instance, dataset in enumerate(ct_series(PATIENTS[patient], slices=2), 1):
            dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid("study", patient, study), uid("series", patient, study, number)
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid("object", patient, study, number, instance)
            dataset.save_as(archive / f"{patient}-{study}-{number}-{instance}", enforce_file_format=True)


@pytest.fixture
def night(write_spec, tmp_path, run_here, monkeypatch):
    """One run of the flow in this process; what each role writes must be what its policy allows."""
    archive = tmp_path / "archive"
    archive.mkdir()
    spec = read_spec(write_spec(archive))
    role = ["publisher"]

    def as_worker(*arguments):
        role[0] = "worker"
        try:
            return process_study(*arguments)
        finally:
            role[0] = "publisher"

    monkeypatch.setattr(plain, "process_study", as_worker)
    written: set[tuple[str, str, str, str]] = set()
    for name, action in (("put", "s3:PutObject"), ("delete", "s3:DeleteObject")):
        original = getattr(FolderStore, name)

        def recorded(self, key, *arguments, _original=original, _action=action, **options):
            written.add((role[0], self.root.name, _action, key))
            return _original(self, key, *arguments, **options)

        monkeypatch.setattr(FolderStore, name, recorded)

    def run():
        role[0] = "publisher"
        done = run_here(spec)
        role[0] = "withdrawer"  # whatever a test does between two runs
        return done

    yield archive, run
    roles = runpy.run_path(str(Path(__file__).resolve().parents[2] / "infra/policies/make.py"))["ROLES"]
    for who, side, action, key in written:
        allowed = [p for actions, patterns in roles[who].get(side, ()) if action in actions for p in patterns]
        assert any(fnmatch(key, pattern) for pattern in allowed), (who, side, action, key)


def receipts(session) -> dict:
    found = private.get_receipts_index(session.private)
    for key, receipt in found.items():
        assert private.get_receipt(session.private, key) == receipt
        assert sum(n for _, _, n in receipt.outcomes) == receipt.instance_count
    return found


@pytest.mark.slow
def test_tonights_run_pulls_nothing_of_a_withdrawn_patient_and_its_receipts_say_so(night):
    archive, run = night
    for patient in (1, 2):
        add_study(archive, patient, 1)
    session, first = run()
    assert (first.pulled, first.objects_by_status, first.changed) == (2, {"released": 8}, True)
    assert dict(verify(session.public, full=True).counts)["patients"] == 2
    signer = open_signer(None, session.rules.secret)
    done = withdraw(session.private, session.public, signer, release.today(), Asked(patient_ids=(PATIENTS[1].patient_id,)))
    assert (done.series, done.instances) == (2, 4)
    add_study(archive, 1, 2)
    add_study(archive, 3, 1)
    session, second = run()
    assert (second.studies, second.pulled, second.objects) == (4, 1, 16), "the withdrawn patient's new study is not pulled"
    assert second.objects_by_reason == {"withdrawn": 8}
    assert sorted((r.status, r.reason) for r in receipts(session).values()).count((Status.REJECTED, Reason.WITHDRAWN)) == 2
    assert dict(verify(session.public, full=True).counts)["patients"] == 2
    assert len(list(session.private.keys("quarantine/instances/"))) == 2
    session, third = run()
    assert (third.pulled, third.objects_by_reason, third.changed) == (0, {"withdrawn": 8}, False)
    (archive / "1-1-1-1").unlink()
    add_study(archive, 1, 1, series=(3,))
    session, fourth = run()
    assert (fourth.pulled, fourth.objects_by_reason, fourth.changed) == (0, {"withdrawn": 9}, False), "a changed study neither"
    for path in archive.glob("1-*"):
        path.unlink()
    session, fifth = run()
    assert (fifth.pulled, fifth.absent_studies, fifth.objects_by_reason) == (0, 0, {}), "and it is not missed when it leaves the archive"


@pytest.mark.slow
def test_a_study_that_lost_a_series_is_pulled_again_without_it(night):
    archive, run = night
    for patient in (1, 2):
        add_study(archive, patient, 1)
    session, _ = run()
    signer = open_signer(None, session.rules.secret)
    withdraw(session.private, session.public, signer, release.today(), Asked(series=(uid("series", 1, 1, 2),)))
    session, second = run()
    assert (second.pulled, second.objects_by_status) == (0, {"rejected": 2, "released": 6})
    add_study(archive, 1, 1, series=(3,))
    session, third = run()
    assert (third.pulled, third.objects_by_status) == (1, {"rejected": 2, "released": 8})
    rows = [private.get_table(session.private, k, private.INSTANCES).num_rows for k in session.private.keys("quarantine/instances/")]
    assert sorted(rows) == [4, 4]
    assert dict(verify(session.public, full=True).counts)["series"] == 4
    assert sum(r.outcomes == (("rejected", "withdrawn", 2), ("released", "", 4)) for r in receipts(session).values()) == 1


@pytest.mark.slow
def test_what_a_run_under_way_brings_back_is_reported_until_it_is_purged(night, caplog):
    archive, run = night
    for patient in (1, 2):
        add_study(archive, patient, 1)
    session, _ = run()
    key = next(k for k, r in receipts(session).items())
    rows = private.get_table(session.private, private.instances_key(key), private.INSTANCES)
    asked = Asked(studies=(rows["StudyInstanceUID"][0].as_py(),))
    signer = open_signer(None, session.rules.secret)
    withdraw(session.private, session.public, signer, release.today(), asked)
    private.put_table(session.private, private.instances_key(key), rows)
    with caplog.at_level("WARNING"):
        run()
    assert "1 withdrawn studies came back" in caplog.text
    withdraw(session.private, session.public, signer, release.today(), asked)
    caplog.clear()
    with caplog.at_level("WARNING"):
        run()
    assert caplog.text == ""


@pytest.mark.exhaustive
def test_the_command_line_pulls_nothing_of_a_withdrawn_patient_and_its_receipts_say_so(small_archive, write_spec, tmp_path):
    archive = tmp_path / "archive"
    shutil.copytree(small_archive, archive)
    spec = write_spec(archive)
    first = sallyport("release", spec, "--json")
    total, _ = counts(first)
    store, public = open_store((tmp_path / "work/private").as_uri()), open_store((tmp_path / "work/public").as_uri())
    before = {r.study_key: r for r in private.get_receipts_index(store).values()}
    crosswalks = {key: private.get_table(store, private.crosswalk_key(key), private.CROSSWALK) for key in before}
    released = {k for k, r in before.items() if r.status is Status.RELEASED}
    patient = next(crosswalks[k]["source_patient_id"][0].as_py() for k in sorted(released) if crosswalks[k]["source_patient_id"][0].as_py())
    theirs = {k for k, table in crosswalks.items() if patient in table["source_patient_id"].to_pylist()}
    names = {u for k in theirs for u in crosswalks[k]["sop_instance_uid"].to_pylist() if u}

    other = next(k for k in sorted(released - theirs) if len(set(crosswalks[k]["source_series_instance_uid"].to_pylist()) - {None}) > 1)
    rows = [r for r in crosswalks[other].to_pylist() if r["status"] == "released"]
    lost = rows[0]["source_series_instance_uid"]
    lost_rows = [r for r in crosswalks[other].to_pylist() if r["source_series_instance_uid"] == lost]

    withdrawn = sallyport("withdraw", spec, "--patient-id", f" {patient.lower()} ", "--patient-id", patient, "--series", lost, "--json")
    assert withdrawn.code == 0, withdrawn.err
    receipt = private.get_receipt(store, sorted(theirs)[0])
    assert (receipt.status, receipt.reason) == (Status.REJECTED, Reason.WITHDRAWN)

    # The archive gets a study of the patient that was never seen, and a new object of the study that lost a series.
    by_series = objects_of(archive)
    files = next(v for k, v in sorted(by_series.items()) if k[0] == patient)
    new = pydicom.dcmread(files[0])
    new.StudyInstanceUID, new.SeriesInstanceUID, new.SOPInstanceUID = generate_uid(), generate_uid(), generate_uid()
    new.file_meta.MediaStorageSOPInstanceUID = new.SOPInstanceUID
    new.save_as(archive / "new study")
    more = pydicom.dcmread(next(v for k, v in sorted(by_series.items()) if k[2] == rows[-1]["source_series_instance_uid"])[0])
    more.SOPInstanceUID = more.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    more.save_as(archive / "new object")

    second = sallyport("release", spec, "--json")
    assert second.code == 0, second.err
    everything, gone = counts(second)
    assert (second.data["pulled"], everything) == (1, total + 2), "only the other patient's study is pulled"
    after = private.get_receipts_index(store)
    assert {k for k, r in after.items() if r.reason is Reason.WITHDRAWN} >= theirs
    assert len([r for r in after.values() if r.reason is Reason.WITHDRAWN]) == len(theirs) + 1
    assert gone == sum(before[k].instance_count for k in theirs) + 1 + len(lost_rows)
    assert all(sum(n for _, _, n in r.outcomes) == r.instance_count for r in after.values())
    quarantined = private.get_table(store, private.instances_key(other), private.INSTANCES)
    assert not {r["series_instance_uid"] for r in lost_rows} & set(quarantined["SeriesInstanceUID"].to_pylist())

    assert verify(public, full=True).ok
    keys = set(public.keys("series/"))
    assert not [k for k in keys if k.rsplit("/", 1)[-1].removesuffix(".dcm") in names]
    assert not [k for k in store.keys("quarantine/instances/") if k.removesuffix(".parquet").rsplit("/", 1)[-1] in theirs]
    third = sallyport("release", spec, "--json")
    assert (third.data["pulled"], third.data["changed"], counts(third)) == (0, False, (everything, gone))
    assert patient not in second.out + second.err + third.out + third.err
