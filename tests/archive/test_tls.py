"""Mutual TLS to an archive, over DICOMweb and C-GET: both sides show a certificate, and nothing is asked where one does not fit."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks.archive import open_archive
from tasks.archive_spec import DicomwebArchive, DimseArchive
from tasks.errors import ReleaseError
from tasks.secret import Secret
from tasks.spec import Cohort
from tests.archive import faulty_scp, faulty_web
from tests.archive.made import SECRET_BYTES, make_object
from tests.archive.servers import SCRIPTS

LIMITS = {"timeout_seconds": 5.0, "backoff_seconds": 0.01, "attempts": 1}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Certificates of our own CA, and of another one."""
    made = {}
    for name in ("ours", "theirs"):
        made[name] = tmp_path_factory.mktemp(name)
        subprocess.run([SCRIPTS.parent / "certificates.sh", made[name]], check=True, capture_output=True)
    return made


@contextmanager
def archive(protocol: str, certificates: dict[str, Path], tls: dict[str, str], index: Path) -> Iterator[Any]:
    """Yield an archive that asks for a certificate of ours; `tls` is what our spec says."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates["ours"] / "ca.pem"))
    context.load_cert_chain(certificates["ours"] / "scheduler.pem", certificates["ours"] / "scheduler.key")
    context.verify_mode = ssl.CERT_REQUIRED
    objects = [make_object(number=number) for number in (1, 2, 3)]
    if protocol == "dicomweb":
        with faulty_web.running(faulty_web.FaultyWeb(objects), context) as web:
            yield open_archive(DicomwebArchive(url=web.url, tls=tls, limits=LIMITS), Secret(SECRET_BYTES), index)
        return
    with faulty_scp.running(faulty_scp.FaultyScp(objects), context) as scp:
        spec = DimseArchive(host="127.0.0.1", port=scp.port, ae_title="FAULTY", tls=tls, limits=LIMITS)
        yield open_archive(spec, Secret(SECRET_BYTES), index)


def of(folder: Path, *, certificate: bool = True) -> dict[str, str]:
    own = {"certificate": str(folder / "client.pem"), "key": str(folder / "client.key")} if certificate else {}
    return {"ca": str(folder / "ca.pem"), **own}


@pytest.mark.parametrize("protocol", ["dicomweb", "c-get"])
def test_a_study_is_pulled_over_mutual_tls(protocol: str, certificates: dict[str, Path], tmp_path: Path) -> None:
    with archive(protocol, certificates, of(certificates["ours"]), tmp_path / "index") as opened:
        (ref,) = opened.find_studies(Cohort())
        (tmp_path / "study").mkdir()
        assert len(opened.pull_study(ref, tmp_path / "study")) == ref.instance_count == 3


@pytest.mark.parametrize("protocol", ["dicomweb", "c-get"])
@pytest.mark.parametrize("wrong", ["no certificate", "another CA's certificate", "an archive of another CA"])
def test_a_certificate_that_does_not_fit_is_an_error_that_names_tls(
    protocol: str, wrong: str, certificates: dict[str, Path], tmp_path: Path
) -> None:
    ours, theirs = certificates["ours"], certificates["theirs"]
    tls = {
        "no certificate": of(ours, certificate=False),
        "another CA's certificate": {**of(theirs), "ca": str(ours / "ca.pem")},
        "an archive of another CA": {**of(ours), "ca": str(theirs / "ca.pem")},
    }[wrong]
    with archive(protocol, certificates, tls, tmp_path / "index") as opened, pytest.raises(ReleaseError) as caught:
        list(opened.find_studies(Cohort()))
    assert "tls" in str(caught.value) or "TLS" in str(caught.value) or "cannot be reached (ConnectionError)" in str(caught.value)
    assert caught.value.__cause__ is None
