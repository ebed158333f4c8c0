"""Words of too few patients (T4) are looked for in every object, not in one of each series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydicom import dcmread

from tasks.consistency.evidence import StudyEvidence
from tasks.model import PulledFile, Status
from tasks.policy import load_policy
from tasks.private import evidence_key, put_table
from tasks.prove.specimens import make_specimens
from tasks.prove.tables import is_out_of_bounds
from tasks.publish.store import Store, open_store
from tasks.risk.words import WORD, measure_words, read_words, unread_words, words_in
from tasks.schemas import INSTANCES
from tasks.secret import Secret
from tasks.value_rules import Decision, keep_rules, read_rules
from tests.unit.scan_objects import POLICY

SECRET = Secret(bytes(range(32)))


@pytest.fixture
def noted(tmp_path: Path) -> tuple[Store, list[dict[str, Any]]]:
    """Three objects of a series, of which only the last says something of its own; the first is not released."""
    specimens = list(make_specimens(1, tmp_path, POLICY, SECRET, 3))
    evidence = StudyEvidence("s1", [PulledFile(s.source, s.source.name, 0) for s in specimens], SECRET)
    rows = []
    for number, specimen in enumerate(specimens):
        dataset = dcmread(specimen.written)
        dataset.ImageComments = "seen by the lake" if number < 2 else "Oxelquist"
        dataset.save_as(specimen.written)
        row = dict.fromkeys(INSTANCES.names) | {"study_key": "s1", "PatientID": "P1", "SOPInstanceUID": specimen.sop_instance_uid}
        row |= {"SeriesInstanceUID": "2.25.1", "status": Status.RELEASED.value if number else Status.QUARANTINED.value}
        evidence.add(specimen.written, row)
        rows.append(row)
    store = open_store(str(tmp_path / "private"))
    put_table(store, evidence_key("s1"), evidence.table())
    return store, rows


def _words(store: Store, rows: list[dict[str, Any]]) -> set[str]:
    table = read_words(store, pa.Table.from_pylist(rows, schema=INSTANCES), load_policy().gates)
    return set(table.filter(pa.compute.equal(table["place"], "(0020,4000)"))["token"].to_pylist())


def test_a_word_of_one_object_among_many_is_read(noted: tuple[Store, list[dict[str, Any]]]) -> None:
    store, rows = noted
    assert _words(store, rows[1:]) == {"lake", "oxelquist"}, "what the first says too is noted of one that is released"
    assert _words(store, rows[1:2]) == {"lake"}, "an object that is not in the candidate says nothing"


@pytest.mark.parametrize(("means", "holds"), [("ask", True), ("info", False)])
def test_a_word_that_nobody_has_read_means_what_the_policy_says(means: str, holds: bool, tmp_path: Path) -> None:
    policy = load_policy().gates.model_copy(update={"rare_words": means})
    noted = [{"PatientID": f"P{n}", "place": "(0008,1030)", "vr": "LO", "text": b"Oxelquist" if n == 1 else b"CT"} for n in range(5)]
    words, store = words_in(pa.Table.from_pylist(noted)), open_store(str(tmp_path / "private"))
    for unread in (1, 0):
        (row,) = measure_words(unread_words(words, read_rules(store, SECRET), policy), policy).to_pylist()
        assert (row["value"], row["action"]) == (unread, means)
        assert is_out_of_bounds(pa.Table.from_pylist([row]), "T4") == (holds and unread > 0)
        keep_rules(store, SECRET, [Decision(WORD, "oxelquist", "accept")], reviewer="Ada")
