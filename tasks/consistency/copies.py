"""The same pixels under another patient (I4): a keyed digest of every object's pixels, compared across the private ledger.

Two scans are never equal to the last bit; equal pixels under two patients are a copy, a mix-up in the archive, or a test object.
"""

from __future__ import annotations

import hashlib

import pyarrow as pa

from tasks.risk.measures import Measure, as_risk_table
from tasks.scan.walk import Walk
from tasks.secret import Secret

LEDGER = pa.schema(
    [
        pa.field("PatientID", pa.string(), nullable=False),
        pa.field("SOPInstanceUID", pa.string()),
        pa.field("pixel_digest", pa.string()),
        pa.field("source_pixel_digest", pa.string()),
    ]
)
"""Private: one row per object that was ever written, whatever became of it."""
_AT_ONCE = 1 << 24
_FLAT = 4  # distinct byte values: an empty slice, a mask of nothing


def pixel_digest(walk: Walk, secret: Secret) -> str | None:
    """Return the keyed digest of an object's pixels, None without pixels or where they are (nearly) all the same."""
    if walk.pixels is None:
        return None
    key = secret.key("pixel-ledger")
    digest = hashlib.blake2b(key=key, digest_size=16)
    values: set[int] = set()
    for start, end in walk.fragments[1:] or ((walk.pixels.start, walk.pixels.end),):
        for at in range(start, end, _AT_ONCE):  # a cine of two gigabytes is never in memory as a whole
            piece = walk.data[at : min(at + _AT_ONCE, end)]
            digest.update(piece)
            if len(values) <= _FLAT:
                values.update(piece[:: max(len(piece) // 4096, 1)])
    return digest.hexdigest() if len(values) > _FLAT else None


def sharing_patients(ledger: pa.Table) -> frozenset[str]:
    """Return the patients who have pixels in common with another one, before or after pixels were rewritten (LEDGER)."""
    import pyarrow.compute as pc

    patients = pa.concat_arrays([ledger["PatientID"].combine_chunks()] * 2)
    digests = pa.concat_arrays([ledger[c].combine_chunks() for c in ("pixel_digest", "source_pixel_digest")])
    known = pa.table({"PatientID": patients, "digest": digests}).filter(pc.is_valid(digests))
    counted = known.group_by("digest").aggregate([("PatientID", "count_distinct")])
    shared = counted.filter(pc.greater(counted["PatientID_count_distinct"], 1))["digest"]
    return frozenset(known.filter(pc.is_in(known["digest"], value_set=shared.combine_chunks()))["PatientID"].to_pylist())


def measure_copies(ledger: pa.Table, patients: frozenset[str] | None = None, at_most: int = 0) -> pa.Table:
    """Return the I4 row: patients (of these, or of all) whose pixels another patient of the ledger has too."""
    shared = sharing_patients(ledger)
    concerned = shared if patients is None else shared & patients
    return as_risk_table(
        [Measure("I4", "patients whose pixels another patient has too", len(concerned), ledger.num_rows, "block", at_most=at_most)]
    )
