"""Answer for one person, inside the vault: in which releases their studies are. The answer is identified: it stays on the private side."""

from __future__ import annotations

from dataclasses import dataclass, field

from tasks.publish.ledger import Disclosure, read_disclosures
from tasks.publish.log import read_log
from tasks.publish.manifest_files import read_grain
from tasks.publish.scratch import scratch_folder
from tasks.publish.staging import fetch_manifests
from tasks.publish.store import Store
from tasks.publish.suppression import read_suppression
from tasks.publish.withdrawal_scope import Asked, find_scope


@dataclass(frozen=True, slots=True)
class PatientReport:
    """Counts of one person's studies per release (identified by the question)."""

    known: bool = field(repr=False)
    withdrawn: bool = field(repr=False)
    releases: tuple[tuple[str, int, int, int], ...] = field(repr=False)  # release id, studies, series, instances
    disclosures: tuple[Disclosure, ...] = field(repr=False)


def report_patient(private: Store, public: Store, patient_id: str) -> PatientReport:
    """Look one source patient id (and its merged ids) up in every release that can still be read."""
    import pyarrow as pa
    import pyarrow.compute as pc

    scope = find_scope(private, Asked(patient_ids=(patient_id,)))
    withdrawn = read_suppression(private).holds("source_patient", patient_id)
    releases = []
    log = read_log(public) if public.size("keys.json") is not None else None
    if log is not None:
        for entry in log.releases():
            if entry.release_id in log.superseded():
                continue
            with scratch_folder("report") as folder:
                manifests = fetch_manifests(public, entry.release_id, folder)
                columns = ["patient_id", "StudyInstanceUID", "instance_count"]
                series = read_grain(manifests, "series", columns)
            mine = series.filter(pc.is_in(series["patient_id"], value_set=pa.array(sorted(scope.patients), pa.string())))
            if mine.num_rows:
                counts = (len(mine["StudyInstanceUID"].unique()), mine.num_rows, sum(mine["instance_count"].to_pylist()))
                releases.append((entry.release_id, *counts))
    # Who received a release before it was redacted for somebody else received this person too.
    replaced = {new: old for old, new in (log.superseded() if log else {}).items()}
    held = {r[0] for r in releases}
    while older := {replaced[r] for r in held if r in replaced} - held:
        held |= older
    disclosures = read_disclosures(private, release_ids=held)
    return PatientReport(bool(scope.study_keys), withdrawn, tuple(releases), tuple(disclosures))
