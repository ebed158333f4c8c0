"""Damaged bytes are a finding, never a crash: the scan reads whatever it is given."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tasks.audit.objects import audit_object
from tasks.model import PulledFile
from tasks.prove.specimens import Specimen, make_specimens
from tasks.scan import collect_identity
from tasks.scan.objects import scan_walk
from tasks.scan.walk import walk
from tasks.secret import Secret
from tasks.utility import StudyPairs, compare_object
from tests.unit.scan_objects import POLICY, findings_of, is_held


@pytest.fixture(scope="module")
def specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    return next(make_specimens(1, tmp_path_factory.mktemp("damaged"), POLICY, Secret(bytes(range(32)))))


@pytest.mark.slow
def test_no_damage_breaks_the_scan(specimen: Specimen, tmp_path: Path) -> None:
    whole = specimen.written.read_bytes()
    path = tmp_path / "damaged"
    for seed in range(120):
        chance = random.Random(seed)
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 20)):
            damaged[chance.randrange(2500)] = chance.randrange(256)
        path.write_bytes(damaged[: chance.randrange(len(damaged))] if chance.random() < 0.3 else damaged)
        scan_walk(walk(path.read_bytes()), specimen.identity, specimen.sop_instance_uid)
        collect_identity([PulledFile(path, "", 1)])
        compare_object(specimen.source, path, StudyPairs())
        audit_object(path, seed)


@pytest.mark.parametrize("keep", [0, 100, 132, 140, 400, 1200])
def test_a_written_object_that_was_cut_is_held(keep: int, specimen: Specimen, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    path.write_bytes(specimen.written.read_bytes()[:keep])
    assert is_held(findings_of(specimen, path))


def test_sequences_without_end_are_no_bomb() -> None:
    meta = bytes(128) + b"DICM"
    deep = b"\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 5000
    assert walk(meta + deep).problem == "data set"
