"""What withdrawals mean for runs, decided before work is handed out: workers may not read the suppression list, the orchestrator may.

How objects are withdrawn is `tasks/publish/withdraw.py`; the second check, over the frozen candidate, is `tasks/publish/suppression.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date

from flows.session import Session, between_runs, open_secret
from tasks import private
from tasks.model import Reason, Receipt, StudyRef
from tasks.process import failed_receipt
from tasks.publish.signing import open_signer
from tasks.publish.store import open_store
from tasks.publish.suppression import Suppression, read_suppression, suppress, withdrawn_series
from tasks.publish.withdraw import Withdrawal, withdraw
from tasks.publish.withdrawal_scope import Asked, find_scope
from tasks.spec import Spec
from tasks.study_job import rules_id, work_id


@dataclass(frozen=True, slots=True)
class Settled:
    """The studies of a run after the suppression list was read."""

    receipts: dict[str, Receipt]  # of studies withdrawn as a whole, by study key: nothing of them is pulled
    refs: list[StudyRef]  # every other study; of one that lost series, the reference says which
    known: dict[str, Receipt]  # earlier receipts as they are after withdrawals
    left_in_quarantine: int = 0  # withdrawn studies whose objects a run under way brought back


def settle_withdrawn(session: Session, asked: Sequence[StudyRef], known: dict[str, Receipt]) -> Settled:
    """Give every withdrawn study its receipt (`withdrawn`), whether or not it was ever seen before.

    # PRIVACY: nothing of a withdrawn patient is pulled again, new studies included: tests/flows/test_withdrawn.py.
    """
    suppression = read_suppression(session.private)
    if not suppression.digests:
        return Settled({}, list(asked), known)
    known_as = _merged(session)
    gone: dict[str, Receipt] = {}
    refs: list[StudyRef] = []
    for ref in asked:
        if suppression.holds_study(ref, known_as):
            gone[ref.study_key] = _receipt(session, ref)
        else:
            refs.append(_without_series(session, suppression, ref))
    left = sum(session.private.size(private.instances_key(key)) is not None for key in gone)
    return Settled(gone, refs, _as_withdrawn(session, suppression, known, gone), left)


def suppress_now(spec: Spec, asked: Asked) -> None:
    """Put what is asked on the suppression list, so that a run under way publishes nothing of it."""
    store = open_store(spec.private)
    suppress(store, find_scope(store, asked).suppressed)


def withdraw_between_runs(spec: Spec, asked: Asked, on: date, progress: Callable[[str], None]) -> Withdrawal:
    """Withdraw from every release and replica of a dataset. What is asked is suppressed at once; a run that is under way on this
    machine then publishes nothing of it, and the rest is done when it has ended, so that it brings nothing back.
    """
    suppress_now(spec, asked)
    signer = open_signer(spec.signing.key, open_secret(spec.secret))
    with between_runs(spec, lambda: progress("suppressed; waiting for the run under way to end")):
        replicas = [open_store(url) for url in spec.replicas]
        return withdraw(open_store(spec.private), open_store(spec.public), signer, on, asked, replicas=replicas, progress=progress)


def _receipt(session: Session, ref: StudyRef) -> Receipt:
    """Return the study's receipt, written down unless it is there already."""
    receipt = replace(failed_receipt(ref, work_id(ref, session.rules), Reason.WITHDRAWN), rules_id=rules_id(session.rules))
    if private.get_receipt(session.private, ref.study_key) != receipt:
        private.put_receipt(session.private, receipt)
    return receipt


def _without_series(session: Session, suppression: Suppression, ref: StudyRef) -> StudyRef:
    if not suppression.holds("part_of_study_key", ref.study_key):
        return ref
    return replace(ref, withdrawn_series=withdrawn_series(suppression, session.private, ref.study_key))


def _as_withdrawn(session: Session, suppression: Suppression, known: dict[str, Receipt], gone: dict[str, Receipt]) -> dict[str, Receipt]:
    """Return the index of earlier receipts, those that a withdrawal changed read anew: the index is of the last run."""
    result = dict(known)
    for key, receipt in known.items():
        if key in gone:
            result[key] = gone[key]
        elif any(suppression.holds(kind, key) for kind in ("study_key", "part_of_study_key")):
            result[key] = private.get_receipt(session.private, key) or receipt
    return result


def _merged(session: Session) -> Callable[[str], Collection[str]]:
    """Return a function that gives the ids that the spec's aliases merge with one id, whatever their issuers."""
    same: dict[str, set[str]] = defaultdict(set)
    for (_, one), (_, other) in session.rules.aliases.items():
        same[one].add(other)
        same[other].add(one)
    return lambda patient_id: same.get(patient_id.strip(), ())
