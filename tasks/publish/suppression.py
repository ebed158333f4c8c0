"""The suppression list: what was withdrawn and must never come back, as keyed digests on the private side.

It has a key of its own (`vault/keys/suppression.key`), so that it survives a rotation of the dataset's secret. It is asked by the
orchestrator before studies are handed to workers (who may not read it), and again at commit (released ids, and the crosswalk
behind them).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tasks.publish.canonical import canonical_json
from tasks.publish.objects import bounded_map
from tasks.publish.store import AlreadyExistsError, Store
from tasks.secret import Secret

if TYPE_CHECKING:
    from tasks.model import StudyRef

PREFIX = "vault/suppression/"
_KEY = "vault/keys/suppression.key"
_READERS = 8


@dataclass(frozen=True, slots=True)
class Suppression:
    """The list as it was when read. Each digest is of one (kind, value): source_patient, source_study, source_series; patient,
    study, series (released ones); study_key of a study withdrawn as a whole, part_of_study_key of one that lost series.
    """

    secret: Secret
    digests: frozenset[str]

    def holds(self, kind: str, value: str) -> bool:
        """Say whether this was withdrawn."""
        return bool(self.digests) and bool(value.strip()) and _digest(self.secret, kind, value) in self.digests

    def holds_study(self, ref: StudyRef, also_known_as: Callable[[str], Iterable[str]] = lambda _: ()) -> bool:
        """Say whether a study that the archive offers was withdrawn as a whole: itself, or any patient it says it is of.

        `also_known_as` gives the other ids of a merged patient.
        """
        if not self.digests:
            return False
        if self.holds("study_key", ref.study_key) or self.holds("source_study", ref.source_study_uid):
            return True
        return any(self.holds("source_patient", p) for one in ref.source_patient_ids for p in (one, *also_known_as(one)))

    def held_rows(self, instances: pa.Table, private: Store) -> pa.ChunkedArray:
        """Say of each INSTANCES row whether it was withdrawn: by its released ids, or by the source behind it in the crosswalk."""
        columns = {"patient": "PatientID", "study": "StudyInstanceUID", "series": "SeriesInstanceUID", "study_key": "study_key"}
        held = pc.is_in(instances["study_key"], value_set=pa.array([], pa.string()))
        if not self.digests:
            return held
        for kind, column in columns.items():
            named = [v for v in instances[column].unique().to_pylist() if self.holds(kind, v)]
            held = pc.or_(held, pc.is_in(instances[column], value_set=pa.array(named, pa.string())))
        behind: set[str] = set()
        for found in bounded_map(partial(self._held_behind, private), instances["study_key"].unique().to_pylist(), _READERS):
            behind |= found
        return pc.or_(held, pc.is_in(instances["SOPInstanceUID"], value_set=pa.array(sorted(behind), pa.string())))

    def _held_behind(self, private: Store, study_key: str) -> set[str]:
        """Return the released SOPInstanceUIDs of one study whose source was withdrawn (a rotated secret gave them new names)."""
        table = _crosswalk(private, study_key)
        for kind, column in (("source_patient", "source_patient_id"), ("source_study", "source_study_instance_uid")):
            if any(v and self.holds(kind, v) for v in table[column].unique().to_pylist()):
                return {v for v in table["sop_instance_uid"].to_pylist() if v}
        series = pa.array(sorted(_withdrawn_series(self, table)), pa.string())
        gone = table.filter(pc.is_in(table["source_series_instance_uid"], value_set=series))
        return {v for v in gone["sop_instance_uid"].to_pylist() if v}


def without_withdrawn(private: Store, instances: pa.Table) -> pa.Table:
    """Return the INSTANCES rows that may be published: those of which nothing was withdrawn."""
    return instances.filter(pc.invert(read_suppression(private).held_rows(instances, private)))


def count_withdrawn(suppression: Suppression, instances: Path, private: Store) -> int:
    """Count the INSTANCES rows of a Parquet file of which something was withdrawn, in bounded memory."""
    import pyarrow.parquet as pq

    if not suppression.digests:
        return 0
    names = ["study_key", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    batches = pq.ParquetFile(instances).iter_batches(columns=names)
    return sum(pc.sum(suppression.held_rows(pa.table(batch), private)).as_py() or 0 for batch in batches)


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
    digests = sorted({_digest(secret, kind, value) for kind, value in values if value.strip()})
    if digests:
        data = canonical_json({"digests": digests})
        name = secret.digest("suppression file", *digests).hex()[:32]
        private.put(f"{PREFIX}{name}.json", data)
    return read_suppression(private)


def withdrawn_series(suppression: Suppression, private: Store, study_key: str) -> frozenset[str]:
    """Return the source SeriesInstanceUIDs of one study that were withdrawn (identified values: never shown)."""
    return _withdrawn_series(suppression, _crosswalk(private, study_key))


def _withdrawn_series(suppression: Suppression, crosswalk: pa.Table) -> frozenset[str]:
    series = crosswalk["source_series_instance_uid"].unique().to_pylist()
    return frozenset(uid for uid in series if uid and suppression.holds("source_series", uid))


def _crosswalk(private: Store, study_key: str) -> pa.Table:
    import pyarrow.parquet as pq

    names = ["source_patient_id", "source_study_instance_uid", "source_series_instance_uid", "sop_instance_uid"]
    try:
        return pq.read_table(io.BytesIO(private.get(f"vault/crosswalk/{study_key}.parquet")), columns=names)
    except KeyError:
        return pa.table({name: pa.array([], pa.string()) for name in names})


def _secret(private: Store) -> Secret:
    try:
        return Secret(bytes.fromhex(private.get(_KEY).decode()))
    except KeyError:
        pass
    with contextlib.suppress(AlreadyExistsError):
        private.put(_KEY, os.urandom(32).hex().encode(), if_absent=True)
    return Secret(bytes.fromhex(private.get(_KEY).decode()))


def _digest(secret: Secret, kind: str, value: str) -> str:
    value = value.strip()
    if kind == "source_patient":
        # PRIVACY: matched broadly (case, spaces, leading zeros that spreadsheets eat): an error keeps somebody in, never lets them out.
        value = "".join(value.split()).casefold().lstrip("0") or value
    return secret.digest(f"suppression {kind}", value).hex()
