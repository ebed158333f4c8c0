"""A night on which nothing changed ends early, and says so; whatever a release rests on, a change of it has everything judged again."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flows import unchanged
from flows.session import Session
from flows.summary import ReleaseSummary
from tasks import private, study_job
from tasks.candidates import keep_judgement
from tasks.consistency.sources import SecondPull, keep_second_pulls, read_second_pulls
from tasks.errors import ReleaseError
from tasks.grounds import LONGEST, RECORD, read_outcome
from tasks.publish.key_rotation import add_key
from tasks.publish.signing import Signer, open_signer
from tasks.publish.store import open_store
from tasks.publish.suppression import suppress
from tasks.risk.published import FROZEN
from tasks.schemas import RISK
from tasks.secret import Secret
from tasks.spec import read_spec
from tasks.value_rules import Decision, keep_rules
from tests.archive.made import to_bytes
from tests.archive.small_studies import small_study, study_uid
from tests.flows.plain import run_plainly
from tests.publish.corpus import approve

STUDIES = 3
SECRET = Secret(bytes(range(32)))


@dataclass
class Hospital:
    """An archive folder, a private and a public side, and what nights make of them."""

    folder: Path
    lines: dict[str, str]
    hold: bool = False
    judged: list[str] = field(default_factory=list)

    @property
    def private(self) -> Any:
        return open_store((self.folder / "private").as_uri())

    @property
    def public(self) -> Any:
        return open_store((self.folder / "public").as_uri())

    def add_study(self, number: int) -> None:
        for index, ds in enumerate(small_study(number)):
            (self.folder / "archive" / f"{number}-{index}").write_bytes(to_bytes(ds))

    def night(self) -> ReleaseSummary:
        """Run the flow's own code once; the gates are replaced by a verdict of ours, which is kept as theirs would be."""

        def judge(session: Session, candidate: Any, _receipts: Any) -> Any:
            self.judged.append(candidate.candidate_id)
            verdict, verdicts = approve(candidate)
            if self.hold:
                verdict = type(verdict)(verdict.candidate_root, False, ("K1: block",), verdict.policy_sha256, verdict.suites)
            keep_judgement(session.private, candidate.candidate_id, verdict, verdicts, RISK.empty_table(), [], "night")
            return verdict, verdicts

        spec = self.folder / "spec.yaml"
        spec.write_text("".join(f"{key}: {value}\n" for key, value in self.lines.items()))
        return run_plainly(read_spec(spec), judge)[1]


def _hospital(folder: Path) -> Hospital:
    """A dataset that names every kind of file on which a release may rest."""
    (folder / "archive").mkdir(parents=True)
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    files = {
        "secret.key": SECRET.material.hex(),
        "signing.key": open_key(key),
        "optout.csv": "patient_id\n99999\n",
        "consent.csv": "patient_id\n" + "\n".join(small_study(n)[0].PatientID for n in range(STUDIES + 1)) + "\n",
        "aliases.csv": "issuer,patient_id,issuer,patient_id\n",
        "reviewers": "ada " + Signer(Ed25519PrivateKey.from_private_bytes(b"a" * 32)).public.ssh_line + "\n",
    }
    for name, content in files.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    lines = {
        "dataset": "test",
        "archive": "{kind: folder, path: archive}",
        "cohort": "{opt_out: optout.csv, consent: consent.csv}",
        "private": (folder / "private").as_uri(),
        "public": (folder / "public").as_uri(),
        "secret": "{file: secret.key}",
        "signing": "{key: signing.key}",
        "aliases": "aliases.csv",
        "approval": "{reviewers: 0, allowed_signers: reviewers}",
        "gates": "{k: 1, canaries: 1}",
        "workers": "{n: 1}",
    }
    hospital = Hospital(folder, lines)
    for number in range(STUDIES):
        hospital.add_study(number)
    return hospital


