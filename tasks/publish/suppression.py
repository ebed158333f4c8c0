"""The suppression list: what was withdrawn and must never come back, as keyed digests on the private side.

It has a key of its own (`vault/keys/suppression.key`), so that it survives a rotation of the dataset's secret. It is asked at
intake (source patient ids) and again at commit (released ids, and the crosswalk behind them).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tasks.publish.canonical import canonical_json
from tasks.publish.store import AlreadyExistsError, Store
from tasks.secret import Secret

PREFIX = "vault/suppression/"
_KEY = "vault/keys/suppression.key"


@dataclass(frozen=True, slots=True)
class Suppression:
    """The list as it was when read. Each digest is of one (kind, value):
    source_patient, source_study, source_series (asked at intake), patient, study, series (released, asked at commit).
    """

    secret: Secret
    digests: frozenset[str]

    def holds_source_patient(self, patient_id: str) -> bool:
        """Say whether this source patient id was withdrawn (asked at intake)."""
        return bool(self.digests) and _digest(self.secret, "source_patient", patient_id.strip()) in self.digests

    def holds_source(self, kind: str, value: str) -> bool:
        """Say whether this source UID was withdrawn (asked at intake); `kind` is source_study or source_series."""
        return bool(self.digests) and _digest(self.secret, kind, value.strip()) in self.digests

    def holds_released(self, kind: str, value: str) -> bool:
        """Say whether this released identifier was withdrawn; `kind` is patient, study or series."""
        return bool(self.digests) and _digest(self.secret, kind, value) in self.digests

    def held_rows(self, instances: pa.Table, private: Store) -> pa.ChunkedArray:
        """Say of each INSTANCES row whether it was withdrawn: by its released ids, or by the source patient behind its study."""
        columns = {"patient": "PatientID", "study": "StudyInstanceUID", "series": "SeriesInstanceUID"}
        held = pc.is_in(instances["study_key"], value_set=pa.array([], pa.string()))
        if not self.digests:
            return held
        for kind, column in columns.items():
            named = [v for v in instances[column].unique().to_pylist() if self.holds_released(kind, v)]
            held = pc.or_(held, pc.is_in(instances[column], value_set=pa.array(named, pa.string())))
        behind = [
            key
            for key in instances["study_key"].unique().to_pylist()
            if any(self.holds_source_patient(patient) for patient in source_patients(private, [key]))
        ]
        return pc.or_(held, pc.is_in(instances["study_key"], value_set=pa.array(behind, pa.string())))


def without_withdrawn(private: Store, instances: pa.Table) -> pa.Table:
    """Return the INSTANCES rows that may be published: those of which nothing was withdrawn."""
    return instances.filter(pc.invert(read_suppression(private).held_rows(instances, private)))


def read_suppression(private: Store) -> Suppression:
    """Read the list; makes its key at first use."""
    secret = _secret(private)
    digests: set[str] = set()
    for key in private.keys(PREFIX):
        digests.update(json.loads(private.get(key))["digests"])
    return Suppression(secret, frozenset(digests))


def suppress(private: Store, values: Iterable[tuple[str, str]]) -> Suppression:
    """Add (kind, value) pairs to the list durably and return the list with them; adding again changes nothing."""
    secret = _secret(private)
    digests = sorted({_digest(secret, kind, value.strip()) for kind, value in values})
    if digests:
        data = canonical_json({"digests": digests})
        name = secret.digest("suppression file", *digests).hex()[:32]
        private.put(f"{PREFIX}{name}.json", data)
    return read_suppression(private)


def source_patients(private: Store, study_keys: Iterable[str]) -> set[str]:
    """Return the source patient ids behind these studies (identified values: never shown)."""
    import pyarrow.parquet as pq

    found: set[str] = set()
    for study_key in study_keys:
        try:
            data = private.get(f"vault/crosswalk/{study_key}.parquet")
        except KeyError:
            continue
        column = pq.read_table(io.BytesIO(data), columns=["source_patient_id"])["source_patient_id"]
        found.update(v.strip() for v in column.unique().to_pylist() if v)
    return found


def _secret(private: Store) -> Secret:
    try:
        return Secret(bytes.fromhex(private.get(_KEY).decode()))
    except KeyError:
        pass
    with contextlib.suppress(AlreadyExistsError):
        private.put(_KEY, os.urandom(32).hex().encode(), if_absent=True)
    return Secret(bytes.fromhex(private.get(_KEY).decode()))


def _digest(secret: Secret, kind: str, value: str) -> str:
    return secret.digest(f"suppression {kind}", value).hex()
