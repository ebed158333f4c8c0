"""The same promises against real archives: Orthanc over DIMSE and DICOMweb, DCMTK's dcmqrscp."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless, RLELossless

from tasks.archive import open_archive
from tasks.archive_spec import DicomwebArchive, DimseArchive
from tasks.errors import ReleaseError
from tasks.secret import Secret
from tasks.spec import Cohort
from tests.archive.made import SECRET_BYTES, make_object, to_bytes
from tests.archive.servers import Orthanc, dcmqrscp, orthanc

pytestmark = pytest.mark.servers

LIMITS = {"timeout_seconds": 20, "backoff_seconds": 0.05, "attempts": 3}


def objects() -> list[pydicom.Dataset]:
    made = [
        make_object(
            f"1.2.826.{study}",
            series=f"1.2.826.{study}.{n % 2}",
            number=n,
            patient=f"P{study % 3}",
            date=f"202401{study:02d}",
            modality="MR" if study == 3 else "CT",
            accession=f"A{study}",
            description="KOPF MRT" if study == 3 else "Thorax nativ",
            size=32,
        )
        for study in range(1, 6)
        for n in range(1, 7)
    ]
    for ds, syntax in zip(made, [RLELossless, JPEG2000Lossless], strict=False):
        ds.compress(syntax, generate_instance_uid=False)
    return made


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        server.store(to_bytes(ds) for ds in objects())
        yield server


def _open(running: Orthanc, kind: str, tmp_path: Path, password: str = Orthanc.password, **limits):
    chosen = {**LIMITS, **limits}
    if kind == "dicomweb":
        secret = tmp_path / "password"
        secret.write_text(password)
        secret.chmod(0o600)
        auth = {"kind": "basic", "username": running.user, "password": {"file": str(secret)}}
        spec = DicomwebArchive(url=running.url, auth=auth, limits=chosen)
    else:
        receivers = [{"ae_title": "SALLYPORT", "port": running.move, "address": "127.0.0.1"}]
        spec = DimseArchive(host="127.0.0.1", port=running.dicom, ae_title="ARCHIVE", retrieve=kind, receivers=receivers, limits=chosen)
    return open_archive(spec, Secret(SECRET_BYTES), tmp_path / "index")


def _pull(archive, refs, folder: Path) -> dict[str, pydicom.Dataset]:
    pulled = {}
    for ref in refs:
        into = folder / ref.study_key
        into.mkdir(parents=True)
        files = archive.pull_study(ref, into)
        assert len(files) == ref.instance_count
        for file in files:
            ds = pydicom.dcmread(file.path)
            pulled[str(ds.SOPInstanceUID)] = ds
    return pulled


def _elements(ds: pydicom.Dataset) -> dict[int, object]:
    """Everything but group lengths, which archives drop."""
    return {e.tag: e.value for e in ds if e.tag.element != 0}


@pytest.mark.parametrize("kind", ["dicomweb", "c-get", "c-move"])
def test_everything_that_orthanc_has_is_pulled_as_it_is_stored(running: Orthanc, tmp_path: Path, kind: str) -> None:
    archive = _open(running, kind, tmp_path)
    refs = list(archive.find_studies(Cohort()))
    assert [(r.source_study_uid, r.instance_count) for r in refs] == [(f"1.2.826.{n}", 6) for n in range(1, 6)]
    pulled = _pull(archive, refs, tmp_path / "out")
    stored = {str(ds.SOPInstanceUID): ds for ds in objects()}
    assert pulled.keys() == stored.keys()
    for uid, ds in stored.items():
        assert _elements(pulled[uid]) == _elements(ds)
        assert pulled[uid].file_meta.TransferSyntaxUID == ds.file_meta.TransferSyntaxUID
    assert list(archive.find_studies(Cohort())) == refs


@pytest.mark.parametrize("kind", ["dicomweb", "c-get"])
@pytest.mark.parametrize(
    ("cohort", "expected"),
    [
        ({"modalities": ["MR"]}, {3}),
        ({"since": "2024-01-04"}, {4, 5}),
        ({"until": "2024-01-02", "modalities": ["CT"]}, {1, 2}),
        ({"descriptions": ["*MRT*"]}, {3}),
        ({"accessions": "A2\nA9"}, {2}),
        ({"patients": "P0\nP1"}, {1, 3, 4}),
    ],
)
def test_orthanc_chooses_the_cohort(running: Orthanc, tmp_path: Path, kind: str, cohort: dict[str, object], expected: set[int]) -> None:
    for name in ("accessions", "patients"):
        if name in cohort:
            (tmp_path / name).write_text(str(cohort[name]))
            cohort = {**cohort, name: str(tmp_path / name)}
    found = {r.source_study_uid for r in _open(running, kind, tmp_path).find_studies(Cohort.model_validate(cohort))}
    assert found == {f"1.2.826.{n}" for n in expected}


@pytest.mark.parametrize("kind", ["dicomweb", "c-get"])
def test_late_and_deleted_studies_are_noticed(tmp_path: Path, kind: str) -> None:
    with orthanc(tmp_path / "orthanc") as server:
        server.store(to_bytes(ds) for ds in objects()[:18])
        archive = _open(server, kind, tmp_path)
        before = {r.source_study_uid: r.fingerprint for r in archive.find_studies(Cohort())}
        server.store([to_bytes(make_object("1.2.826.1", series="1.2.826.1.1", number=7, patient="P1", date="20240101", accession="A1"))])
        server.delete_study("1.2.826.2")
        after = {r.source_study_uid: r.fingerprint for r in archive.find_studies(Cohort())}
        assert sorted(after) == ["1.2.826.1", "1.2.826.3"]
        assert after["1.2.826.1"] != before["1.2.826.1"]
        assert after["1.2.826.3"] == before["1.2.826.3"]


def test_a_wrong_password_is_an_error_that_names_the_field(running: Orthanc, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"archive\.auth: the archive refuses us \(401\)"):
        list(_open(running, "dicomweb", tmp_path, password="wrong").find_studies(Cohort()))


def test_a_wrong_ae_title_is_an_error_that_names_it(running: Orthanc, tmp_path: Path) -> None:
    spec = DimseArchive(host="127.0.0.1", port=running.dicom, ae_title="OTHER", limits=LIMITS)
    with pytest.raises(ReleaseError, match="rejects our association"):
        list(open_archive(spec, Secret(SECRET_BYTES), tmp_path).find_studies(Cohort()))


@pytest.mark.parametrize("kind", ["c-get", "c-move"])
def test_dcmqrscp_is_an_archive_too(tmp_path: Path, kind: str) -> None:
    stored = {str(ds.SOPInstanceUID): ds for ds in objects()[2:]}  # it cannot send what is compressed
    with dcmqrscp(tmp_path / "dcmqrscp", stored.values()) as (port, move):
        spec = DimseArchive(
            host="127.0.0.1",
            port=port,
            ae_title="ARCHIVE",
            retrieve=kind,
            receivers=[{"ae_title": "SALLYPORT", "port": move, "address": "127.0.0.1"}],
            limits=LIMITS,
        )
        archive = open_archive(spec, Secret(SECRET_BYTES), tmp_path / "index")
        refs = list(archive.find_studies(Cohort()))
        assert [r.source_study_uid for r in refs] == [f"1.2.826.{n}" for n in range(1, 6)]
        pulled = _pull(archive, refs, tmp_path / "out")
        assert {uid: _elements(ds) for uid, ds in pulled.items()} == {uid: _elements(ds) for uid, ds in stored.items()}
