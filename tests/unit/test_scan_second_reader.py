"""Two readers must see the same elements with the same values, at every depth and in every encoding, or the object is held."""

from __future__ import annotations

import warnings
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tasks.prove.specimens import Specimen, make_specimens
from tasks.scan import second_reader
from tasks.scan.second_reader import readers_disagree
from tasks.scan.walk import read_walk, walk
from tasks.secret import Secret
from tests.unit.scan_objects import POLICY, changed, findings_of, is_held

NESTED = 0x00400275


@pytest.fixture(scope="module")
def specimen(tmp_path_factory: pytest.TempPathFactory) -> Specimen:
    return next(make_specimens(1, tmp_path_factory.mktemp("readers"), POLICY, Secret(bytes(range(32)))))


def nest(dataset: Dataset) -> None:
    inner = Dataset()
    inner.ScheduledProcedureStepDescription = "chest"
    inner.ReferencedSeriesSequence = Sequence([])
    dataset[NESTED] = pydicom.DataElement(NESTED, "SQ", Sequence([inner, Dataset()]))


def encoded(source: Path, syntax: str, folder: Path) -> Path:
    dataset = pydicom.dcmread(source)
    nest(dataset)
    dataset.file_meta.TransferSyntaxUID = syntax
    path = folder / "encoded.dcm"
    little = syntax != ExplicitVRBigEndian
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pydicom.dcmwrite(path, dataset, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=little, enforce_file_format=True)
    return path


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian], ids=lambda u: u.name
)
def test_the_readers_agree_in_every_encoding(specimen: Specimen, tmp_path: Path, syntax: str) -> None:
    path = encoded(specimen.written, syntax, tmp_path)
    assert readers_disagree(path, read_walk(path)) == ""


@pytest.mark.parametrize(
    ("tag", "place"), [(0x00081030, "(0008,1030)"), (0x00400007, "(0040,0275)[0].(0040,0007)")], ids=["at the top", "in an item"]
)
def test_a_value_that_only_one_reader_sees_is_named_by_its_place(specimen: Specimen, tmp_path: Path, tag: int, place: str) -> None:
    path = encoded(specimen.written, ExplicitVRLittleEndian, tmp_path)
    other = pydicom.dcmread(path)
    holder = other if tag in other else other[NESTED].value[0]
    holder[tag].value = "y" * len(holder[tag].value)
    other.save_as(tmp_path / "other.dcm")
    assert readers_disagree(path, walk((tmp_path / "other.dcm").read_bytes())) == place


def test_an_object_that_its_readers_read_differently_is_held(specimen: Specimen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = changed(specimen, nest, tmp_path)
    assert not is_held(findings_of(specimen, path))
    monkeypatch.setattr(second_reader, "readers_disagree", lambda _path, _walk: "(0040,0275)")
    assert is_held(findings_of(specimen, path))


def test_a_private_sequence_hidden_from_one_reader_is_seen() -> None:
    path = Path(str(get_testdata_file("nested_priv_SQ.dcm")))
    assert readers_disagree(path, read_walk(path)) == "(0001,0001)"


def test_of_a_large_file_the_second_reader_loads_only_what_stands_before_the_pixels(
    specimen: Specimen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_reader, "_WHOLE_UP_TO_BYTES", 0)
    path = changed(specimen, nest, tmp_path)
    assert readers_disagree(path, read_walk(path)) == ""
    other = pydicom.dcmread(path)
    other.StudyDescription = "something else"
    other.save_as(tmp_path / "other.dcm")
    assert readers_disagree(path, read_walk(tmp_path / "other.dcm")) == "(0008,1030)"
