"""Where people come into a release: the form of a suspended run, and the settlement of a candidate by their decisions.

What a decision is worth is in `tasks/approval.py`; the command line's way is `flows/commands/candidates.py`.
"""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Literal

from prefect.input import RunInput
from pydantic import Field

from tasks.approval import Approval, Settlement, approval_signer, decide, keep_approval, read_approvals, read_trusted, settle
from tasks.candidates import read_judged
from tasks.errors import UsageError
from tasks.model import Verdict
from tasks.policy.gates import GatePolicy
from tasks.publish.store import Store
from tasks.secret import Secret
from tasks.spec import Approval as ApprovalRules
from tasks.spec import Spec


class ReviewForm(RunInput):
    """What the Prefect UI asks a reviewer when a run is suspended. Prefect stores the answers: no patient's value belongs in them."""

    decision: Literal["approve", "refuse"] = Field("refuse", title="Decision")
    reviewer: str = Field("", title="Your name", description="Not the person who started this run", max_length=80)
    digest: str = Field("", title="Digest", description="The first 12 digits of the candidate's digest, from its report", max_length=64)
    comment: str = Field("", title="Comment", description="Never a patient's name, number or date", max_length=500)


def this_operator() -> str:
    """Return who runs this release on this machine."""
    return os.environ.get("SALLYPORT_OPERATOR") or getpass.getuser()


def rules_of(spec: Spec) -> ApprovalRules:
    """Return the spec's rules of approval; `automatic` asks for nobody."""
    return spec.approval if isinstance(spec.approval, ApprovalRules) else ApprovalRules(reviewers=0, allowed_signers=None)


def needs_people(verdict: Verdict, spec: Spec) -> bool:
    """Say whether a decision by people could publish this candidate: nothing blocks, and the spec or a gate asks for one."""
    only_asks = all(reason.endswith("(ask)") for reason in verdict.reasons)
    return only_asks and (bool(verdict.reasons) or rules_of(spec).reviewers > 0)


def settle_candidate(private: Store, candidate_id: str, verdict: Verdict, spec: Spec, policy: GatePolicy, secret: Secret) -> Settlement:
    """Return the verdict as it stands after every decision on record; its `approval` goes to `publish_candidate`."""
    rules = rules_of(spec)
    trusted = read_trusted(Path(rules.allowed_signers) if rules.allowed_signers else None, secret)
    return settle(verdict, read_approvals(private, candidate_id), policy, trusted, reviewers=rules.reviewers)


def record_form(private: Store, candidate_id: str, form: ReviewForm, spec: Spec, policy: GatePolicy, secret: Secret) -> Approval:
    """Sign and keep what a reviewer entered in the Prefect UI.

    The UI has one shared login, so the name is self-asserted; where the spec names allowed signers, decide with
    `sallyport approve --key` instead.
    """
    if rules_of(spec).allowed_signers:
        raise UsageError("approval", "this dataset wants the reviewer's own key", "use `sallyport approve SPEC CANDIDATE --key FILE`")
    judged = read_judged(private, candidate_id)
    record = decide(
        judged.verdict,
        candidate_id,
        form.decision,
        typed_digest=form.digest,
        reviewer=form.reviewer,
        operator=judged.operator,
        signer=approval_signer(secret),
        policy=policy,
        comment=form.comment,
    )
    keep_approval(private, record)
    return record
