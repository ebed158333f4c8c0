"""No log of a library says a patient's value while an archive is asked, answers or fails."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tasks.archive import open_archive
from tasks.archive_spec import DicomwebArchive, DimseArchive
from tasks.errors import ReleaseError
from tasks.secret import Secret
from tasks.spec import Cohort
from tests.archive import faulty_scp, faulty_web
from tests.archive.made import SECRET_BYTES, make_object

CANARY = "CANARYPATIENT"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dicomweb", "dimse"])
def test_nothing_of_a_patient_is_logged_or_raised(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd) -> None:
    (tmp_path / "patients.csv").write_text(f"{CANARY}\n")
    cohort = Cohort(patients=str(tmp_path / "patients.csv"))
    objects = [make_object("1.2.777", number=n, patient=CANARY, accession=CANARY, description=CANARY) for n in (1, 2)]
    objects.append(make_object("1.2.888"))
    limits = {"timeout_seconds": 1, "attempts": 2, "backoff_seconds": 0}
    said = []
    logging.getLogger().setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        if kind == "dicomweb":
            with faulty_web.running(faulty_web.FaultyWeb(objects)) as server:
                said = _run(
                    open_archive(DicomwebArchive(url=server.url, limits=limits), Secret(SECRET_BYTES), tmp_path), server, cohort, tmp_path
                )
        else:
            with faulty_scp.running(faulty_scp.FaultyScp(objects)) as server:
                spec = DimseArchive(host="127.0.0.1", port=server.port, ae_title="FAULTY", limits=limits)
                said = _run(open_archive(spec, Secret(SECRET_BYTES), tmp_path), server, cohort, tmp_path)
    out, err = capfd.readouterr()
    everything = "\n".join([caplog.text, out, err, *said])
    assert said
    assert CANARY not in everything
    assert "1.2.777" not in everything


def _run(archive, server, cohort: Cohort, tmp_path: Path) -> list[str]:
    said = []
    (ref,) = archive.find_studies(cohort)
    said.append(repr(ref))
    for fault in ("", "missing instance", "wrong study", "404", "500", "abort", "failure"):
        server.inject(fault, times=100)
        into = tmp_path / f"out {fault}"
        into.mkdir()
        try:
            said.append(repr(archive.pull_study(ref, into)))
        except ReleaseError as error:
            said += [str(error), repr(error), repr(error.__cause__)]
    return said
