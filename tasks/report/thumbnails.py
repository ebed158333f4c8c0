"""Small pictures of what was changed, as it would be released: blanked regions and defaced heads.

Only the de-identified objects of the private side are read; what the pixels were before is gone with the scratch.
"""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tasks.publish.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIDE = 256
MOST = 24
LARGEST_OBJECT = 64_000_000


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """One picture with what was done to it."""

    caption: str
    png_base64: str = field(repr=False)


def make_thumbnails(private: Store, instances: pa.Table) -> list[Thumbnail]:
    """Return at most 24 pictures: blanked objects, then the middle slice of defaced series; what cannot be shown is left out."""
    return [t for row in _chosen(instances) if (t := _thumbnail(private, row)) is not None]


def _chosen(instances: pa.Table) -> Iterator[dict[str, Any]]:
    columns = [
        "SeriesInstanceUID",
        "SOPInstanceUID",
        "InstanceNumber",
        "Modality",
        "quarantine_key",
        "size_bytes",
        "blanked_regions",
        "face_verdict",
    ]
    rows = [r for r in instances.select(columns).to_pylist() if r["size_bytes"] <= LARGEST_OBJECT]
    blanked = sorted((r for r in rows if (r["blanked_regions"] or 0) > 0), key=lambda r: (-r["blanked_regions"], r["SOPInstanceUID"]))
    yield from blanked[: MOST // 2]
    series: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["face_verdict"] == "defaced":
            series.setdefault(row["SeriesInstanceUID"], []).append(row)
    for _, members in sorted(series.items())[: MOST // 2]:
        members.sort(key=lambda r: (r["InstanceNumber"] or 0, r["SOPInstanceUID"]))
        yield members[len(members) // 2]


def _thumbnail(private: Store, row: dict[str, Any]) -> Thumbnail | None:
    from pydicom import dcmread

    try:
        dataset = dcmread(io.BytesIO(private.get(row["quarantine_key"])))
        pixels = dataset.pixel_array
        grey = _grey(
            pixels, samples=int(dataset.get("SamplesPerPixel", 1)), inverted=dataset.get("PhotometricInterpretation") == "MONOCHROME1"
        )
    except Exception:  # a picture is a courtesy; PRIVACY: the reader's message may quote a value
        return None
    done = f"{row['blanked_regions']} regions blanked" if row["blanked_regions"] else "defaced"
    return Thumbnail(f"{row['Modality'] or 'image'}, {done}", base64.b64encode(png(grey)).decode())


def _grey(pixels: Any, *, samples: int, inverted: bool) -> NDArray[np.uint8]:
    import numpy as np

    plane = np.asarray(pixels, dtype=np.float32)
    if samples > 1:
        plane = plane.mean(axis=-1)
    while plane.ndim > 2:
        plane = plane[plane.shape[0] // 2]
    step = max(1, -(-max(plane.shape) // SIDE))
    height, width = (n // step * step for n in plane.shape)
    plane = plane[:height, :width].reshape(height // step, step, width // step, step).mean(axis=(1, 3))
    low, high = np.percentile(plane, (1, 99))
    grey: NDArray[np.uint8] = np.clip((plane - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
    return np.bitwise_not(grey) if inverted else grey


def png(grey: NDArray[np.uint8]) -> bytes:
    """Return an 8-bit grey PNG without any metadata."""
    height, width = grey.shape
    raw = b"".join(b"\0" + grey[y].tobytes() for y in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")