def open_key(key: Ed25519PrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset after its first night."""
    folder = tmp_path_factory.mktemp("first")
    hospital = _hospital(folder)
    summary = hospital.night()
    assert (summary.pulled, summary.release_id, summary.stands_since) == (STUDIES, summary.release_id, "")
    assert summary.changed
    return folder


@pytest.fixture
def hospital(first: Path, caplog: pytest.LogCaptureFixture) -> Hospital:
    """The dataset as the first night left it; where it lies is part of its spec, so it is put back there for each test."""
    caplog.set_level(logging.INFO, "night")
    kept = first.with_name(f"{first.name}-kept")  # a worker may make the first night more than once
    if not kept.exists():
        shutil.copytree(first, kept)
    shutil.rmtree(first)
    shutil.copytree(kept, first)
    lines = dict(line.split(": ", 1) for line in (first / "spec.yaml").read_text().splitlines())
    return Hospital(first, lines)


def test_an_unchanged_night_is_not_judged_and_says_so(hospital: Hospital) -> None:
    before = sorted((p, p.stat().st_mtime_ns) for p in (hospital.folder / "public").rglob("*"))
    summary = hospital.night()
    assert (hospital.judged, summary.pulled, summary.changed, summary.exit_code) == ([], 0, False, 0)
    assert summary.objects_by_status == {"released": 3 * STUDIES}
    assert summary.sentence().endswith(
        f"release {summary.release_id}; nothing changed since {summary.stands_since[:10]}, so it was not judged again"
    )
    assert sorted((p, p.stat().st_mtime_ns) for p in (hospital.folder / "public").rglob("*")) == before


def test_the_archive_is_asked_and_compared_and_the_public_side_verified_all_the_same(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import release

    asked = []
    for name in ("find_studies", "compare_with_archive", "verify_release"):
        original = getattr(release, name)
        monkeypatch.setattr(release, name, lambda *a, _name=name, _original=original: asked.append(_name) or _original(*a))
    hospital.night()
    assert (asked, hospital.judged) == (["find_studies", "compare_with_archive", "verify_release"], [])


def test_a_study_deleted_in_the_archive_is_counted_though_nothing_is_judged(hospital: Hospital) -> None:
    for index in range(3):
        (hospital.folder / "archive" / f"0-{index}").unlink()
    summary = hospital.night()
    assert (summary.studies, summary.absent_studies, summary.approved, hospital.judged) == (STUDIES - 1, 1, True, [])


def test_a_study_that_fails_every_night_makes_the_run_fail_and_is_no_reason_to_judge_again(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.flows import plain

    hospital.add_study(STUDIES)
    monkeypatch.setattr(plain, "process_study", lambda ref, job: study_job.failed_receipt(ref, "", study_job.Reason.PULL_FAILED))
    summaries = [hospital.night() for _ in range(3)]
    assert [(s.exit_code, bool(s.stands_since)) for s in summaries] == [(1, False), (1, True), (1, True)]
    assert len(hospital.judged) == 1


def test_a_held_candidate_stays_held_with_its_reasons(hospital: Hospital) -> None:
    hospital.hold = True
    hospital.add_study(STUDIES)
    held, again = hospital.night(), hospital.night()
    assert (held.exit_code, held.stands_since, again.exit_code) == (3, "", 3)
    assert (again.hold_reasons, again.candidate_id) == (("K1: block",), held.candidate_id)
    assert again.stands_since
    assert len(hospital.judged) == 1


def test_some_studies_only_are_always_judged(hospital: Hospital) -> None:
    from flows import release
    from flows.session import open_session

    with open_session(read_spec(hospital.folder / "spec.yaml")) as session:
        key = next(iter(private.get_receipts_index(session.private)))
    calls: list[Any] = []
    run = release._run
    try:
        release._run = lambda session, _keys, dry: calls.append(run(session, [key], dry)) or calls[-1]
        hospital.night()
    finally:
        release._run = run
    assert (len(hospital.judged), calls[0].stands_since) == (1, "")


def _line(name: str, value: str) -> Callable[[Hospital], None]:
    return lambda hospital: hospital.lines.update({name: value})


def _append(name: str, text: str) -> Callable[[Hospital], None]:
    def change(hospital: Hospital) -> None:
        with (hospital.folder / name).open("a") as file:
            file.write(text)

    return change


def _delete(place: str, pattern: str) -> Callable[[Hospital], None]:
    def change(hospital: Hospital) -> None:
        found = sorted((hospital.folder / place).glob(pattern))
        assert found
        found[0].unlink()

    return change


def _write(place: str, key: str, data: bytes) -> Callable[[Hospital], None]:
    return lambda hospital: getattr(hospital, place).put(key, data)


def _candidate(hospital: Hospital) -> str:
    outcome = read_outcome(hospital.private, SECRET)
    assert outcome is not None
    return f"candidates/{outcome.candidate_id}/"


def _other_signing_key(hospital: Hospital) -> None:
    (hospital.folder / "signing.key").write_text(open_key(Ed25519PrivateKey.from_private_bytes(b"o" * 32)))


def _new_key_in_the_log(hospital: Hospital) -> None:
    signer = open_signer(str(hospital.folder / "signing.key"), SECRET)
    add_key(hospital.private, hospital.public, signer, Signer(Ed25519PrivateKey.generate()).public, date(2026, 11, 21))


def _withdrawn(hospital: Hospital) -> None:
    suppress(hospital.private, [("patient", "SP" + "A" * 24)])


def _rule(hospital: Hospital) -> None:
    keep_rules(hospital.private, SECRET, [Decision("StudyDescription", "CHEST", "refuse")], reviewer="ada")


def _second_pull(hospital: Hospital) -> None:
    keep_second_pulls(hospital.private, {**read_second_pulls(hospital.private), "f" * 32: SecondPull("f" * 32, "f", False, 1, 0)})


def _receipt_of_somebody_else(hospital: Hospital) -> None:
    index = private.get_receipts_index(hospital.private)
    some = next(iter(index.values()))
    more = type(some)("f" * 32, "f", "w", private.Status.QUARANTINED, None, 1, (("quarantined", "text_left", 1),))
    private.put_receipts_index(hospital.private, [*index.values(), more])


CHANGES: dict[str, tuple[Callable[[Hospital], None], set[str]]] = {
    "a new study": (lambda hospital: hospital.add_study(STUDIES), {"studies", "ledger"}),
    "a late object": (
        lambda hospital: (hospital.folder / "archive" / "late").write_bytes(to_bytes(small_study(0, 4)[-1])) and None,
        {"studies", "ledger"},
    ),
    "a receipt on record": (_receipt_of_somebody_else, {"ledger"}),
    "the suppression list": (_withdrawn, {"suppression list"}),
    "an opt-out": (_append("optout.csv", "88888\n"), {"registries"}),
    "a consent": (_append("consent.csv", "88888\n"), {"registries"}),
    "a rule about a value": (_rule, {"rules about values"}),
    "a threshold": (_line("gates", "{k: 2, canaries: 1}"), {"rules", "spec"}),
    "a licence": (_line("publication", "{license_spdx: CC-BY-4.0}"), {"spec"}),
    "a publish window": (_line("schedule", "{publish_window: weekly}"), {"spec"}),
    "merged patients": (_append("aliases.csv", "X,00000001,X,00000002\n"), {"rules"}),
    "who may approve": (_append("reviewers", "bob " + Signer(Ed25519PrivateKey.generate()).public.ssh_line + "\n"), {"reviewers"}),
    "the signing key": (_other_signing_key, {"signing key"}),
    "an approval": (lambda h: h.private.put(f"{_candidate(h)}approvals/x.json", b"{}"), {"candidate"}),
    "the verdict": (lambda h: h.private.put(f"{_candidate(h)}verdict.json", b"{}"), {"candidate"}),
    "the frozen levels": (_write("private", FROZEN, b'{"hierarchies": {}, "levels": {}}'), {"levels"}),
    "a second pull on record": (_second_pull, {"second pulls"}),
    "the log": (_new_key_in_the_log, {"published"}),
    "the pointer": (_delete("public", "latest.json"), {"published"}),
    "a published file": (_delete("public/releases", "*/manifests/study.parquet"), {"published"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_has_everything_judged_again(hospital: Hospital, change: str, caplog: pytest.LogCaptureFixture) -> None:
    apply, grounds = CHANGES[change]
    apply(hospital)
    try:
        summary: ReleaseSummary | None = hospital.night()
    except ReleaseError:  # what was broken on purpose may stop the run, once it was judged
        summary = None
    (said,) = [r.getMessage() for r in caplog.records if "judged anew" in r.getMessage()]
    assert grounds <= set(said.removeprefix("judged anew, since this changed: ").split(", ")), said
    assert len(hospital.judged) == 1
    assert summary is None or not summary.stands_since


def test_every_ground_is_changed_by_some_test(hospital: Hospital) -> None:
    outcome = read_outcome(hospital.private, SECRET)
    assert outcome is not None
    assert outcome.grounds.keys() == {name for _, names in CHANGES.values() for name in names}


@pytest.mark.slow
def test_another_version_of_the_software_does_everything_again(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_job, "version", lambda _: "9.9.9")
    summary = hospital.night()
    assert (summary.pulled, len(hospital.judged), summary.stands_since) == (STUDIES, 1, "")


@pytest.mark.parametrize("record", [b"", b"{}", b"not json", b'{"mac": "00", "hold_reasons": []}', None, "approved"])
def test_a_record_that_is_missing_damaged_or_not_ours_counts_for_nothing(hospital: Hospital, record: Any) -> None:
    if record == "approved":
        kept = hospital.private.get(RECORD)
        record = kept.replace(b'"suppressed_patients": 0', b'"suppressed_patients": 1')
        assert record != kept
    if record is None:
        hospital.private.delete(RECORD)
    else:
        hospital.private.put(RECORD, record)
    assert not hospital.night().stands_since
    assert len(hospital.judged) == 1
    assert hospital.night().stands_since


@pytest.mark.parametrize(("later", "stands"), [(LONGEST - timedelta(hours=1), True), (LONGEST, False), (-timedelta(days=1), False)])
def test_an_outcome_stands_for_a_week_and_not_before_it_was_reached(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch, later: timedelta, stands: bool
) -> None:
    moment = datetime.now(UTC) + later
    monkeypatch.setattr(unchanged, "now", lambda: moment)
    assert bool(hospital.night().stands_since) is stands
    assert len(hospital.judged) == (0 if stands else 1)


@pytest.mark.slow
def test_what_changes_while_a_run_judges_is_judged_by_the_next_one(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import release

    original = release.verify_release
    monkeypatch.setattr(release, "verify_release", lambda session: (_withdrawn(hospital), original(session))[1])
    hospital.add_study(STUDIES)
    hospital.night()
    monkeypatch.setattr(release, "verify_release", original)
    assert not hospital.night().stands_since
    assert hospital.night().stands_since


def test_the_record_says_nothing_about_anybody(hospital: Hospital) -> None:
    text = hospital.private.get(RECORD).decode()
    for number in range(STUDIES):
        ds = small_study(number)[0]
        for value in (ds.PatientID, str(ds.PatientName), study_uid(number), ds.AccessionNumber):
            assert value not in text
