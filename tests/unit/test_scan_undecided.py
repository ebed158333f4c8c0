"""Elements that nobody decided about (T2): what no dictionary knows, and private values whose owner is not named."""

from __future__ import annotations

import pytest
from pydicom import dcmwrite
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO

from tasks.scan.domains import undecided
from tasks.scan.identity import SourceIdentity, is_public_uid
from tasks.scan.search import automaton
from tasks.scan.walk import walk


def _kinds(dataset: Dataset) -> set[tuple[str, float]]:
    buffer = DicomBytesIO()
    dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True)
    return {(stray.kind, stray.score) for _, stray in undecided(walk(buffer.getvalue()))}


def test_what_is_owned_or_known_is_decided() -> None:
    dataset = Dataset()
    dataset.StudyDescription = "CT THORAX"
    dataset.private_block(0x0029, "MAKER 1", create=True).add_new(0x10, "LO", "gain 3")
    assert _kinds(dataset) == set()


@pytest.mark.parametrize(("tag", "kind"), [(0x00291010, "private"), (0x00189FF9, "unknown")])
@pytest.mark.parametrize("inside", [False, True])
def test_what_nobody_knows_holds_the_object(tag: int, kind: str, inside: bool) -> None:
    outer, inner = Dataset(), Dataset()
    (inner if inside else outer).add_new(tag, "LO", "something")
    if inside:
        outer.RequestAttributesSequence = [inner]
    assert {k for k, score in _kinds(outer) if score >= 0.5} == {kind}


def test_an_owner_at_the_top_owns_nothing_inside_an_item() -> None:
    outer, inner = Dataset(), Dataset()
    outer.private_block(0x0029, "MAKER 1", create=True).add_new(0x10, "LO", "gain 3")
    inner.add_new(0x00291011, "LO", "something")
    outer.RequestAttributesSequence = [inner]
    assert _kinds(outer) == {("private", 0.8)}


@pytest.mark.parametrize(
    ("uid", "public"),
    [("1.2.840.10008.5.1.4.1.1.2", True), ("1.2.840.10008.9.1.2.3", True), ("1.2.840.10008.4471823.1", False), ("2.25.7", False)],
)
def test_whose_uid_it_is(uid: str, public: bool) -> None:
    assert is_public_uid(uid) is public


def test_two_words_of_the_trade_written_as_one_are_nobodys_name() -> None:
    machine = automaton(SourceIdentity(frozenset({("patient_name", "Headneck^Quistgaard")})))
    assert machine is not None
    assert "headneck" not in set(machine.keys())
    assert "quistgaard" in set(machine.keys())
