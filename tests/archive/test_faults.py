"""Every fault of an archive, many times over: each study has one receipt each night, and in the end every instance is there once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ComputedRadiographyImageStorage

from tasks import private
from tasks.archive import open_archive
from tasks.archive_spec import DicomwebArchive, DimseArchive
from tasks.errors import ReleaseError
from tasks.model import Reason, Receipt, Status, StudyRef
from tasks.policy import load_policy
from tasks.process import Rules
from tasks.publish.store import open_store
from tasks.schemas import CROSSWALK
from tasks.secret import Secret
from tasks.spec import Cohort
from tasks.study_job import Job, process_study
from tests.archive import faulty_scp, faulty_web
from tests.archive.made import SECRET_BYTES
from tests.archive.servers import free_port
from tests.archive.small_studies import INSTANCES, small_study

PROTOCOLS = ("c-get", pytest.param("c-move", marks=pytest.mark.exhaustive), "dicomweb")
TIMES = [pytest.param(2, id="twice"), pytest.param(20, id="twenty times", marks=pytest.mark.exhaustive)]
RULES = Rules("faults", load_policy(), Secret(SECRET_BYTES))
LIMITS = {"backoff_seconds": 0.01, "attempts": 2}


@dataclass
class Nights:
    """A misbehaving archive, one vault, and what a run does with both: find, then one receipt for each study."""

    folder: Path
    protocol: str
    archive: Any  # FaultyScp | FaultyWeb
    move_port: int
    silence: float
    ran: ExitStack = field(default_factory=ExitStack)
    cohort: Cohort = field(default_factory=Cohort)

    def up(self) -> None:
        module = faulty_web if self.protocol == "dicomweb" else faulty_scp
        self.ran.enter_context(module.running(self.archive))

    def down(self) -> None:
        self.ran.close()
        self.ran = ExitStack()

    def spec(self, **changes: Any) -> Any:
        limits = {**LIMITS, "timeout_seconds": self.silence}
        if self.protocol == "dicomweb":
            return DicomwebArchive(url=self.archive.url, limits=limits, **changes)
        chosen: dict[str, Any] = {"ae_title": "FAULTY", "retrieve": self.protocol, **changes}
        if self.protocol == "c-move":
            chosen["receivers"] = [{"ae_title": "PULLER", "port": self.move_port, "address": "127.0.0.1"}]
        return DimseArchive(host="127.0.0.1", port=self.archive.port, limits=limits, **chosen)

    def job(self, spec: Any = None) -> Job:
        (self.folder / "index").mkdir(exist_ok=True)
        places = ((self.folder / "private").as_uri(), str(self.folder / "index"), str(self.folder / "scratch"))
        return Job("night", RULES, spec or self.spec(), *places)

    def find(self, spec: Any = None) -> list[StudyRef]:
        job = self.job(spec)
        return list(open_archive(job.archive, job.rules.secret, Path(job.index_folder)).find_studies(self.cohort))

    def night(self, meanwhile: Callable[[StudyRef], None] = lambda _: None) -> dict[str, Receipt]:
        """Process every study of the cohort; `meanwhile` is called before each. Return the receipts by Study Instance UID."""
        receipts = {}
        for ref in self.find():
            meanwhile(ref)
            receipts[ref.source_study_uid] = process_study(ref, self.job())
        self.archive.inject("", 0)
        assert not list((self.folder / "scratch").glob("*")), "identified bytes were left"
        return receipts

    def reconcile(self, receipts: Mapping[str, Receipt]) -> None:
        """Compare what the archive has with receipts and crosswalk: every study, every instance, once."""
        has: dict[str, Counter[str]] = {}
        for ds in self.archive.objects:
            has.setdefault(str(ds.StudyInstanceUID), Counter())[str(ds.SOPInstanceUID)] += 1
        assert sorted(receipts) == sorted(has)
        store = open_store((self.folder / "private").as_uri())
        for uid, receipt in receipts.items():
            assert (receipt.status, receipt.outcomes) == (Status.RELEASED, (("released", "", has[uid].total()),)), receipt
            crosswalk = private.get_table(store, private.crosswalk_key(receipt.study_key), CROSSWALK)
            assert Counter(crosswalk["source_sop_instance_uid"].to_pylist()) == has[uid]
            assert len(set(crosswalk["sop_instance_uid"].to_pylist())) == crosswalk.num_rows


@contextmanager
def _nights(folder: Path, protocol: str, objects: list[Dataset], silence: float) -> Iterator[Nights]:
    """`silence`: seconds after which a silent archive is given up; it stalls for longer."""
    move_port = free_port()
    if protocol == "dicomweb":
        archive: Any = faulty_web.FaultyWeb(objects, stall_seconds=2.5 * silence)
    else:
        receivers = {"PULLER": ("127.0.0.1", move_port)}
        archive = faulty_scp.FaultyScp(objects, refuse_get=protocol == "c-move", receivers=receivers, stall_seconds=2.5 * silence)
    nights = Nights(folder, protocol, archive, move_port, silence)
    nights.up()
    try:
        yield nights
    finally:
        nights.down()


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def nights(tmp_path: Path, protocol: str, times: int) -> Iterator[Nights]:
    objects = [ds for number in range(times) for ds in small_study(number)]
    # Twenty times over, a busy machine is bound to be silent for seconds without any fault of ours.
    with _nights(tmp_path, protocol, objects, 3.0 if times == 2 else 10.0) as nights:
        yield nights


def failed(receipt: Receipt) -> bool:
    """Say whether a receipt tells of an archive that did not deliver, with every instance accounted for."""
    return (receipt.status, receipt.reason) == (Status.FAILED, Reason.PULL_FAILED) and sum(n for *_, n in receipt.outcomes) == INSTANCES


DIMSE_FAULTS = ("abort", "missing instance", "wrong study", "warning", "stall", "failure")
WEB_FAULTS = ("cut", "missing instance", "wrong study", "garbage part", "stall", "404", "406", "503")
RETRIEVALS = [
    *(("c-get", fault) for fault in DIMSE_FAULTS),
    *(pytest.param("c-move", fault, marks=pytest.mark.exhaustive) for fault in DIMSE_FAULTS),
    *(("dicomweb", fault) for fault in WEB_FAULTS),
]


@pytest.mark.slow
@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize(("protocol", "fault"), RETRIEVALS)
def test_a_retrieval_that_goes_wrong_passing_or_lasting(nights: Nights, fault: str, times: int) -> None:
    passing = {n for n in range(times) if n % 2 and fault != "406"}  # 406 is an answer, and not asked for again
    order = iter(range(times))
    lasting = []

    def meanwhile(ref: StudyRef) -> None:
        number = next(order)
        nights.archive.inject(fault, 1 if number in passing else 1_000)
        if number not in passing:
            lasting.append(ref.source_study_uid)

    first = nights.night(meanwhile)
    assert len(first) == times
    as_expected = {uid: failed(r) if uid in lasting else r.status is Status.RELEASED for uid, r in first.items()}
    assert [(first[uid], uid in lasting) for uid, expected in as_expected.items() if not expected] == []
    nights.reconcile(nights.night())


@pytest.mark.slow
@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("protocol", ["c-get"])  # in C-MOVE the archive proposes the contexts
def test_presentation_contexts_that_are_refused(nights: Nights, times: int) -> None:
    nights.archive.refused_classes = frozenset({ComputedRadiographyImageStorage})
    assert all(failed(receipt) for receipt in nights.night().values())
    nights.archive.refused_classes = frozenset()
    nights.reconcile(nights.night())


@pytest.mark.slow
@pytest.mark.parametrize("times", TIMES)
def test_an_archive_that_is_down_before_or_in_the_middle(nights: Nights, times: int) -> None:
    refs = nights.find()
    for ref in refs:
        nights.down()
        with pytest.raises(ReleaseError, match="cannot be reached"):
            nights.find()
        assert failed(process_study(ref, nights.job()))
        nights.up()
    nights.reconcile(nights.night())


@pytest.mark.slow
@pytest.mark.parametrize("times", TIMES)
def test_credentials_that_are_wrong_or_end_in_the_middle(nights: Nights, protocol: str, times: int) -> None:
    refs = nights.find()
    wrong = nights.spec() if protocol == "dicomweb" else nights.spec(ae_title="OTHER")
    for ref in refs:
        nights.archive.inject("401", 1_000)
        with pytest.raises(ReleaseError, match=r"archive\.auth|rejects our association"):
            nights.find(wrong)
        assert failed(process_study(ref, nights.job(wrong)))
    nights.archive.inject("", 0)
    nights.reconcile(nights.night())


@pytest.mark.slow
@pytest.mark.parametrize("times", TIMES)
def test_half_a_study_is_revised_when_the_rest_is_there(nights: Nights, times: int) -> None:
    chance = random.Random(8)
    everything = list(nights.archive.objects)
    late = {str(chance.choice(everything[n : n + INSTANCES]).SOPInstanceUID) for n in range(0, len(everything), INSTANCES)}
    nights.archive.objects = [ds for ds in everything if ds.SOPInstanceUID not in late]
    nights.reconcile(nights.night())
    nights.archive.objects = everything
    nights.reconcile(nights.night())


@pytest.mark.slow
@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("change", ["grows", "shrinks", "is replaced"])
def test_a_study_that_changes_while_it_is_pulled(nights: Nights, change: str, times: int) -> None:
    asked: list[int] = []

    def changes() -> None:
        for number in asked:
            own = [ds for ds in nights.archive.objects if ds.StudyInstanceUID == small_study(number)[0].StudyInstanceUID]
            if change != "grows":
                nights.archive.objects = [ds for ds in nights.archive.objects if ds is not own[-1]]
            if change != "shrinks":
                nights.archive.objects = [*nights.archive.objects, small_study(number, INSTANCES + 1)[-1]]
        asked.clear()

    nights.archive.on_retrieval = changes
    uids = {str(small_study(number)[0].StudyInstanceUID): number for number in range(times)}
    first = nights.night(lambda ref: asked.append(uids[ref.source_study_uid]))
    assert len(first) == times == len(uids)
    assert all(receipt.status in (Status.RELEASED, Status.FAILED) for receipt in first.values())
    if change != "grows":
        assert all(map(failed, first.values()))
    second = nights.night()
    nights.reconcile(second)
    assert nights.night() == second


@pytest.mark.slow
@pytest.mark.parametrize("times", TIMES)
def test_two_archives_with_the_same_uids_are_never_mixed(nights: Nights, tmp_path: Path, protocol: str, times: int) -> None:
    nights.reconcile(nights.night())
    other = [ds for number in range(times) for ds in small_study(number, INSTANCES - 1)]
    for ds in other:
        ds.PatientID, ds.PatientName, ds.PatientBirthDate = f"9{ds.PatientID}", "Someone^Else", "19480203"
    with _nights(tmp_path, protocol, other, nights.silence) as elsewhere:
        elsewhere.reconcile(elsewhere.night())
    nights.reconcile(nights.night())


@pytest.mark.slow
@pytest.mark.parametrize("times", TIMES)
def test_accession_numbers_that_two_studies_share(nights: Nights, tmp_path: Path, times: int) -> None:
    for ds in nights.archive.objects:
        ds.AccessionNumber = "SHARED"
    (tmp_path / "accessions").write_text("SHARED\nSHARED\nSHARED \n")
    nights.cohort = Cohort(accessions=str(tmp_path / "accessions"))
    receipts = nights.night()
    nights.reconcile(receipts)
    assert nights.night() == receipts
