"""Side views of defaced heads, as they would be released: the outline against the light, which says whether a profile is left.

Read from the de-identified objects of the private side; pictures are never written anywhere but into the private report.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tasks.publish.store import Store
from tasks.report.thumbnails import Thumbnail, png

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST = 6
GRID_MM = 2.0
LARGEST_SERIES = 512_000_000
_CT_SKIN_HU = -300.0


def make_silhouettes(private: Store, instances: pa.Table) -> list[Thumbnail]:
    """Return the side views of at most six defaced series; what cannot be shown is left out."""
    return [t for modality, rows in _chosen(instances) if (t := _silhouette(private, modality, rows)) is not None]


def _chosen(instances: pa.Table) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    series: dict[str, list[dict[str, Any]]] = {}
    columns = ["SeriesInstanceUID", "Modality", "quarantine_key", "size_bytes", "face_verdict"]
    for row in instances.select(columns).to_pylist():
        if row["face_verdict"] in ("defaced", "already defaced"):
            series.setdefault(row["SeriesInstanceUID"], []).append(row)
    fitting = [rows for _, rows in sorted(series.items()) if sum(r["size_bytes"] for r in rows) <= LARGEST_SERIES]
    yield from ((str(rows[0]["Modality"]), rows) for rows in fitting[:MOST])


def _silhouette(private: Store, modality: str, rows: list[dict[str, Any]]) -> Thumbnail | None:
    from tasks.deface.geometry import read_geometry
    from tasks.deface.volume import coarse_volume, in_patient_axes

    try:
        with tempfile.TemporaryDirectory(prefix="sallyport-silhouettes-") as folder:
            paths = [_local(private, row["quarantine_key"], Path(folder, f"{n}")) for n, row in enumerate(rows)]
            stack = max(read_geometry(paths).stacks, key=lambda s: len(s.frames))
            is_ct = modality == "CT"
            values = in_patient_axes(coarse_volume(stack, GRID_MM), GRID_MM, -1000.0 if is_ct else 0.0).values
    except Exception:  # a picture is a courtesy; PRIVACY: the reader's message may quote a value
        return None
    return Thumbnail(
        f"{modality}, defaced: side view of {len(rows)} objects", base64.b64encode(png(_from_the_side(values, is_ct))).decode()
    )


def _local(private: Store, key: str, copy: Path) -> Path:
    local = private.local_path(key)
    if local is None:
        copy.write_bytes(private.get(key))
    return local or copy


def _from_the_side(values: NDArray[np.float32], is_ct: bool) -> NDArray[np.uint8]:
    """Return the silhouette of an upright volume [slice to S, row to P, column to L], nose to the left, vertex up."""
    import numpy as np

    skin = _CT_SKIN_HU if is_ct else 0.12 * float(np.percentile(values, 99.5))
    thick = (values > skin).sum(axis=2)[::-1]
    light = np.full(thick.shape, 255, np.uint8)
    light[thick > 3] = 190  # a few voxels are noise
    light[thick > 20] = 110
    light[thick > 40] = 40
    return light
