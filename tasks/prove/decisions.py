"""Defects of decisions and of our own records: opt-out, approvals, withdrawals, windows, reports that quote a patient (C, T9).

Each trial makes the small thing that is judged, plants one defect (or none), and asks the unchanged check.
"""

from __future__ import annotations

import json
import random
import tempfile
from datetime import UTC, date, datetime, timedelta

from tasks.policy.gates import GatePolicy
from tasks.prove.specimens import make_patient
from tasks.prove.tables import as_table, candidate
from tasks.sample import SamplePatient


def opted_out(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A patient on the opt-out registry, spelled as registries spell."""
    from tasks.registry import Registry

    patients = [make_patient(chance.randrange(10**6)).patient_id for _ in range(20)]
    refused = chance.choice(patients)
    spelled = chance.choice((refused, refused.lower(), f" {refused} ", refused.lstrip("0")))
    listed = spelled if defect else "nobody-1"
    registry = Registry(frozenset({("", "".join(listed.split()).casefold().lstrip("0"))}))
    return any(registry.refuses(p, "") for p in patients)


def stale_approval(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """An approval that expired, is about other bytes, or was changed after signing."""
    from dataclasses import replace

    from tasks.approval import approval_signer, decide, refusal_of
    from tasks.model import Verdict
    from tasks.secret import Secret

    secret = Secret(chance.randbytes(32))
    signer = approval_signer(secret)
    root = chance.randbytes(32).hex()
    verdict = Verdict(root, False, ("T4: rare words (ask)",), "p" * 64, ("suite",))
    decided = datetime(2026, 1, 5, tzinfo=UTC)
    people = {"reviewer": "reviewer 1", "operator": "operator 2"}
    record = decide(verdict, "c1", "approve", typed_digest=root[:12], signer=signer, policy=policy, now=decided, **people)
    now = decided + timedelta(hours=1)
    if defect:
        kind = chance.randrange(3)
        if kind == 0:
            now = decided + timedelta(days=policy.approval_days, seconds=chance.randint(1, 10**6))
        elif kind == 1:
            verdict = replace(verdict, candidate_root=chance.randbytes(32).hex())
        else:
            record = replace(record, comment="changed")
    return refusal_of(record, verdict, policy, {"": [signer.public]}, now) is not None


def withdrawn_before(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A patient, study or series in the candidate that was withdrawn from an earlier release."""
    from tasks.publish.store import open_store
    from tasks.publish.suppression import suppress, without_withdrawn

    rows = candidate(chance, [12])
    with tempfile.TemporaryDirectory(prefix="prove-") as folder:
        store = open_store(folder)
        kind, column = chance.choice((("patient", "PatientID"), ("study", "StudyInstanceUID"), ("series", "SeriesInstanceUID")))
        suppress(store, [(kind, chance.choice(rows)[column] if defect else "2.25.1")])
        kept: int = without_withdrawn(store, as_table(rows)).num_rows
        return kept != len(rows)


def closed_window(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A release on a day on which the dataset's window is closed."""
    from tasks.cadence import opens_on

    last = date(2026, 1, 1) + timedelta(days=chance.randint(0, 300))
    window = chance.choice(("daily", "weekly", "monthly"))
    opens = opens_on(last, window)  # type: ignore[arg-type]  # one of the literals
    today = last if defect else last + timedelta(days=32)
    return opens is not None and today < opens


def report_with_a_name(chance: random.Random, policy: GatePolicy, defect: bool) -> bool:
    """A suite record, page or verdict that quotes a patient of the archive."""
    from tasks.scan import SourceIdentity
    from tasks.scan.strangers import sweep_reports

    people = [make_patient(chance.randrange(10**6)) for _ in range(20)]
    patient = chance.choice(people)
    quoted = chance.choice(
        (f"{patient.family}^{patient.given}", f"{patient.given} {patient.family}", patient.accession, f"['{patient.phone}', 3]")
    )
    record = {"gate": "K8", "measure": "values of Modality with too few patients", "n": 20, "unexpected": [quoted] if defect else []}
    page = f"<td>{quoted if defect else 'none'}</td><td>12</td><p>Every measure lies within its bounds</p>"
    reports = {"suites": json.dumps(record, ensure_ascii=False).encode(), "page": page.encode()}
    known = [(f"P{n}", SourceIdentity(_values(p))) for n, p in enumerate(people)]
    return bool(sweep_reports(reports, known))


def _values(patient: SamplePatient) -> frozenset[tuple[str, str]]:
    name = ("patient_name", f"{patient.family}^{patient.given}")
    return frozenset({name, ("accession_number", patient.accession), ("phone", patient.phone)})
