"""What compares whole studies copes with whatever studies hold: nothing, flat images, one sample, colour, compressed, broken bytes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from tasks import private
from tasks.consistency.crosscheck import cross_check, measure_crosscheck
from tasks.consistency.evidence import EVIDENCE, StudyEvidence, flattened, read_evidence
from tasks.consistency.frames import middle_frame
from tasks.consistency.likeness import SIDE, alike_across, block_means, packed, unpacked
from tasks.consistency.plausible import flaw_of, implausible_series, noise_level
from tasks.consistency.sources import SecondPull, chosen_for_second_pull, keep_second_pulls, pull_again, read_second_pulls, source_digest
from tasks.errors import ReleaseError
from tasks.model import PulledFile, Receipt, Status, StudyRef
from tasks.policy import load_policy
from tasks.publish.store import open_store
from tasks.scan import SourceIdentity
from tasks.scan.cohort import index_cohort, kinds_of_others
from tasks.scan.strangers import find_strangers, identity_rows, sweep_reports
from tasks.scan.walk import read_walk, walk
from tasks.schemas import FINDINGS
from tasks.secret import Secret
from tests.unit.gate_tables import clean_candidate, instance_row, table

SECRET = Secret(bytes(range(32)))
SHIPPED = ("CT_small.dcm", "MR_small_RLE.dcm", "examples_rgb_color.dcm", "JPEG2000.dcm", "test-SR.dcm", "rtplan.dcm", "liver_1frame.dcm")


@pytest.mark.parametrize("name", SHIPPED)
def test_every_kind_of_object_leaves_evidence(name):
    path = Path(str(get_testdata_file(name, download=False)))
    evidence = StudyEvidence("s", [PulledFile(path, name, path.stat().st_size)], SECRET)
    row = instance_row(1)
    evidence.add(path, row, rewritten_from=path)
    rows = flattened(evidence.table(), "objects").to_pylist()
    has_pixels = "PixelData" in dcmread(path)
    assert [bool(r["pixel_digest"]) for r in rows] == [has_pixels]
    assert rows[0]["source_pixel_digest"] == rows[0]["pixel_digest"]
    assert flattened(evidence.table(), "pictures").num_rows == (has_pixels and dcmread(path).BitsAllocated > 1)


def test_the_frame_is_what_pydicom_decodes():
    for name in ("CT_small.dcm", "MR_small_RLE.dcm"):
        path = Path(str(get_testdata_file(name, download=False)))
        frame = middle_frame(read_walk(path))
        assert frame is not None
        assert np.array_equal(frame.stored, dcmread(path).pixel_array)


def test_broken_pixels_are_no_frame_and_no_crash():
    data = bytearray(Path(str(get_testdata_file("JPEG2000.dcm", download=False))).read_bytes())
    data[-2000:] = b"\xff" * 2000
    assert middle_frame(walk(bytes(data[: len(data) // 3]))) is None
    assert middle_frame(walk(b"")) is None


def test_a_picture_survives_packing():
    image = np.random.default_rng(1).normal(size=(200, 131))
    again = unpacked([packed(block_means(image))])[0]
    exact = block_means(image) - block_means(image).mean()
    assert again.shape == (SIDE, SIDE)
    assert float((again * exact / np.linalg.norm(exact)).sum()) > 0.999
    assert not unpacked([packed(np.zeros((SIDE, SIDE)))]).any()
    assert unpacked([]).shape == (0, SIDE, SIDE)


def test_pictures_of_one_kind_are_compared_only_among_enough_people():
    seed = np.random.default_rng(2)
    pictures = unpacked([packed(seed.normal(size=(SIDE, SIDE))) for _ in range(9)] * 2)
    people = [f"P{n}" for n in range(18)]
    assert len(alike_across(pictures, people)) == 9, "each comes twice, under two names"
    assert alike_across(pictures, ["P0"] * 18) == [], "one person is no two"
    assert alike_across(pictures, people, [f"kind {n % 9}" for n in range(18)]) == [], "two of a kind tell nothing"


def test_noise_and_flaws_need_an_image():
    assert noise_level(np.zeros((100, 100))) is None
    assert noise_level(np.zeros((4, 4))) is None
    assert noise_level(np.random.default_rng(3).normal(0, 5, (128, 128))) == pytest.approx(5, rel=0.1)
    assert implausible_series(flattened(EVIDENCE.empty_table(), "objects")) == {}
    frame = middle_frame(read_walk(Path(str(get_testdata_file("CT_small.dcm", download=False)))))
    assert frame is not None
    row = {"pixel_spacing_row_mm": 0.6, "Modality": "CT", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]}
    assert flaw_of(frame, row) == ""
    assert flaw_of(frame, row | {"pixel_spacing_row_mm": 600.0}) == "field of view"


def test_a_crosscheck_of_nothing_measures_nothing_and_passes_nothing(tmp_path):
    store = open_store(str(tmp_path))
    found = cross_check(store, table([]), FINDINGS.empty_table(), ["absent"])
    assert found.held_back() == {"T1": frozenset(), "T1x": frozenset(), "I4": frozenset()}
    rows = {r["gate"]: r["value"] for r in measure_crosscheck(found, table([]), load_policy().gates).to_pylist() if r["action"] != "info"}
    assert rows["I1"] is None, "nothing was pulled twice"


def test_evidence_that_cannot_be_read_is_an_error_and_not_an_absence(tmp_path):
    store = open_store(str(tmp_path))
    store.put(private.evidence_key("s"), b"PAR1 but not really")
    with pytest.raises(pa.ArrowInvalid):
        read_evidence(store, ["s"])
    assert read_evidence(store, ["other"]).num_rows == 0


# --- other people's values


def _known(name, number="MRN4711007"):
    return SourceIdentity(frozenset({("patient_name", name), ("patient_id", number)}))


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("scan of Quistgaard, Ansgar", {"patient_name"}),
        ("scan of Ansgar X. Quistgaard", {"patient_name"}),
        ("Quistgaard", set()),
        ("Quistgaard asked; two pages later, after much else has been said about everything, Ansgar", set()),
        ("prior mrn4711007", {"patient_id"}),
        ("mrn47110071", set()),
        ("1.2.4711007", set()),
        ("", set()),
    ],
)
def test_two_parts_side_by_side_or_a_whole_id_tell_of_somebody(text, kinds):
    index = index_cohort({"P1": _known("Quistgaard^Ansgar")})
    assert kinds_of_others(text.encode(), index, "P2") == kinds
    assert kinds_of_others(text.encode(), index, "P1") == set()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("Kim^Lee", "Kim^Lee", True),
        ("Kim^Lee", "seen: KIM, LEE", True),
        ("Kim^Lee", "kim lee", False),  # six letters side by side are words of some language
        ("Ng^Weiming", "prior of Weiming Ng", True),
        ("Wu^Li", "Wu^Li", False),
        ("Żukowski^Łucja", "Zukowski, Lucja", True),
        ("Żukowski^Łucja", "ŻUKOWSKI ŁUCJA", True),
    ],
)
def test_short_and_accented_names_are_told_as_names_are_written(name, text, told):
    index = index_cohort({"P1": _known(name)})
    assert ("patient_name" in kinds_of_others(text.encode("utf-8"), index, "P2")) is told


def test_what_two_people_share_tells_of_neither():
    index = index_cohort({"P1": _known("Quistgaard^Ansgar"), "P2": _known("Quistgaard^Aurelie", "MRN4711008")})
    own = lambda: _known("Quistgaard^Aurelie", "MRN4711008")  # noqa: E731 - what the vault says of P2
    assert kinds_of_others(b"Quistgaard Aurelie", index, "P2", own) == set()
    assert kinds_of_others(b"Quistgaard Ansgar", index, "P2", own) == {"patient_name"}


def test_a_slice_taken_in_pieces_finds_the_same(tmp_path):
    people = [(f"P{n}", _known(f"Stammbaum{n:03d}^Quirin", f"MRN{n:07d}")) for n in range(40)]
    texts = [{"PatientID": f"P{n}", "SOPInstanceUID": f"1.{n}", "place": "x", "text": b"axial"} for n in range(40)]
    texts[3]["text"] = b"Quirin Stammbaum017"
    texts[9]["text"] = b"mrn0000031"
    asked = pa.Table.from_pylist(texts)
    found = [find_strangers(asked, people, dict(people).__getitem__, at_once) for at_once in (1, 7, 100)]
    assert found[0] == found[1] == found[2]
    assert [(s.patient_id, s.kind) for s in found[0]] == [("P3", "patient_name"), ("P9", "patient_id")]
    assert "Stammbaum" not in repr(found), "places and kinds, never values"
    assert len(sweep_reports({"suites": b"{Stammbaum005^Quirin}"}, people, 7)) == 1
    assert identity_rows(SourceIdentity(), ["P1"]).num_rows == 0


# --- the second pull


class _Archive:
    def __init__(self, data: bytes) -> None:
        self.data, self.pulls = data, 0

    def find_studies(self, cohort):
        raise NotImplementedError

    def pull_study(self, ref, into):
        if not self.data:
            raise ReleaseError("archive", "does not answer")
        self.pulls += 1
        (into / "x").write_bytes(self.data)
        return [PulledFile(into / "x", "x", len(self.data))]


def _noted(store, data, tmp_path):
    path = tmp_path / "first"
    path.write_bytes(data)
    private.put_table(store, private.evidence_key("s"), StudyEvidence("s", [PulledFile(path, "x", len(data))], SECRET).table())
    ref, receipt = StudyRef("s", "f", 1, "1.2"), Receipt("s", "f", "w", Status.RELEASED, None, 1, (("released", "", 1),))
    return [ref], [receipt]


def test_a_second_pull_that_agrees_is_not_asked_for_again(tmp_path):
    data = Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()
    store, archive = open_store(str(tmp_path / "store")), _Archive(data)
    noted = _noted(store, data, tmp_path)
    for _ in range(2):
        assert pull_again(archive, *noted, store, 0.01, SECRET, tmp_path) == frozenset()
    assert (archive.pulls, read_second_pulls(store)["s"].agrees) == (1, True)
    assert not (tmp_path / "second-pull").exists(), "identified bytes are gone"


def test_a_second_pull_that_differs_names_its_study_and_an_archive_that_is_silent_names_none(tmp_path):
    data = Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()
    store = open_store(str(tmp_path / "store"))
    noted = _noted(store, data, tmp_path)
    assert pull_again(_Archive(b""), *noted, store, 0.01, SECRET, tmp_path) == frozenset()
    assert pull_again(_Archive(data[:-2] + b"zz"), *noted, store, 0.01, SECRET, tmp_path) == {"s"}
    assert pull_again(_Archive(data), *noted, store, 0.0, SECRET, tmp_path) == frozenset(), "switched off by the policy"


def test_the_digest_of_a_source_is_keyed_and_does_not_see_the_transfers_own_header(tmp_path):
    path = tmp_path / "a"
    dataset = dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    digests = set()
    for title in ("ONE", "ANOTHER"):
        dataset.file_meta.SourceApplicationEntityTitle = title
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        path.write_bytes(buffer.getvalue())
        digests.add(source_digest([PulledFile(path, "a", 1)], SECRET))
    assert len(digests) == 1
    assert source_digest([PulledFile(path, "a", 1)], Secret(bytes(32))) not in digests
    path.write_bytes(b"")
    assert source_digest([PulledFile(path, "a", 0)], SECRET) not in digests


def test_at_least_one_study_is_chosen_and_nobody_foretells_which():
    keys = [f"s{n}" for n in range(200)]
    ours, theirs = (chosen_for_second_pull(keys, 0.01, s) for s in (SECRET, Secret(bytes(32))))
    assert (len(ours), len(theirs)) == (2, 2)
    assert ours != theirs
    assert len(chosen_for_second_pull(keys[:5], 0.01, SECRET)) == 1
    assert chosen_for_second_pull([], 0.5, SECRET) == []


def test_second_pulls_of_studies_that_left_the_candidate_hold_nothing(tmp_path):
    store = open_store(str(tmp_path))
    rows = clean_candidate(2, 1)
    keep_second_pulls(store, {rows[0]["study_key"]: SecondPull(rows[0]["study_key"], "f", False, 1, 1)})
    found = cross_check(store, table(rows), FINDINGS.empty_table(), [])
    measured = {
        r["gate"]: r for r in measure_crosscheck(found, table(rows[1:]), load_policy().gates).to_pylist() if r["gate"] in ("I1", "I2")
    }
    assert {g: (r["value"], r["n"]) for g, r in measured.items()} == {"I1": (0.0, 1), "I2": (0.0, 1)}
