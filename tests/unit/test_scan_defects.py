"""Every gate of the scan catches the defects that it is there for, and no gate minds a clean object."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

import tasks.scan.objects
import tasks.scan.search
from tasks.prove.kinds import OBJECT_DEFECTS, ObjectDefect
from tasks.prove.specimens import Specimen, make_specimens
from tasks.prove.trials import try_clean, try_plants
from tasks.secret import Secret
from tests.unit.scan_objects import POLICY, changed, findings_of, is_held

logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
N = 24


@pytest.fixture(scope="module")
def specimens(tmp_path_factory: pytest.TempPathFactory) -> list[Specimen]:
    return list(make_specimens(12, tmp_path_factory.mktemp("specimens"), POLICY, Secret(bytes(range(32))), 2))


def test_clean_objects_pass(specimens: list[Specimen]) -> None:
    proof = try_clean(specimens, POLICY)
    assert (proof.planted, proof.caught, proof.outcome) == (24, 0, "met")


@pytest.mark.parametrize("kind", OBJECT_DEFECTS, ids=lambda k: f"{k.gate} {k.kind}")
def test_planted_defects_are_caught(kind: ObjectDefect, specimens: list[Specimen], tmp_path: Path) -> None:
    proof = try_plants(kind, specimens, N, POLICY, tmp_path)
    assert (proof.caught, proof.outcome) == (N, "too few")  # 24 of 24 prove less than the target asks for


def test_the_source_itself_is_held(specimens: list[Specimen]) -> None:
    for specimen in specimens:
        rules = {f.rule for f in findings_of(specimen, specimen.source)}
        assert {"T1.exact", "T5.source_uid", "T10.unshifted", "T3.name", "T2.declared"} <= rules


OBJECTS, SEARCH = tasks.scan.objects, tasks.scan.search
SWITCHES: dict[str, tuple[Any, str, Callable[..., Any], str]] = {
    "all of T1": (OBJECTS, "search", lambda *_: set(), "the patient's own value"),
    "near misses": (OBJECTS, "near_misses", lambda *_: set(), "own name with one slip"),
    "other readings": (SEARCH, "readings", lambda *_, **__: (), "own value, packed or escaped"),
    "readings of what is spelled apart": (SEARCH, "readings", lambda *_, **__: (), "own value, spelled apart or turned"),
    "numbers": (SEARCH, "numbers_in", lambda *_: set(), "own id or day as a number"),
    "domains": (OBJECTS, "strays", lambda *_: (), "text where a number or code belongs"),
    "direct identifiers": (OBJECTS, "direct_identifiers", lambda *_: (), "attribute that no option retains"),
    "shapes": (OBJECTS, "shapes", lambda *_: (), "shape of PHI, of somebody unknown"),
    "derivable UIDs": (OBJECTS, "derivable_uids", lambda *_: frozenset(), "UID that anybody can derive"),
    "parts of UIDs": (OBJECTS, "telling_parts", lambda *_: (), "UID that holds an id or a day"),
    "container": (OBJECTS, "flaws", lambda *_: (), "unclean container"),
    "offsets": (OBJECTS, "is_shifted", lambda *_: True, "date moved by another offset"),
}
"""What is switched off, and the kind of defect that must come through then."""


@pytest.mark.parametrize("search", SWITCHES)
def test_a_search_switched_off_is_noticed(search: str, specimens: list[Specimen], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a search its own defects come through: the proofs measure that search and no other."""
    module, name, nothing, kind = SWITCHES[search]
    monkeypatch.setattr(module, name, nothing)
    (defect,) = [k for k in OBJECT_DEFECTS if k.kind == kind]
    assert try_plants(defect, specimens, N, POLICY, tmp_path).outcome == "missed"


PLACES: dict[str, tuple[Callable[[Dataset, Specimen], None], str]] = {
    "series description": (lambda d, s: setattr(d, "SeriesDescription", f"AX {s.patient.family} 5mm"), "(0008,103E)"),
    "body part": (lambda d, s: setattr(d, "BodyPartExamined", s.patient.family.upper()[:16]), "(0018,0015)"),
    "instance number": (lambda d, s: setattr(d, "InstanceNumber", s.patient.phone.replace(" ", "").replace("+", "")), "(0020,0013)"),
    "operator": (lambda d, s: setattr(d, "OperatorsName", s.patient.physician), "(0008,1070)"),
    "sop uid": (lambda d, s: setattr(d, "SeriesInstanceUID", min(s.identity.uids)), "(0020,000E)"),
}


@pytest.mark.parametrize("name", PLACES)
def test_a_finding_says_where(name: str, specimens: list[Specimen], tmp_path: Path) -> None:
    change, place = PLACES[name]
    specimen = next(s for s in specimens if s.patient.family.isascii())
    findings = findings_of(specimen, changed(specimen, lambda d: change(d, specimen), tmp_path))
    assert place in {f.place for f in findings if f.score >= 0.5}
    assert is_held(findings)


def test_findings_never_hold_a_value(specimens: list[Specimen]) -> None:
    for specimen in specimens:
        text = repr(findings_of(specimen, specimen.source)) + repr(specimen.identity) + repr(specimen)
        patient = specimen.patient
        for value in (patient.family, patient.patient_id, patient.accession, patient.study_date, patient.phone, *specimen.identity.uids):
            assert value not in text


def test_what_the_policy_retains_is_no_leftover(tmp_path: Path) -> None:
    keeping = POLICY.model_copy(
        update={
            "headers": POLICY.headers.model_copy(
                update={"dates": "keep", "retain_uids": True, "retain_institution": True, "retain_device": "full"}
            )
        }
    )
    for specimen in make_specimens(2, tmp_path, keeping, Secret(bytes(range(32)))):
        assert not is_held(findings_of(specimen))
        named = changed(specimen, lambda d, s=specimen: setattr(d, "SeriesDescription", s.patient.family), tmp_path)  # type: ignore[misc]  # bound now
        assert is_held(findings_of(specimen, named))
