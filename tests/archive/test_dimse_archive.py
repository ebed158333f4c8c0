"""A DIMSE archive: what it is asked, and that no fault of it loses an instance."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.archive import open_archive
from tasks.archive_spec import DimseArchive
from tasks.errors import ReleaseError
from tasks.model import StudyRef
from tasks.secret import Secret
from tasks.spec import Cohort
from tests.archive.faulty_scp import FaultyScp, running
from tests.archive.made import SECRET_BYTES, make_object

EVERYTHING = Cohort()


def objects() -> list:
    return [
        make_object(f"1.2.{study}", number=n, patient=f"P{study % 3}", date=f"202401{study:02d}", accession=f"A{study}")
        for study in range(1, 6)
        for n in range(1, 5)
    ]


@pytest.fixture
def scp() -> Iterator[FaultyScp]:
    with running(FaultyScp(objects())) as scp:
        yield scp


def archive_of(scp: FaultyScp, tmp_path: Path, **changes):
    limits = {"timeout_seconds": 1.0, "backoff_seconds": 0.01, **changes.pop("limits", {})}
    spec = DimseArchive(host="127.0.0.1", port=scp.port, ae_title="FAULTY", limits=limits, **changes)
    return open_archive(spec, Secret(SECRET_BYTES), tmp_path / "index")


def pull(archive, ref: StudyRef, folder: Path) -> list[str]:
    folder.mkdir(parents=True)
    files = archive.pull_study(ref, folder)
    assert sorted(p.name for p in folder.iterdir()) == sorted(f.path.name for f in files)
    return sorted(f.source_path.split("/")[1] for f in files)


def expected(study: str) -> list[str]:
    return [f"{study}.1.{n}" for n in range(1, 5)]


@pytest.mark.slow
def test_every_study_is_found_and_pulled_to_the_instance(scp: FaultyScp, tmp_path: Path) -> None:
    archive = archive_of(scp, tmp_path)
    refs = list(archive.find_studies(EVERYTHING))
    assert [(r.source_study_uid, r.instance_count) for r in refs] == [(f"1.2.{n}", 4) for n in range(1, 6)]
    assert refs == list(archive.find_studies(EVERYTHING))
    for ref in refs:
        assert pull(archive, ref, tmp_path / ref.study_key) == expected(ref.source_study_uid)
    assert scp.retrievals == 5


def test_what_is_pulled_is_what_the_archive_holds(scp: FaultyScp, tmp_path: Path) -> None:
    import pydicom

    archive = archive_of(scp, tmp_path)
    ref = next(iter(archive.find_studies(EVERYTHING)))
    (tmp_path / "out").mkdir()
    for file in archive.pull_study(ref, tmp_path / "out"):
        pulled = pydicom.dcmread(file.path)
        assert pulled == next(ds for ds in scp.objects if ds.SOPInstanceUID == pulled.SOPInstanceUID)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["abort", "missing instance", "wrong study", "warning", "stall", "failure"])
def test_a_passing_fault_loses_nothing(scp: FaultyScp, tmp_path: Path, fault: str) -> None:
    archive = archive_of(scp, tmp_path)
    refs = list(archive.find_studies(EVERYTHING))
    scp.inject(fault)
    assert pull(archive, refs[0], tmp_path / "out") == expected(refs[0].source_study_uid)
    assert scp.times == 0


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["abort", "missing instance", "wrong study", "warning", "failure"])
def test_a_lasting_fault_fails_the_study_and_says_what(scp: FaultyScp, tmp_path: Path, fault: str) -> None:
    archive = archive_of(scp, tmp_path, limits={"attempts": 2})
    refs = list(archive.find_studies(EVERYTHING))
    scp.inject(fault, times=1000)
    (tmp_path / "out").mkdir()
    with pytest.raises(ReleaseError, match=r"archive: .* \(2 attempts\)") as caught:
        archive.pull_study(refs[0], tmp_path / "out")
    assert "1.2.1" not in str(caught.value)
    scp.inject("")
    assert pull(archive, refs[0], tmp_path / "again") == expected(refs[0].source_study_uid)


def test_what_came_already_is_not_asked_for_again(scp: FaultyScp, tmp_path: Path) -> None:
    archive = archive_of(scp, tmp_path)
    ref = next(iter(archive.find_studies(EVERYTHING)))
    scp.inject("missing instance")
    sent: list[int] = []
    real = scp._send

    def counting(event):
        for answer in real(event):
            sent.append(1)
            yield answer

    scp._send = counting
    assert pull(archive, ref, tmp_path / "out") == expected(ref.source_study_uid)
    assert len(sent) == (1 + 3) + (1 + 1)


@pytest.mark.slow
def test_no_object_of_another_study_is_kept(scp: FaultyScp, tmp_path: Path) -> None:
    archive = archive_of(scp, tmp_path)
    ref = next(iter(archive.find_studies(EVERYTHING)))
    scp.inject("wrong study", times=3)
    assert pull(archive, ref, tmp_path / "out") == expected(ref.source_study_uid)


@pytest.mark.slow
def test_c_move_is_used_where_c_get_is_refused(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with running(FaultyScp(objects(), refuse_get=True, receivers={"PULLER": ("127.0.0.1", port)})) as scp:
        archive = archive_of(scp, tmp_path, receivers=[{"ae_title": "PULLER", "port": port, "address": "127.0.0.1"}])
        refs = list(archive.find_studies(EVERYTHING))
        for fault in ("", "missing instance", "wrong study", "warning", "abort", "failure"):
            scp.inject(fault)
            assert pull(archive, refs[0], tmp_path / f"out {fault}") == expected(refs[0].source_study_uid)
        unknown = archive_of(scp, tmp_path, retrieve="c-move", receivers=[{"ae_title": "NOBODY", "port": port}])
        with pytest.raises(ReleaseError, match="does not know our AE title"):
            unknown.pull_study(refs[0], tmp_path / "index")
        alone = archive_of(scp, tmp_path)
        with pytest.raises(ReleaseError, match="refuses C-GET; name receivers"):
            alone.pull_study(refs[0], tmp_path / "index")


def test_the_archive_does_the_choosing(scp: FaultyScp, tmp_path: Path) -> None:
    (tmp_path / "accessions").write_text("A2\nA4\nA99\n")
    archive = archive_of(scp, tmp_path)
    cohort = Cohort.model_validate({"accessions": str(tmp_path / "accessions"), "since": "2024-01-03", "until": "2024-12-31"})
    assert [r.source_study_uid for r in archive.find_studies(cohort)] == ["1.2.4"]
    asked = [i for level, i in scp.finds if level == "STUDY" and i.AccessionNumber]
    assert [i.AccessionNumber for i in asked] == ["A2", "A4", "A99"]
    assert {i.StudyDate for i in asked} == {"20240103-20241231"}


def test_a_study_outside_the_cohort_is_not_taken_though_the_archive_offers_it(scp: FaultyScp, tmp_path: Path) -> None:
    archive = archive_of(scp, tmp_path)  # this archive ignores ModalitiesInStudy and StudyDescription
    assert list(archive.find_studies(Cohort(modalities=["MR"]))) == []
    assert list(archive.find_studies(Cohort(descriptions=["*HEAD*"]))) == []
    assert len(list(archive.find_studies(Cohort(descriptions=["CH?ST"], modalities=["CT"])))) == 5


def test_the_latest_study_date_of_a_patient_is_asked_for_once(scp: FaultyScp, tmp_path: Path) -> None:
    archive = archive_of(scp, tmp_path)
    until = Cohort.model_validate({"until": "2024-01-02"})
    assert [(r.source_study_uid, r.patient_last_study_date) for r in archive.find_studies(until)] == [
        ("1.2.1", "20240104"),
        ("1.2.2", "20240105"),
    ]
    before = len(scp.finds)
    list(archive.find_studies(until))
    assert len(scp.finds) == before + 1


@pytest.mark.slow
def test_an_archive_that_cuts_its_answers_is_asked_by_date(tmp_path: Path) -> None:
    with running(FaultyScp(objects(), max_matches=2)) as scp:
        refs = list(archive_of(scp, tmp_path).find_studies(Cohort.model_validate({"since": "2024-01-01", "until": "2024-01-31"})))
        assert [r.source_study_uid for r in refs] == [f"1.2.{n}" for n in range(1, 6)]


def test_a_late_instance_changes_the_fingerprint_of_its_study_only(scp: FaultyScp, tmp_path: Path) -> None:
    archive = archive_of(scp, tmp_path)
    before = {r.source_study_uid: r.fingerprint for r in archive.find_studies(EVERYTHING)}
    scp.objects.append(make_object("1.2.3", number=5, patient="P0", date="20240103", accession="A3"))
    after = {r.source_study_uid: r.fingerprint for r in archive.find_studies(EVERYTHING)}
    assert [uid for uid in after if after[uid] != before[uid]] == ["1.2.3"]


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"compare": "instances"}, {}], ids=["asked for", "no counts said"])
def test_instances_are_compared_where_counts_do_not_tell(tmp_path: Path, changes: dict[str, str]) -> None:
    with running(FaultyScp(objects(), counts_said=bool(changes))) as scp:
        archive = archive_of(scp, tmp_path, **changes)
        before = {r.source_study_uid: (r.fingerprint, r.instance_count) for r in archive.find_studies(EVERYTHING)}
        scp.objects[0].SOPInstanceUID = "1.2.1.1.99"
        after = {r.source_study_uid: (r.fingerprint, r.instance_count) for r in archive.find_studies(EVERYTHING)}
        assert [uid for uid in after if after[uid] != before[uid]] == ["1.2.1"]
        assert {count for _, count in after.values()} == {4}


@pytest.mark.slow
def test_an_archive_that_is_down_or_another_service_is_an_error_that_says_so(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        nobody = FaultyScp([], port=silent.getsockname()[1])
        with pytest.raises(ReleaseError, match="cannot be reached"):
            list(archive_of(nobody, tmp_path, limits={"attempts": 2}).find_studies(EVERYTHING))
        silent.listen()
        with pytest.raises(ReleaseError, match="does not speak with us"):
            list(archive_of(nobody, tmp_path, limits={"attempts": 1}).find_studies(EVERYTHING))


def test_a_query_that_breaks_off_is_asked_again(scp: FaultyScp, tmp_path: Path) -> None:
    scp.inject("abort find", times=2)
    assert len(list(archive_of(scp, tmp_path).find_studies(EVERYTHING))) == 5


def test_a_deleted_study_fails_its_pull(scp: FaultyScp, tmp_path: Path) -> None:
    archive = archive_of(scp, tmp_path)
    refs = list(archive.find_studies(EVERYTHING))
    scp.objects = [ds for ds in scp.objects if ds.StudyInstanceUID != "1.2.1"]
    with pytest.raises(ReleaseError, match="no instances any more"):
        archive.pull_study(refs[0], tmp_path)
