"""A sample of the candidate's staged pixels is read once more (T7): what still tells holds the release."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tasks.consistency import second_look
from tasks.policy.gates import GatePolicy
from tasks.private import identities_key, put_table
from tasks.prove.leaks import burned_in_text
from tasks.prove.specimens import Specimen, make_specimens
from tasks.prove.trials import planted_copy
from tasks.publish.store import Store, open_store
from tasks.scan.strangers import identity_rows
from tasks.schemas import INSTANCES
from tasks.secret import Secret
from tests.unit.scan_objects import POLICY

SECRET = Secret(bytes(range(32)))
ALL = GatePolicy(read_again_share=1.0)


@pytest.fixture
def staged(tmp_path: Path) -> tuple[Store, Path, list[dict[str, Any]]]:
    """Two objects of two patients in quarantine; the second one still shows its patient's name."""
    store = open_store(str(tmp_path / "private"))
    rows = []
    for number, specimen in enumerate(make_specimens(2, tmp_path / "made", POLICY, SECRET)):
        path = planted_copy(specimen, burned_in_text, random.Random("second look"), tmp_path) if number else specimen.written
        rows.append(_put(store, specimen, path, number))
    return store, tmp_path, rows


def _put(store: Store, specimen: Specimen, path: Path, number: int) -> dict[str, Any]:
    row = dict.fromkeys(INSTANCES.names) | {"study_key": f"s{number}", "PatientID": specimen.patient_id}
    row |= {"SOPInstanceUID": specimen.sop_instance_uid, "sha256": f"{number:064x}", "quarantine_key": f"quarantine/{number}"}
    store.put(row["quarantine_key"], path)
    put_table(store, identities_key(row["study_key"]), identity_rows(specimen.identity, [specimen.patient_id]))
    return row | {"blanked_regions": 0, "pixel_data_length": 18432}


def _measured(store: Store, scratch: Path, rows: list[dict[str, Any]]) -> tuple[float, int]:
    table = second_look.read_again(store, pa.Table.from_pylist(rows, schema=INSTANCES), ALL, SECRET, scratch)
    (row,) = table.to_pylist()
    assert (row["gate"], row["action"]) == ("T7", "block")
    return row["value"], row["n"]


def test_text_in_staged_pixels_is_out_of_bounds(staged: tuple[Store, Path, list[dict[str, Any]]]) -> None:
    store, scratch, rows = staged
    assert _measured(store, scratch, rows[:1]) == (0, 1)
    assert _measured(store, scratch, rows) == (1, 2)
    assert not list(scratch.glob("read-again*"))


def test_what_was_read_before_is_not_read_again(staged: tuple[Store, Path, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> None:
    store, scratch, rows = staged
    assert _measured(store, scratch, rows) == (1, 2)
    monkeypatch.setattr(second_look, "_still_tells", lambda *_: pytest.fail("read again"))
    assert _measured(store, scratch, rows) == (1, 2)


def test_half_of_the_sample_was_blanked_and_nobody_can_foretell_the_rest() -> None:
    about = [{"sha256": f"{n:064x}", "pixel_data_length": n % 10, "blanked_regions": int(n < 50)} for n in range(400)]
    rows = [dict.fromkeys(INSTANCES.names) | row for row in about]
    table = pa.Table.from_pylist(rows, schema=INSTANCES)
    policy = GatePolicy(read_again_share=0.05)
    chosen = [r["sha256"] for r in second_look.choose(table, policy, SECRET)]
    assert len(chosen) == len(set(chosen)) == 18, "a twentieth of the 360 that have pixels"
    assert sum(int(name, 16) < 50 for name in chosen) >= 9
    assert chosen != [r["sha256"] for r in second_look.choose(table, policy, Secret(bytes(32)))]
