"""What a worker notes of one study for the gates that need every study at once: pixel digests, noise, small pictures, texts.

Nothing here is identified: it is read from the written objects, and digests are keyed. Comparing studies is `copies`,
`likeness`, `plausible` and `tasks/scan/strangers.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.consistency.copies import pixel_digest
from tasks.consistency.frames import Frame, middle_frame
from tasks.consistency.likeness import SIDE, block_means, packed
from tasks.consistency.plausible import flaw_of, noise_level
from tasks.consistency.sources import series_counts, source_digest
from tasks.model import PulledFile, Status
from tasks.publish.store import Store
from tasks.scan.texts import texts_of
from tasks.scan.walk import Walk, read_walk
from tasks.secret import Secret

_TEXT = pa.string()

SOURCE_SERIES = pa.struct([pa.field("series", _TEXT), pa.field("objects", pa.int64())])
"""Keyed digest of a source Series Instance UID, and how many objects came of it."""

OBJECTS = pa.struct(
    [
        pa.field("PatientID", _TEXT),
        pa.field("SeriesInstanceUID", _TEXT),
        pa.field("SOPInstanceUID", _TEXT),
        pa.field("InstanceNumber", pa.int64()),
        pa.field("scanner", _TEXT),  # what decides how noisy an image is: make, model, kernel, thickness, kV
        pa.field("pixel_digest", _TEXT),  # keyed; null without pixels, or where all are the same
        pa.field("source_pixel_digest", _TEXT),  # keyed; only where pixels were rewritten
        pa.field("noise", pa.float64()),
        pa.field("flaw", _TEXT),  # "" when header and pixels agree
    ]
)
PICTURES = pa.struct(
    [
        pa.field("PatientID", _TEXT),
        pa.field("SeriesInstanceUID", _TEXT),
        pa.field("Modality", _TEXT),
        pa.field("picture", pa.binary(SIDE * SIDE)),
    ]
)
TEXTS = pa.struct(
    [
        pa.field("PatientID", _TEXT),
        pa.field("SOPInstanceUID", _TEXT),
        pa.field("place", _TEXT),
        pa.field("vr", _TEXT),
        pa.field("text", pa.binary()),
    ]
)

EVIDENCE = pa.schema(
    [
        pa.field("study_key", _TEXT, nullable=False),
        pa.field("source_digest", _TEXT, nullable=False),
        pa.field("source_series", pa.list_(SOURCE_SERIES)),
        pa.field("objects", pa.list_(OBJECTS)),
        pa.field("pictures", pa.list_(PICTURES)),
        pa.field("texts", pa.list_(TEXTS)),
    ]
)
"""One row per study, on the private side; a study without one cannot be judged."""

_COMPRESSED_STEP = 8  # of compressed series, every eighth object is decoded


class StudyEvidence:
    """Collects the evidence of one study, one written object at a time."""

    def __init__(self, study_key: str, pulled: Sequence[PulledFile], secret: Secret) -> None:
        self._study_key, self._secret = study_key, secret
        self._source_digest, self._source_series = source_digest(pulled, secret), series_counts(pulled, secret)
        self._objects: list[dict[str, Any]] = []
        self._texts: dict[tuple[str, str, str, bytes], dict[str, Any]] = {}
        self._in_released: set[tuple[str, str, str, bytes]] = set()
        self._sums: dict[str, tuple[dict[str, Any], Any, int]] = {}
        self._seen: dict[str, int] = {}

    def add(self, path: Path, row: Mapping[str, Any], rewritten_from: Path | None = None) -> None:
        """Note one written object. `row`: its INSTANCES row; `rewritten_from`: its source, when pixels were rewritten. Raises OSError."""
        walk = read_walk(path)
        patient, uid = str(row["PatientID"]), str(row["SOPInstanceUID"])
        released = row["status"] == Status.RELEASED.value
        for place, vr, text in texts_of(walk):
            key = (patient, str(row["SeriesInstanceUID"]), place, text)  # per series: each is withdrawn by itself
            if key not in self._texts or (released and key not in self._in_released):  # of those that say it, one that is released
                self._texts[key] = {"PatientID": patient, "SOPInstanceUID": uid, "place": place, "vr": vr, "text": text}
            if released:
                self._in_released.add(key)
        frame = self._frame(walk, row)
        self._objects.append(
            {
                "PatientID": patient,
                "SeriesInstanceUID": row["SeriesInstanceUID"],
                "SOPInstanceUID": uid,
                "InstanceNumber": row["InstanceNumber"],
                "scanner": scanner_of(row),
                "pixel_digest": pixel_digest(walk, self._secret),
                "source_pixel_digest": pixel_digest(read_walk(rewritten_from), self._secret) if rewritten_from else None,
                "noise": noise_level(frame.stored) if frame else None,
                "flaw": flaw_of(frame, row) if frame else "",
            }
        )

    def _frame(self, walk: Walk, row: Mapping[str, Any]) -> Frame | None:
        series = str(row["SeriesInstanceUID"])
        number = self._seen[series] = self._seen.get(series, -1) + 1
        if walk.fragments and number % _COMPRESSED_STEP:
            return None
        frame = middle_frame(walk)
        if frame is not None:
            small = block_means(frame.stored)
            about, total, count = self._sums.get(series, (dict(row), 0.0, 0))
            self._sums[series] = (about, total + small, count + 1)
        return frame

    def table(self) -> pa.Table:
        """Return the study's EVIDENCE row."""
        pictures = [
            {
                "PatientID": about["PatientID"],
                "SeriesInstanceUID": series,
                "Modality": about["Modality"],
                "picture": packed(total / count),
            }
            for series, (about, total, count) in sorted(self._sums.items())
        ]
        texts = [self._texts[key] for key in sorted(self._texts)]
        row = {
            "study_key": self._study_key,
            "source_digest": self._source_digest,
            "source_series": [{"series": name, "objects": n} for name, n in self._source_series],
            "objects": self._objects,
            "pictures": pictures,
            "texts": texts,
        }
        return pa.Table.from_pylist([row], schema=EVIDENCE)


