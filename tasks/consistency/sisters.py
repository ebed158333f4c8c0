"""Was every sister of a defaced series treated (X2)? Series in one frame of reference show the same head.

Looking for faces is `tasks/deface`; here only what was said of each series is compared.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tasks.risk.measures import Measure, as_risk_table

TREATED = ("defaced", "already defaced", "no face")
_PLACED = (
    "PatientID", "FrameOfReferenceUID", "SeriesInstanceUID", "face_verdict", "ImagePositionPatient", "ImageOrientationPatient",
    "Rows", "Columns", "pixel_spacing_row_mm", "pixel_spacing_col_mm",
)  # fmt: skip
_COVERED = 0.8


def untreated_sisters(instances: pa.Table) -> frozenset[str]:
    """Return the series that share patient and frame of reference with a defaced one, have pixels, and were not looked at for a face."""
    placed = instances.filter(pc.and_(pc.is_valid(instances["FrameOfReferenceUID"]), pc.not_equal(instances["FrameOfReferenceUID"], "")))
    heads = placed.filter(pc.fill_null(pc.is_in(placed["face_verdict"], value_set=pa.array(["defaced", "already defaced"])), False))
    frames = set(zip(heads["PatientID"].to_pylist(), heads["FrameOfReferenceUID"].to_pylist(), strict=True))
    columns = (
        placed[c].to_pylist() for c in ("PatientID", "FrameOfReferenceUID", "SeriesInstanceUID", "face_verdict", "pixel_data_length")
    )
    return frozenset(
        series
        for patient, frame, series, verdict, pixels in zip(*columns, strict=True)
        if (patient, frame) in frames and pixels and verdict not in TREATED
    )


def sisters_without_a_face(instances: pa.Table) -> frozenset[str]:
    """Return the series that cover what a defaced one of the same frame covers, and in which no face was seen all the same."""
    boxes: dict[tuple[str, str, str], list[list[float]]] = {}
    verdicts: dict[tuple[str, str, str], set[str]] = {}
    for row in instances.select(list(_PLACED)).to_pylist():
        corners = _corners(row)
        if corners and row["FrameOfReferenceUID"]:
            key = (row["PatientID"], row["FrameOfReferenceUID"], row["SeriesInstanceUID"])
            boxes.setdefault(key, []).extend(corners)
            verdicts.setdefault(key, set()).add(row["face_verdict"] or "")
    found = set()
    for key, verdict in verdicts.items():
        if "defaced" in verdict:
            for other, said in verdicts.items():
                if other[:2] == key[:2] and other != key and said == {"no face"} and _share_covered(boxes[key], boxes[other]) > _COVERED:
                    found.add(other[2])
    return frozenset(found)


def _corners(row: dict[str, object]) -> list[list[float]]:
    """Return the four corners of a slice in millimetres (PS3.3 C.7.6.2.1.1), nothing where the header does not place it."""
    position, orientation = row["ImagePositionPatient"], row["ImageOrientationPatient"]
    size = (row["Columns"], row["pixel_spacing_col_mm"]), (row["Rows"], row["pixel_spacing_row_mm"])
    if not isinstance(position, list) or not isinstance(orientation, list) or len(position) != 3 or len(orientation) != 6:
        return []
    if any(a is None or b is None for a, b in size):
        return []
    along, down = (float(a) * float(b) for a, b in size)  # type: ignore[arg-type]  # not None
    return [[position[n] + x * along * orientation[n] + y * down * orientation[n + 3] for n in range(3)] for x in (0, 1) for y in (0, 1)]


def _share_covered(box: list[list[float]], other: list[list[float]]) -> float:
    """Return how much of a box around some points another such box covers."""
    share = 1.0
    for first, second in zip(zip(*box, strict=True), zip(*other, strict=True), strict=True):
        length = max(first) - min(first)
        common = min(max(first), max(second)) - max(min(first), min(second))
        share *= max(common, 0.0) / length if length > 0 else 1.0
    return share


def measure_sisters(instances: pa.Table) -> pa.Table:
    """Return the X2 rows: sisters that nobody looked at block, sisters that cover a face and show none ask a person."""
    untreated, faceless = untreated_sisters(instances), sisters_without_a_face(instances)
    series = len(pc.unique(instances["SeriesInstanceUID"]))
    return as_risk_table(
        [
            Measure("X2", "series beside a defaced one that nobody treated", len(untreated), series, "block", at_most=0),
            Measure("X2", "series that cover a face and show none", len(faceless), series, "ask", at_most=0),
        ]
    )
