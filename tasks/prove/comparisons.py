"""Defects that only a comparison of studies shows: copies, one body twice, damage on the way, edited scans, sisters (I, P, X).

Each trial makes a few small clean studies, plants one defect (or none), and asks the unchanged measure.
"""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.model import PulledFile, Receipt, Status, StudyRef
from tasks.policy.gates import GatePolicy
from tasks.prove.tables import as_table, candidate, is_out_of_bounds
from tasks.secret import Secret


def copied_pixels(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """The pixels of one patient's object under another patient."""
    from tasks.consistency.copies import LEDGER, measure_copies

    rows = [{"PatientID": f"P{n // 3}", "SOPInstanceUID": f"1.{n}", "pixel_digest": f"{chance.getrandbits(128):032x}"} for n in range(60)]
    first = chance.randrange(60)
    if defect:
        other = chance.choice([n for n in range(60) if n // 3 != first // 3])
        rows[other]["pixel_digest"] = rows[first]["pixel_digest"]
    else:
        rows[first // 3 * 3]["pixel_digest"] = rows[first // 3 * 3 + 1]["pixel_digest"]  # twice under one patient: no copy
    return is_out_of_bounds(measure_copies(pa.Table.from_pylist(rows, schema=LEDGER)), "I4")


def two_pseudonyms(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """The same body under a second pseudonym: moved, rescaled, and with new noise."""
    from tasks.consistency.likeness import measure_likeness, small_picture

    seed = np.random.default_rng(chance.getrandbits(64))
    bodies = [_body(seed) for _ in range(20)]
    patients = [f"P{n}" for n in range(20)]
    if defect:
        again = np.roll(bodies[chance.randrange(20)], (chance.randint(-1, 1), chance.randint(-1, 1)), axis=(0, 1))
        bodies.append(again * chance.uniform(0.9, 1.1) + seed.normal(0, 20, again.shape) + chance.randint(-50, 50))
        patients.append("P99")
    return is_out_of_bounds(measure_likeness(np.stack([small_picture(b) for b in bodies]), patients), "P1")


def _body(seed: np.random.Generator) -> np.ndarray[Any, Any]:
    """Return a slice with organs of its own in a body like everybody's."""
    rows, columns = np.mgrid[:96, :96] - 47.5
    image = np.where((rows / 38) ** 2 + (columns / 44) ** 2 < 1, 1000.0, 0.0)
    for _ in range(9):
        y, x = seed.uniform(-26, 26, 2)
        a, b = seed.uniform(4, 13, 2)
        image += seed.uniform(-500, 500) * (((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1)
    return np.asarray(image + seed.normal(0, 20, image.shape))


@dataclass(frozen=True, slots=True)
class _OneStudy:
    """An archive that sends the same made study each time, unless it is damaged."""

    files: dict[str, bytes]

    def find_studies(self, _cohort: Any) -> Any:
        raise NotImplementedError

    def pull_study(self, _ref: StudyRef, into: Path) -> list[PulledFile]:
        pulled = []
        for name, data in self.files.items():
            (into / name).write_bytes(data)
            pulled.append(PulledFile(into / name, name, len(data)))
        return pulled


def damaged_on_the_way(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """One byte of a pulled study that the archive does not have."""
    files = _made_files(chance)
    again = dict(files)
    if defect:
        name = chance.choice(sorted(files))
        at = chance.randrange(200, len(files[name]))
        again[name] = files[name][:at] + bytes([files[name][at] ^ (1 << chance.randrange(8))]) + files[name][at + 1 :]
    return "I1" in _second_pull(files, again)


def incomplete_series(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A study of which one object did not come, or came twice as another."""
    files = _made_files(chance)
    again = dict(files)
    if defect:
        del files[chance.choice(sorted(files))]
    return "I2" in _second_pull(files, again)


def _made_files(chance: random.Random) -> dict[str, bytes]:
    """Return three tiny objects of two series, in the form that the walk reads."""
    files = {}
    for number in range(3):
        uid = f"1.2.3.{number // 2}".encode()
        series = b"\x20\x00\x0e\x00UI" + len(uid + b"\0").to_bytes(2, "little") + uid + b"\0"
        text = chance.randbytes(120).hex().encode()
        words = b"\x20\x00\x00\x40LT" + len(text).to_bytes(2, "little") + text
        files[f"{number}"] = b"\0" * 128 + b"DICM" + series + words
    return files


def _second_pull(first: dict[str, bytes], second: dict[str, bytes]) -> set[str]:
    """Pull a study, note it, pull it again, and return the gates that hold it."""
    from tasks.consistency.evidence import StudyEvidence
    from tasks.consistency.sources import pull_again, read_second_pulls
    from tasks.private import evidence_key, put_table
    from tasks.publish.store import open_store

    secret = Secret(bytes(32))
    ref = StudyRef("s1", "f", len(first), "1.2.3")
    with tempfile.TemporaryDirectory(prefix="prove-") as name:
        folder = Path(name)
        store = open_store(str(folder / "private"))
        (folder / "first").mkdir()
        put_table(store, evidence_key("s1"), StudyEvidence("s1", _OneStudy(first).pull_study(ref, folder / "first"), secret).table())
        receipt = Receipt("s1", "f", "w", Status.RELEASED, None, len(first), (("released", "", len(first)),))
        pull_again(_OneStudy(second), [ref], [receipt], store, 1.0, secret, folder)
        pull = read_second_pulls(store)["s1"]
    return {gate for gate, differs in (("I1", not pull.same_bytes), ("I2", pull.series_that_differ > 0)) if differs}


def uncalled_for(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """Objects of another study than was asked for, among those that came."""
    from tasks.consistency.crosscheck import measure_pull

    return is_out_of_bounds(measure_pull(chance.randint(1, 9) if defect else 0, 1000, policy), "I7")


def inserted_slice(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A slice of another scan, with that scan's noise, inserted into a series."""
    seed = np.random.default_rng(chance.getrandbits(64))
    slices = [_ct(seed, 12.0 * (1 + 0.03 * number)) for number in range(12)]
    if defect:
        slices[chance.randrange(12)] = _ct(seed, 12.0 * chance.choice((0.35, 0.5, 2.0, 3.0)))
    return _implausible(slices)


def edited_region(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A lesion painted into, or smoothed out of, some slices: a small region without the scanner's noise."""
    seed = np.random.default_rng(chance.getrandbits(64))
    slices = [_ct(seed, 12.0) for _ in range(12)]
    if defect:
        at, size = chance.randint(30, 60), chance.randint(8, 24)
        first = chance.randrange(10)
        for number in range(first, first + 3):
            slices[number][at : at + size, at : at + size] = 60 + chance.randint(0, 40)
    return _implausible(slices)


def wrong_scale(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A CT whose rescale intercept is not the scanner's, so that air is no air."""
    seed = np.random.default_rng(chance.getrandbits(64))
    return _implausible([_ct(seed, 12.0) for _ in range(8)], intercept=chance.choice((-2048.0, -100.0, -512.0)) if defect else -1024.0)


def _ct(seed: np.random.Generator, noise: float) -> np.ndarray[Any, Any]:
    """Return a body in air as stored values (intercept -1024)."""
    rows, columns = np.mgrid[:96, :96] - 47.5
    image = np.where((rows / 30) ** 2 + (columns / 40) ** 2 < 1, 40.0, -1000.0) + seed.normal(0, noise, (96, 96))
    return np.asarray(np.clip(image + 1024, 0, 4095).astype(np.uint16))


def _implausible(slices: list[np.ndarray[Any, Any]], intercept: float = -1024.0) -> bool:
    from tasks.consistency.evidence import OBJECTS
    from tasks.consistency.frames import Frame
    from tasks.consistency.plausible import flaw_of, measure_plausibility, noise_level

    row = {"pixel_spacing_row_mm": 4.0, "Modality": "CT", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]}
    objects = [
        {
            **dict.fromkeys((f.name for f in OBJECTS), None),
            "SeriesInstanceUID": "1.2",
            "InstanceNumber": number,
            "scanner": "",
            "noise": noise_level(stored),
            "flaw": flaw_of(Frame(stored, 12, True, 1.0, intercept), row),
        }
        for number, stored in enumerate(slices)
    ]
    return is_out_of_bounds(measure_plausibility(pa.Table.from_pylist(objects, schema=pa.schema(list(OBJECTS)))), "I5")


def undefaced_sister(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A second series of a defaced head that nobody treated, or in which nobody saw the face that it covers."""
    from tasks.consistency.sisters import measure_sisters

    rows: list[dict[str, Any]] = []
    wrong = chance.choice(("not applicable", "no face", "not assessable")) if defect else "defaced"
    for number, row in enumerate(candidate(chance, [12])):
        for series in range(2):
            verdict = wrong if series and number == 5 else "defaced"
            for index in range(4):
                place = {"ImageOrientationPatient": [1.0, 0, 0, 0, 1, 0], "ImagePositionPatient": [-120.0, -120, 40.0 * index]}
                rows.append(
                    row
                    | place
                    | {
                        "SeriesInstanceUID": f"{row['SeriesInstanceUID']}.{series}",
                        "SOPInstanceUID": f"{row['SOPInstanceUID']}.{series}.{index}",
                        "FrameOfReferenceUID": f"{row['StudyInstanceUID']}.9",
                        "pixel_data_length": 100,
                        "Rows": 240,
                        "Columns": 240,
                        "pixel_spacing_row_mm": 1.0,
                        "pixel_spacing_col_mm": 1.0,
                        "face_verdict": verdict,
                    }
                )
    return is_out_of_bounds(measure_sisters(as_table(rows)), "X2")