def scanner_of(row: Mapping[str, Any]) -> str:
    """Return what decides the noise of an image, as one word to group by; "" where the header does not say."""
    parts = (row["Manufacturer"], row["ManufacturerModelName"], row["ConvolutionKernel"], row["SliceThickness"], row["KVP"])
    return "|".join(str(p) for p in parts) if all(p not in (None, "", []) for p in parts[:2]) else ""


def read_evidence(private: Store, study_keys: Iterable[str], columns: tuple[str, ...] = ("objects", "pictures")) -> pa.Table:
    """Return the EVIDENCE rows of these studies (only `columns`); studies without evidence have no row."""
    import pyarrow.parquet as pq

    from tasks.private import evidence_key, gather_tables

    wanted = ["study_key", "source_digest", *columns]

    def parts() -> Iterator[pa.Table]:
        for key in study_keys:
            try:
                data = private.get(evidence_key(key))
            except KeyError:
                continue
            yield pq.ParquetFile(pa.BufferReader(data)).read(columns=wanted, use_threads=False).select(wanted)

    return gather_tables(parts(), pa.schema([EVIDENCE.field(name) for name in wanted]))


def flattened(evidence: pa.Table, column: str) -> pa.Table:
    """Return one list column of EVIDENCE as a table of its structs, with the study's key."""
    import pyarrow.compute as pc

    lists = evidence[column].combine_chunks()
    structs = pc.list_flatten(lists)
    parents = pc.list_parent_indices(lists)
    table = pa.Table.from_batches([pa.RecordBatch.from_struct_array(structs)]) if len(structs) else _empty(lists.type.value_type)
    return table.append_column("study_key", pc.take(evidence["study_key"], parents).cast(_TEXT))


def _empty(kind: pa.StructType) -> pa.Table:
    return pa.schema(list(kind)).empty_table()
