"""What earlier releases of this dataset showed: their rows, for K7, and the levels that they froze.

Comparing does not belong here (`tasks/risk/differences.py`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping

import pyarrow as pa

from tasks.errors import ReleaseError, UsageError
from tasks.policy.gates import GatePolicy
from tasks.publish.canonical import readable_json
from tasks.publish.causes import Cause
from tasks.publish.log import read_log
from tasks.publish.store import AlreadyExistsError, Store

FROZEN = "vault/generalisation.json"
_SHOWN = ("patient_id", "PatientSex", "patient_age_years")


def read_earlier(public: Store) -> pa.Table | None:
    """Return `patient_id, PatientSex, patient_age_years, release_id` of every release that readers can still see, or None.

    A withdrawal reissues older releases without the patient, so that nobody who left is counted again.
    """
    import pyarrow.parquet as pq

    if public.size("keys.json") is None:
        return None
    try:
        log = read_log(public)
    except ReleaseError as error:
        if getattr(error, "cause", None) is Cause.NO_RELEASE:
            return None
        raise
    gone = set(log.superseded())
    parts = []
    for entry in log.releases():
        if entry.release_id in gone:
            continue
        for key in public.keys(f"releases/{entry.release_id}/manifests/study"):
            table = pq.read_table(io.BytesIO(public.get(key)), columns=list(_SHOWN))
            parts.append(table.append_column("release_id", pa.array([entry.release_id] * table.num_rows, pa.string())))
    return pa.concat_tables(parts) if parts else None


def read_frozen_levels(private: Store, policy: GatePolicy) -> Mapping[str, int] | None:
    """Return the levels of the first release, or None before it; UsageError when the hierarchies are not those any more."""
    try:
        record = json.loads(private.get(FROZEN))
    except KeyError:
        return None
    for name, hierarchy in record["hierarchies"].items():
        column = policy.columns.get(name)
        if column is None or column.model_dump(mode="json") != hierarchy:
            raise UsageError(
                f"policy: gates.columns.{name}", "differs from what earlier releases were made with", "release under a new dataset name"
            )
    return {str(n): int(level) for n, level in record["levels"].items()}


def freeze_levels(private: Store, levels: Mapping[str, int], policy: GatePolicy) -> None:
    """Record the levels of the first release; later calls change nothing."""
    hierarchies = {n: policy.columns[n].model_dump(mode="json") for n in levels}
    try:
        private.put(FROZEN, readable_json({"levels": dict(levels), "hierarchies": hierarchies}), if_absent=True)
    except AlreadyExistsError:
        return
