"""Find everything that a withdrawal is about: from what a person asks for, over the crosswalk, to released identifiers.

Reads the vault; its values are identified and never shown. Removing things does not belong here.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.publish.store import Store

CROSSWALK_PREFIX = "vault/crosswalk/"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked to withdraw; UIDs may be the source's or the released ones."""

    patient_ids: tuple[str, ...] = field(repr=False, default=())
    studies: tuple[str, ...] = field(repr=False, default=())
    series: tuple[str, ...] = field(repr=False, default=())


@dataclass(frozen=True, slots=True)
class Scope:
    """Released identifiers to remove, and what to suppress. `suppressed` pairs are identified."""

    patients: frozenset[str]  # whole patients
    studies: frozenset[str]  # whole studies, those of whole patients included
    series: frozenset[str]
    instances: frozenset[str]
    study_keys: frozenset[str]
    suppressed: frozenset[tuple[str, str]] = field(repr=False)

    def covers(self, study_key: str, row: Mapping[str, Any]) -> bool:
        """Say whether a crosswalk row of this study is of something withdrawn."""
        return ("study_key", study_key) in self.suppressed or ("source_series", row["source_series_instance_uid"]) in self.suppressed


def find_scope(private: Store, asked: Asked) -> Scope:
    """Follow every asked identifier through the crosswalk. A patient's merged source ids are followed too."""
    wanted_patients = {p.strip() for p in asked.patient_ids}
    wanted_studies, wanted_series = set(asked.studies), set(asked.series)
    rows = list(_rows(private))
    released = {r["patient_id"] for _, r in rows if r["patient_id"] and wanted_patients & {r["source_patient_id"], r["patient_id"]}}
    aliases = {r["source_patient_id"] for _, r in rows if r["patient_id"] in released and r["source_patient_id"]}
    suppressed = {("source_patient", p) for p in wanted_patients | aliases} | {("patient", p) for p in released}
    studies, series, instances, keys = set[str](), set[str](), set[str](), set[str]()
    for study_key, row in rows:
        whole_patient = row["patient_id"] in released or row["source_patient_id"] in wanted_patients | aliases
        whole_study = whole_patient or bool(wanted_studies & {row["source_study_instance_uid"], row["study_instance_uid"]})
        if not whole_study and not wanted_series & {row["source_series_instance_uid"], row["series_instance_uid"]}:
            continue
        keys.add(study_key)
        series.add(row["series_instance_uid"] or "")
        instances.add(row["sop_instance_uid"] or "")
        if whole_study:
            studies.add(row["study_instance_uid"] or "")
            suppressed.add(("study_key", study_key))
            suppressed |= {("study", row["study_instance_uid"] or ""), ("source_study", row["source_study_instance_uid"] or "")}
        else:
            suppressed.add(("part_of_study_key", study_key))
            suppressed |= {("series", row["series_instance_uid"] or ""), ("source_series", row["source_series_instance_uid"] or "")}
    suppressed |= {("study", u) for u in wanted_studies} | {("source_study", u) for u in wanted_studies}
    suppressed |= {("series", u) for u in wanted_series} | {("source_series", u) for u in wanted_series}
    return Scope(
        patients=frozenset(released | (wanted_patients - aliases)),
        studies=frozenset((studies | wanted_studies) - {""}),
        series=frozenset((series | wanted_series) - {""}),
        instances=frozenset(instances - {""}),
        study_keys=frozenset(keys),
        suppressed=frozenset(pair for pair in suppressed if pair[1]),
    )


def _rows(private: Store) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow.parquet as pq

    names = [
        "source_patient_id", "source_study_instance_uid", "source_series_instance_uid",
        "patient_id", "study_instance_uid", "series_instance_uid", "sop_instance_uid",
    ]  # fmt: skip
    for key in private.keys(CROSSWALK_PREFIX):
        study_key = key.removeprefix(CROSSWALK_PREFIX).removesuffix(".parquet")
        for row in pq.read_table(io.BytesIO(private.get(key)), columns=names).to_pylist():
            yield study_key, {**row, "source_patient_id": (row["source_patient_id"] or "").strip()}
