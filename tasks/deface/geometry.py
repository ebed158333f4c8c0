"""Where every frame of a series lies in patient space, and which frames make a stack together.

Reads headers only; decoding pixels belongs to `volume`. Nothing is decided about faces here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import DeflatedExplicitVRLittleEndian

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Matrix = NDArray[np.float64]

PROJECTED = frozenset({"PROJECTION IMAGE", "MAX_IP", "MIN_IP", "MINIP", "VOLREN", "VRT", "SSD"})
MOST_SIDES = 3  # a three-plane localizer; planes turned about an axis are a rotating projection

_HEADER = (
    "SOPClassUID",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "RescaleSlope",
    "RescaleIntercept",
    "ImageType",
    "EchoNumbers",
    "EchoTime",
    "AcquisitionNumber",
    "InstanceNumber",
    "FrameOfReferenceUID",
    "PixelPaddingValue",
    "GridFrameOffsetVector",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "DetectorInformationSequence",
    "FrameIncrementPointer",
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One plane of pixels: `to_patient` (4x4) maps (column, row, 0, 1) to millimetres in the patient's LPS axes."""

    path: Path = field(repr=False)
    number: int  # 0-based in its object
    shape: tuple[int, int]  # rows, columns
    to_patient: Matrix = field(repr=False)
    slope: float = 1.0
    intercept: float = 0.0

    @property
    def normal(self) -> Matrix:
        """The unit vector across the plane."""
        normal = np.cross(self.to_patient[:3, 0], self.to_patient[:3, 1])
        return np.asarray(normal / np.linalg.norm(normal), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Stack:
    """Parallel frames of one grid at different places, in order along their normal. Gaps may be uneven."""

    frames: tuple[Frame, ...]
    positions: Matrix = field(repr=False)  # millimetres along the normal, ascending

    @property
    def span_mm(self) -> float:
        """Distance from the first to the last plane."""
        return float(self.positions[-1] - self.positions[0]) if len(self.positions) else 0.0

    @property
    def largest_gap_mm(self) -> float:
        """The widest distance between neighbouring planes."""
        return float(np.diff(self.positions).max()) if len(self.positions) > 1 else 0.0


@dataclass(frozen=True, slots=True)
class SeriesGeometry:
    """The stacks of one series, and the frames that lie nowhere in patient space."""

    stacks: tuple[Stack, ...]
    unplaced: tuple[Path, ...] = field(repr=False)  # files with at least one frame without a usable position
    frame_of_reference_uid: str = field(repr=False, default="")
    image_types: frozenset[str] = frozenset()

    @property
    def is_projected(self) -> bool:
        """Whether its frames are projections, not planes: said by Image Type (PS3.3 C.7.6.1.1.2), or seen from many sides.

        A header is believed here because believing it can only hold an object.
        """
        sides = {tuple(np.round(stack.frames[0].normal, 2)) for stack in self.stacks}
        return len(sides) > MOST_SIDES or any(value in PROJECTED or value.startswith("MIP") for value in self.image_types)


def read_geometry(paths: Sequence[Path]) -> SeriesGeometry:
    """Read the planes of a series (identified headers) and group them into stacks. Raises on files that cannot be read."""
    from pydicom import dcmread

    frames: list[Frame] = []
    unplaced: list[Path] = []
    types: set[str] = set()
    frame_of_reference = ""
    for path in paths:
        header = dcmread(path, stop_before_pixels=True, force=True, specific_tags=list(_HEADER))
        frame_of_reference = frame_of_reference or str(header.get("FrameOfReferenceUID") or "")
        types.update(str(value).strip().upper() for value in _values(header.get("ImageType")))
        try:
            placed = _frames(path, header)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            placed = []
        if not placed or "MOSAIC" in _values(header.get("ImageType")):
            unplaced.append(path)  # a mosaic's header describes one plane, its pixels many
        else:
            frames += placed
    return SeriesGeometry(tuple(_stacks(frames)), tuple(unplaced), frame_of_reference, frozenset(types))


def has_pixels(path: Path) -> bool:
    """Return whether the object holds pixel data of any kind (PS3.5 8); true where that cannot be told. Raises on unreadable files."""
    from pydicom import dcmread

    with path.open("rb") as file:
        header = dcmread(file, stop_before_pixels=True, force=True, specific_tags=["SOPClassUID"])
        meta = getattr(header, "file_meta", None)
        # a deflated file is read whole before it is parsed, so that its end says nothing
        return bool(file.read(1)) or (meta is not None and meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian)


def _values(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return [value] if isinstance(value, (str, bytes, int, float)) else list(value)


def _plane(position: Any, orientation: Any, spacing: Any) -> Matrix:
    origin = np.array([float(v) for v in position], dtype=np.float64)
    row, column = np.array([float(v) for v in orientation], dtype=np.float64).reshape(2, 3)
    between_rows, between_columns = (float(v) for v in spacing)
    to_patient = np.eye(4)
    to_patient[:3, 0] = row * between_columns  # along a row, from column to column
    to_patient[:3, 1] = column * between_rows
    to_patient[:3, 2] = np.cross(row, column)
    to_patient[:3, 3] = origin
    if origin.shape != (3,) or not np.isfinite(to_patient).all() or abs(np.linalg.det(to_patient)) < 1e-6:
        raise ValueError("no plane")
    return to_patient


def _frames(path: Path, header: Dataset) -> list[Frame]:
    shape = (int(header.Rows), int(header.Columns))
    count = int(header.get("NumberOfFrames") or 1)
    rescale = float(header.get("RescaleSlope") or 1), float(header.get("RescaleIntercept") or 0)
    if "PerFrameFunctionalGroupsSequence" in header:
        return _functional_frames(path, header, shape, rescale)
    if "ImagePositionPatient" in header and count == 1:
        plane = _plane(header.ImagePositionPatient, header.ImageOrientationPatient, header.PixelSpacing)
        return [Frame(path, 0, shape, plane, *rescale)]
    if "GridFrameOffsetVector" in header:  # RT Dose, PS3.3 C.8.8.3.2
        plane = _plane(header.ImagePositionPatient, header.ImageOrientationPatient, header.PixelSpacing)
        offsets = [float(v) for v in _values(header.GridFrameOffsetVector)]
        start = offsets[0] if offsets[0] != 0 else 0.0
        return [Frame(path, n, shape, _moved(plane, offset - start), *rescale) for n, offset in enumerate(offsets[:count])]
    if "DetectorInformationSequence" in header and count > 1:  # NM reconstructed tomography
        detector = header.DetectorInformationSequence[0]
        plane = _plane(detector.ImagePositionPatient, detector.ImageOrientationPatient, header.PixelSpacing)
        step = float(header.SpacingBetweenSlices)
        return [Frame(path, n, shape, _moved(plane, n * step), *rescale) for n in range(count)]
    return []


def _functional_frames(path: Path, header: Dataset, shape: tuple[int, int], rescale: tuple[float, float]) -> list[Frame]:
    shared = header.get("SharedFunctionalGroupsSequence") or [{}]
    frames = []
    for number, group in enumerate(header.PerFrameFunctionalGroupsSequence):

        def macro(name: str, group: Any = group) -> Any:
            found = group.get(name) or shared[0].get(name)
            return found[0] if found else None

        values = macro("PixelValueTransformationSequence")
        if values is not None:
            rescale = float(values.get("RescaleSlope") or 1), float(values.get("RescaleIntercept") or 0)
        plane = _plane(
            macro("PlanePositionSequence").ImagePositionPatient,
            macro("PlaneOrientationSequence").ImageOrientationPatient,
            macro("PixelMeasuresSequence").PixelSpacing,
        )
        frames.append(Frame(path, number, shape, plane, *rescale))
    return frames


def _moved(plane: Matrix, distance: float) -> Matrix:
    moved = plane.copy()
    moved[:3, 3] += plane[:3, 2] * distance
    return moved


def _stacks(frames: Sequence[Frame]) -> list[Stack]:
    """Group by grid and orientation; frames at a place that is already taken (echoes, time points) begin another stack."""
    grids: dict[tuple[Any, ...], list[Frame]] = {}
    for frame in frames:
        key = (frame.shape, *np.round(frame.to_patient[:3, :2].ravel(), 2))
        grids.setdefault(key, []).append(frame)
    stacks = []
    for group in grids.values():
        normal = group[0].normal
        placed = sorted(((float(normal @ f.to_patient[:3, 3]), n, f) for n, f in enumerate(group)), key=lambda item: (item[0], item[1]))
        layers: list[list[tuple[float, Frame]]] = []
        for position, _, frame in placed:
            for layer in layers:
                if position - layer[-1][0] > 0.01:
                    layer.append((position, frame))
                    break
            else:
                layers.append([(position, frame)])
        for layer in layers:
            stacks.append(Stack(tuple(f for _, f in layer), np.array([p for p, _ in layer])))
    return stacks
