"""What stays in a release though tonight's run has nothing new of it: studies that left the archive, and studies that failed.

Which studies are new is decided in `flows/studies.py`; withdrawals are in `flows/withdrawn.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flows.session import Session
from tasks import private
from tasks.canaries import canary_keys
from tasks.model import Receipt, Status, StudyRef
from tasks.publish.canonical import canonical_json
from tasks.study_job import rules_id

COHORT_KEY = "vault/cohort.json"
_WHERE = ("kind", "path", "url", "host", "port", "ae_title")
"""What tells one archive from another; how gently it is asked, and with which login, does not."""


def still_released(session: Session, asked: Sequence[StudyRef], known: Mapping[str, Receipt], *, whole_cohort: bool) -> list[Receipt]:
    """Return the receipts of released studies that were not asked for now but still belong to the dataset.

    A study that is gone from the archive does not vanish silently from the release; one that a changed cohort no longer asks
    for does. Receipts under other rules are worth nothing: their bytes cannot be made again.
    """
    where = {name: value for name, value in session.spec.archive.model_dump(mode="json").items() if name in _WHERE}
    cohort = canonical_json([session.spec.cohort.model_dump(mode="json"), where])
    same_cohort = True
    if whole_cohort:
        try:
            same_cohort = session.private.get(COHORT_KEY) == cohort
        except KeyError:
            same_cohort = False
        session.private.put(COHORT_KEY, cohort)
    present = {ref.study_key for ref in asked}
    rules = rules_id(session.rules)
    present |= canary_keys(session.rules.secret)  # no study of the archive's
    gone = [r for key, r in known.items() if key not in present and r.status is Status.RELEASED and r.rules_id == rules]
    return sorted(gone, key=lambda r: r.study_key) if same_cohort else []


def keep_standing(session: Session, fresh: Sequence[Receipt], known: Mapping[str, Receipt]) -> dict[str, Receipt]:
    """Return the last released receipt of each study that failed tonight, by study key: a release loses no study to a bad night.

    The study is done again by the next run, since the archive's fingerprint differs from that of the receipt that stands.
    """
    rules = rules_id(session.rules)
    standing = {}
    for receipt in fresh:
        earlier = known.get(receipt.study_key)
        if receipt.status is not Status.FAILED or not earlier or earlier.status is not Status.RELEASED or earlier.rules_id != rules:
            continue
        # PRIVACY: a run that broke off while it wrote left tables of two states; nothing of such a study stands
        # (tests/flows/test_standing.py).
        if earlier.tables_sha256 == private.tables_sha256(session.private, receipt.study_key):
            standing[receipt.study_key] = earlier
    return standing
