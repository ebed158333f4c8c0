"""Heads as archives really hold them: other orientations, gantry tilt, gaps, enhanced objects, time points, echoes, projections.

Each maker writes the series of one study into a folder. What each has to become is stated in `SHAPES`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedMRImageStorage, SecondaryCaptureImageStorage, SegmentationStorage
from scipy import ndimage

from tasks.intake import SeriesFiles
from tests.phantoms import bodies, limbs
from tests.phantoms.heads import head, turned
from tests.phantoms.series import source_file, write_series

STEP = (4.0, 2.5, 2.5)
Study = list[SeriesFiles]
ROTATED = {"sagittal": (2, 0, 1), "coronal": (1, 0, 2)}  # the axes of [slice, row, column] that become slice, row, column


def resampled(values: np.ndarray, to_patient: np.ndarray, target: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """The same body on another grid; `target` maps (column, row, slice) to patient axes."""
    index = np.linalg.inv(to_patient) @ target
    return ndimage.affine_transform(
        values, index[:3, :3][::-1, ::-1], index[:3, 3][::-1], output_shape=shape, order=1, mode="constant", cval=float(values.min())
    )


def _one(folder: Path, modality: str, **parameters: object) -> Study:
    return [write_series(folder, *head(modality, STEP, **parameters), modality)]  # type: ignore[arg-type]


def _rotated(folder: Path, plane: str) -> Study:
    values, to_patient = head("MR", (2.5, 2.5, 4.0) if plane == "sagittal" else (2.5, 4.0, 2.5))
    order = ROTATED[plane]
    swapped = np.transpose(values, order)[:, ::-1]  # rows run from the vertex down
    columns = {0: to_patient[:3, 2], 1: to_patient[:3, 1], 2: to_patient[:3, 0]}
    matrix = to_patient.copy()
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = columns[order[2]], -columns[order[1]], columns[order[0]]
    matrix[:3, 3] = to_patient[:3, 3] + columns[order[1]] * (swapped.shape[1] - 1)
    return [write_series(folder, swapped, matrix, "MR")]


def _oblique(folder: Path) -> Study:
    values, to_patient = head("MR", STEP)
    turn = turned("x", 18) @ turned("y", 9)
    matrix = turn @ np.diag([2.5, 2.5, 4.0, 1.0])
    matrix[:3, 3] = turn[:3, :3] @ np.array([-115, -150, -140]) + np.array([0, -8, -15])
    return [write_series(folder, resampled(values, to_patient, matrix, (72, 120, 92)), matrix, "MR")]


def _tilted(folder: Path, degrees: float = 18.0) -> Study:
    values, to_patient = head("CT", STEP)
    matrix = np.diag([2.5, 2.5 * np.cos(np.radians(degrees)), 4.0, 1.0])
    matrix[:3, 1] = [0, 2.5 * np.cos(np.radians(degrees)), 2.5 * np.sin(np.radians(degrees))]
    matrix[:3, 2] = [0, 0, 4.0]  # the couch moves along the body, the planes lean
    matrix[:3, 3] = [-105, -140, -180]
    return [write_series(folder, resampled(values, to_patient, matrix, (74, 112, 84)), matrix, "CT")]


def _uneven(folder: Path) -> Study:
    values, to_patient = head("MR", STEP)
    return [write_series(folder, values, to_patient, "MR", drop=tuple(range(3, len(values), 4)))]


def _wrapped(folder: Path) -> Study:
    values, to_patient = head("MR", STEP)
    return [write_series(folder, np.roll(values, -14, axis=1), to_patient, "MR")]  # the nose comes in behind the head


def _half(folder: Path) -> Study:
    values, to_patient = head("MR", STEP)
    return [write_series(folder, values[:, :, : values.shape[2] // 2 + 4], to_patient, "MR")]


def _gap(folder: Path) -> Study:
    values, to_patient = head("MR", STEP)
    return [write_series(folder, values, to_patient, "MR", drop=tuple(range(20, 28)))]


def _pet_and_ct(folder: Path) -> Study:
    values, to_patient = head("CT", STEP)
    uptake = np.interp(values, [-1000, -200, -60, 20, 34, 60, 900], [5, 10, 120, 420, 2200, 500, 160])
    uptake = ndimage.gaussian_filter(uptake, (0.7, 1.2, 1.2)) + np.random.default_rng(3).normal(0, 12, values.shape)
    return [
        write_series(folder, values, to_patient, "CT", name="ct"),
        write_series(folder, uptake, to_patient, "PT", name="pt"),
    ]


def _pet(folder: Path) -> Study:
    return _pet_and_ct(folder)[1:]


def _echoes(folder: Path) -> Study:
    values, to_patient = head("MR", STEP)
    late = np.where(values > 250, 0.35, 0.8) * values
    return [write_series(folder, values, to_patient, "MR", name="e1"), write_series(folder, late, to_patient, "MR", name="e2")]


def _time_points(folder: Path) -> Study:
    values, to_patient = head("MR", STEP)
    parts = [write_series(folder, values * (1 + 0.05 * n), to_patient, "MR", name=f"t{n}") for n in range(3)]
    files = [file for part in parts for file in part.files]
    for file in files:
        _changed(file.file.path, SeriesInstanceUID=parts[0].series_instance_uid)
    return [SeriesFiles(parts[0].series_instance_uid, "MR", tuple(source_file(f.file.path, dcmread(f.file.path)) for f in files))]


def _changed(path: Path, **attributes: object) -> Dataset:
    dataset = dcmread(path)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return dataset


def _enhanced(folder: Path) -> Study:
    """One enhanced MR object with all planes of a head (PS3.3 A.36.2), positions in its functional groups."""
    plain = write_series(folder / "plain", *head("MR", STEP), "MR")
    planes = [dcmread(f.file.path) for f in plain.files]
    ds = dcmread(plain.files[0].file.path)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    ds.NumberOfFrames, ds.PixelData = len(planes), b"".join(p.PixelData for p in planes)
    ds.SharedFunctionalGroupsSequence = Sequence([_group(planes[0], shared=True)])
    ds.PerFrameFunctionalGroupsSequence = Sequence([_group(p, shared=False) for p in planes])
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept"):
        delattr(ds, keyword)
    path = folder / "enhanced.dcm"
    ds.save_as(path)
    return [SeriesFiles(str(ds.SeriesInstanceUID), "MR", (source_file(path, ds),))]


def _group(plane: Dataset, *, shared: bool) -> Dataset:
    group = Dataset()
    if shared:
        measures, orientation = Dataset(), Dataset()
        measures.PixelSpacing, measures.SliceThickness = plane.PixelSpacing, plane.SliceThickness
        orientation.ImageOrientationPatient = plane.ImageOrientationPatient
        group.PixelMeasuresSequence, group.PlaneOrientationSequence = Sequence([measures]), Sequence([orientation])
        return group
    position = Dataset()
    position.ImagePositionPatient = plane.ImagePositionPatient
    group.PlanePositionSequence = Sequence([position])
    return group


def _localizer(folder: Path) -> Study:
    """A head and the three planes through its middle that planned it."""
    (volume,) = _one(folder / "volume", "MR")
    planes = []
    for n, (name, place) in enumerate((("axial", 30), ("sagittal", 26), ("coronal", 30))):
        part = _one(folder / name, "MR")[0] if name == "axial" else _rotated(folder / name, name)[0]
        path = part.files[min(place, len(part.files) - 1)].file.path
        planes.append(source_file(path, _changed(path, SeriesInstanceUID="1.2.3.77", SOPInstanceUID=f"1.2.3.77.{n}")))
    return [volume, SeriesFiles("1.2.3.77", "MR", tuple(planes))]


def _projections(folder: Path) -> Study:
    """A head and its maximum projections turned about the long axis."""
    values, to_patient = head("MR", STEP)
    volume = write_series(folder, values, to_patient, "MR", name="volume")
    files = []
    for n in range(9):
        turn = ndimage.rotate(values, 20 * n, axes=(1, 2), reshape=False, order=1)
        matrix = turned("z", 20.0 * n) @ np.array([[2.5, 0, 0, -105], [0, 0, 1, 0], [0, -4.0, 0, 100], [0, 0, 0, 1.0]])
        one = write_series(folder, turn.max(axis=1)[None, ::-1], matrix, "MR", name=f"mip{n}")
        path = one.files[0].file.path
        ds = _changed(path, SeriesInstanceUID="1.2.3.78", ImageType=["DERIVED", "PRIMARY", "PROJECTION IMAGE"])
        files.append(source_file(path, ds))
    return [volume, SeriesFiles("1.2.3.78", "MR", tuple(files))]


def _skin_segment(folder: Path) -> Study:
    """A head and a segmentation of all of it, whose outline is the face."""
    values, to_patient = head("MR", STEP)
    volume = write_series(folder, values, to_patient, "MR", name="volume")
    (one,) = _enhanced(folder / "seg")
    path = one.files[0].file.path
    inside = np.stack([ndimage.binary_fill_holes(level) for level in values > 60])
    ds = _changed(
        path, SOPClassUID=SegmentationStorage, Modality="SEG", BitsAllocated=8, BitsStored=8, HighBit=7, SegmentationType="FRACTIONAL",
        PixelData=(inside * 255).astype(np.uint8).tobytes(), SeriesInstanceUID="1.2.3.79",
    )  # fmt: skip
    return [volume, SeriesFiles("1.2.3.79", "SEG", (source_file(path, ds),))]


def _capture(folder: Path) -> Study:
    """A head and a capture of its rendering, as a workstation saves it."""
    (volume,) = _one(folder, "MR")
    path = folder / "capture.dcm"
    ds = dcmread(volume.files[0].file.path)
    ds.SOPClassUID, ds.SOPInstanceUID, ds.SeriesInstanceUID = SecondaryCaptureImageStorage, "1.2.3.80.1", "1.2.3.80"
    ds.save_as(path)
    return [volume, SeriesFiles("1.2.3.80", "MR", (source_file(path, ds),))]


def _body(make: Callable[..., tuple[np.ndarray, np.ndarray]], modality: str) -> Callable[[Path], Study]:
    return lambda folder: [write_series(folder, *make(modality), modality)]


DEFACED, UNTOUCHED, HELD = "defaced", "no face", "held"
SHAPES: dict[str, tuple[Callable[[Path], Study], tuple[set[str], ...]]] = {
    "MR axial": (lambda f: _one(f, "MR"), ({DEFACED},)),
    "CT axial": (lambda f: _one(f, "CT"), ({DEFACED},)),
    "MR sagittal": (lambda f: _rotated(f, "sagittal"), ({DEFACED},)),
    "MR coronal": (lambda f: _rotated(f, "coronal"), ({DEFACED},)),
    "MR oblique": (_oblique, ({DEFACED},)),
    "CT gantry tilt": (_tilted, ({DEFACED},)),
    "uneven gaps": (_uneven, ({DEFACED},)),
    "enhanced MR": (_enhanced, ({DEFACED},)),
    "three time points": (_time_points, ({DEFACED},)),
    "two echoes": (_echoes, ({DEFACED}, {DEFACED})),
    "PET beside CT": (_pet_and_ct, ({DEFACED}, {DEFACED})),
    "PET alone": (_pet, ({DEFACED, HELD},)),
    "CT craniotomy": (lambda f: _one(f, "CT", craniotomy=True), ({DEFACED},)),
    "CT mask mesh and couch": (lambda f: _one(f, "CT", mask_mesh=True, couch=True), ({DEFACED, HELD},)),
    "MR thick slices": (lambda f: [write_series(f, *head("MR", (7.0, 2.5, 2.5)), "MR")], ({DEFACED},)),
    "MR child": (lambda f: _one(f, "MR", scale=0.8), ({DEFACED},)),
    "MR decubitus": (lambda f: _one(f, "MR", pose=turned("z", 90), y_range=(-110, 110), half_width=140), ({DEFACED},)),
    "MR prone": (lambda f: _one(f, "MR", pose=turned("z", 180), y_range=(-125, 140)), ({DEFACED},)),
    "CT no vault": (lambda f: _one(f, "CT", z_range=(-130, -30)), ({DEFACED, HELD},)),
    "MR half a head": (_half, ({DEFACED, HELD},)),
    "MR wrap-around nose": (_wrapped, ({HELD},)),
    "MR missing slices": (_gap, ({HELD},)),
    "localizer beside a head": (_localizer, ({DEFACED}, {DEFACED, "defaced/no face", HELD})),
    "projections beside a head": (_projections, ({DEFACED}, {HELD})),
    "segment of the skin": (_skin_segment, ({DEFACED}, {DEFACED, HELD})),
    "capture beside a head": (_capture, ({DEFACED}, {HELD})),
    "chest CT": (_body(bodies.chest, "CT"), ({UNTOUCHED},)),
    "chest PET": (lambda f: [write_series(f, *bodies.chest("MR"), "PT")], ({UNTOUCHED},)),
    "heart CT": (_body(bodies.cardiac, "CT"), ({UNTOUCHED},)),
    "ball MR": (_body(bodies.ball, "MR"), ({UNTOUCHED},)),
    "bottle MR": (_body(bodies.bottle, "MR"), ({UNTOUCHED},)),
    "quality phantom CT": (_body(limbs.quality_phantom, "CT"), ({UNTOUCHED},)),
    "knee MR": (_body(limbs.knee, "MR"), ({UNTOUCHED},)),
    "foot CT": (_body(limbs.foot, "CT"), ({UNTOUCHED},)),
    "hand MR": (_body(limbs.hand, "MR"), ({UNTOUCHED},)),
    "neck MR": (_body(limbs.cervical, "MR"), ({UNTOUCHED, HELD},)),
}
