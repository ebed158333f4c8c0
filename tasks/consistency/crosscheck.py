"""What only all studies together show: whose values are in whose objects (T1, T1x), copied pixels (I4), one person twice (P1).

Read from what workers noted (`evidence`) and from the vault's identities. First it says who must stay behind, then it measures
the candidate that was made without them, independently of whether anybody listened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from tasks.consistency.copies import LEDGER, measure_copies, sharing_patients
from tasks.consistency.evidence import flattened, read_evidence
from tasks.consistency.likeness import measure_likeness, unpacked
from tasks.consistency.plausible import measure_plausibility
from tasks.consistency.sources import SecondPull, read_second_pulls
from tasks.policy.gates import GatePolicy
from tasks.publish.store import Store
from tasks.risk.measures import Measure, as_risk_table
from tasks.scan import HOLD_SCORE, SourceIdentity
from tasks.scan.strangers import Stranger, find_strangers, read_people

_LOOK_ALIKES_SHOWN = 1000


@dataclass(frozen=True, slots=True)
class Crosscheck:
    """What was found among all studies of a run; released names, places and counts only."""

    leaking: frozenset[str]  # patients with an object that kept one of their own values
    leaking_objects: int
    searched_objects: int
    strangers: tuple[Stranger, ...]
    sharing: frozenset[str]  # patients who share pixels with another one
    without_evidence: frozenset[str]  # study keys
    pulled_again: tuple[SecondPull, ...]
    evidence: pa.Table = field(repr=False)  # EVIDENCE of every study on the ledger: objects and pictures

    def held_back(self) -> dict[str, frozenset[str]]:
        """Return the patients who must stay behind, by gate."""
        return {"T1": self.leaking, "T1x": frozenset(s.patient_id for s in self.strangers), "I4": self.sharing}


def cross_check(private: Store, written: pa.Table, findings: pa.Table, ledger_keys: Sequence[str]) -> Crosscheck:
    """Compare every study with every other one.

    `written`: INSTANCES of every object that was written for the studies of this run, whatever became of it; `findings`: theirs.
    `ledger_keys`: every study that this dataset ever processed.
    """
    leaks = findings.filter(pc.and_(pc.starts_with(findings["rule"], "T1."), pc.greater_equal(findings["score"], HOLD_SCORE)))[
        "sop_instance_uid"
    ]
    leaking = written.filter(pc.is_in(written["SOPInstanceUID"], value_set=pc.unique(leaks).cast(pa.string())))
    evidence = read_evidence(private, ledger_keys, ("objects", "pictures", "texts"))
    studies = sorted(set(written["study_key"].to_pylist()))
    of_run = pc.is_in(evidence["study_key"], value_set=pa.array(studies, pa.string()))
    texts = flattened(evidence.filter(of_run).select(["study_key", "texts"]), "texts")
    own = partial(_own_identity, private, _studies_of(written))
    pulls = read_second_pulls(private)
    return Crosscheck(
        leaking=frozenset(leaking["PatientID"].to_pylist()),
        leaking_objects=leaking.num_rows,
        searched_objects=written.num_rows,
        strangers=tuple(find_strangers(texts, read_people(private, ledger_keys), own)),
        sharing=sharing_patients(flattened(evidence, "objects").select(LEDGER.names).cast(LEDGER)),
        without_evidence=frozenset(studies) - frozenset(evidence["study_key"].to_pylist()),
        pulled_again=tuple(pulls[key] for key in studies if key in pulls),
        evidence=evidence.drop_columns(["texts"]),
    )


def measure_crosscheck(found: Crosscheck, kept: pa.Table, policy: GatePolicy, outside_objects: int = 0) -> pa.Table:
    """Return the RISK rows of the gates that compare studies, over the rows that would be frozen.

    A study without evidence cannot be measured, which is a failure. `outside_objects`: objects that came uncalled for.
    """
    patients = frozenset(kept["PatientID"].to_pylist())
    studies = frozenset(kept["study_key"].to_pylist())
    blind = bool(studies & found.without_evidence)
    evidence = found.evidence
    ours = evidence.filter(pc.is_in(evidence["study_key"], value_set=pa.array(sorted(studies), pa.string())))
    objects, pictures = flattened(ours, "objects"), flattened(evidence, "pictures")
    measures = [
        *_identity_measures(found, patients, policy, blind),
        *_source_measures(found.pulled_again, studies, policy),
    ]
    tables = [
        as_risk_table(measures),
        measure_pull(outside_objects, kept.num_rows, policy),
        measure_copies(flattened(evidence, "objects").select(LEDGER.names).cast(LEDGER), patients, policy.copied),
        _likeness(pictures, patients, policy),
        measure_plausibility(objects, policy.implausible_means),
    ]
    table = pa.concat_tables(tables)
    return _unmeasured(table, ("I4", "I5", "P1")) if blind else table


def measure_pull(outside_objects: int, objects: int, policy: GatePolicy) -> pa.Table:
    """Return the I7 row: objects that came and belong to another study than was asked for."""
    limit = policy.outside_objects
    return as_risk_table([Measure("I7", "objects of other studies than were asked for", outside_objects, objects, "block", at_most=limit)])


def _identity_measures(found: Crosscheck, patients: frozenset[str], policy: GatePolicy, blind: bool) -> Iterable[Measure]:
    share = found.leaking_objects / found.searched_objects if found.searched_objects else 0.0
    foreign = None if blind else sum(s.patient_id in patients for s in found.strangers)
    yield Measure(
        "T1", "share of objects that kept a value of their own patient", share, found.searched_objects, "block",
        at_most=policy.leaking_share,
    )  # fmt: skip
    yield Measure("T1", "patients with such an object", len(found.leaking & patients), len(patients), "block", at_most=0)
    yield Measure("T1x", "places with another patient's values", foreign, len(patients), "block", at_most=policy.strangers)
    for gate, held in found.held_back().items():
        yield Measure(gate, "patients held back", len(held), len(patients | held), "info", at_least=0)


def _source_measures(pulls: Sequence[SecondPull], studies: frozenset[str], policy: GatePolicy) -> Iterable[Measure]:
    """Yield I1 and I2: of what was pulled twice, what differs and is in the candidate. Nothing pulled twice proves nothing."""
    kept = [p for p in pulls if p.study_key in studies]
    asked_and_none = policy.second_pull_share > 0 and not pulls
    differing = None if asked_and_none else float(sum(not p.same_bytes for p in kept))
    series = None if asked_and_none else float(sum(p.series_that_differ for p in kept))
    yield Measure("I1", "studies whose second pull differs", differing, len(pulls), "block", at_most=0)
    yield Measure("I2", "series with other counts in the archive", series, sum(p.series for p in pulls), "block", at_most=0)


def _likeness(pictures: pa.Table, patients: frozenset[str], policy: GatePolicy) -> pa.Table:
    """Return the P1 rows that concern the candidate; every study on the ledger is compared with."""
    names = pictures["PatientID"].to_pylist()
    images = unpacked(pictures["picture"].to_pylist())
    kinds = [kind or "" for kind in pictures["Modality"].to_pylist()]
    table = measure_likeness(images, names, kinds, policy.alike_correlation, policy.alike_means)
    rows = table.to_pylist()
    concerned = [r for r in rows[1:] if r["key"] in patients]
    whole = {**rows[0], "value": float(len(concerned)), "measure": "patients who look like another one"}
    return pa.Table.from_pylist([whole, *concerned[:_LOOK_ALIKES_SHOWN]], table.schema)


def _unmeasured(table: pa.Table, gates: tuple[str, ...]) -> pa.Table:
    rows = [{**r, "value": None} if r["gate"] in gates and r["unit"] == "release" else r for r in table.to_pylist()]
    return pa.Table.from_pylist(rows, table.schema)


def _studies_of(written: pa.Table) -> dict[str, set[str]]:
    studies: dict[str, set[str]] = {}
    for patient, key in zip(written["PatientID"].to_pylist(), written["study_key"].to_pylist(), strict=True):
        studies.setdefault(patient, set()).add(key)
    return studies


def _own_identity(private: Store, studies: dict[str, set[str]], patient: str) -> SourceIdentity:
    values = {v for who, identity in read_people(private, sorted(studies.get(patient, ()))) if who == patient for v in identity.values}
    return SourceIdentity(frozenset(values))
