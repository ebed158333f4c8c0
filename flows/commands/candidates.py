"""`sallyport candidates|approve|refuse`: look at judged candidates, and decide.

What a decision is worth is in `tasks/approval.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from flows.commands.screen import print_counts, print_json

if TYPE_CHECKING:
    from tasks.approval import Approval
    from tasks.candidates import JudgedCandidate
    from tasks.spec import Spec

SpecArgument = Annotated[Path, typer.Argument(help="The dataset's spec (YAML)", show_default=False)]
CandidateArgument = Annotated[str, typer.Argument(help="Candidate id, as `sallyport candidates` shows it", show_default=False)]
DigestOption = Annotated[
    str, typer.Option(prompt="Digest of the candidate, from its report", help="At least the first 8 digits of its digest")
]
ReviewerOption = Annotated[str | None, typer.Option(help="Who decides; by default whoever is logged in", show_default=False)]
CommentOption = Annotated[str, typer.Option(help="Kept on the private side; never a patient's name, number or date")]
KeyOption = Annotated[Path | None, typer.Option(help="The reviewer's own Ed25519 key (OpenSSH)", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print as JSON")]


def candidates(spec: SpecArgument, as_json: JsonOption = False) -> None:
    """List the candidates on the private side: what is in them, what holds them, where their report is."""
    from tasks.candidates import list_judged
    from tasks.publish.store import open_store
    from tasks.spec import read_spec

    read = read_spec(spec)
    private = open_store(read.private)
    found = [_shown(c, read) for c in list_judged(private)]
    if as_json:
        print_json(found)
        return
    rows = [
        (c["candidate_id"], c["candidate_root"][:12], str(c["counts"]["patients"]), c["state"], c["judged_at"][:16].replace("T", " "))
        for c in found
    ]
    print_counts("Candidates", rows, ("candidate", "digest", "patients", "state", "judged (UTC)"))
    for candidate in found:
        for reason in candidate["reasons"]:
            typer.echo(f"  {candidate['candidate_id']}  {reason}")
        typer.echo(f"  {candidate['candidate_id']}  report: {candidate['report']}")
    if not found:
        typer.echo("No candidate was judged yet: run `sallyport release SPEC`.")


def approve(
    spec: SpecArgument,
    candidate: CandidateArgument,
    digest: DigestOption,
    reviewer: ReviewerOption = None,
    comment: CommentOption = "",
    key: KeyOption = None,
    rules: Annotated[Path | None, typer.Option(help="Decisions about values, downloaded from the report", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Approve a candidate: a signed record over exactly its bytes, for a limited time. The next `release` publishes it.

    Exit codes: 0 recorded, 2 wrong digest or no such candidate, 3 nothing here may be approved.
    """
    _decide(spec, candidate, "approve", digest, reviewer, comment, key, rules, as_json)


def refuse(
    spec: SpecArgument,
    candidate: CandidateArgument,
    digest: DigestOption,
    reviewer: ReviewerOption = None,
    comment: CommentOption = "",
    key: KeyOption = None,
    rules: Annotated[Path | None, typer.Option(help="Decisions about values, downloaded from the report", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse a candidate: it stays on the private side, whatever anybody else approved."""
    _decide(spec, candidate, "refuse", digest, reviewer, comment, key, rules, as_json)


def _decide(
    spec_path: Path,
    candidate_id: str,
    choice: Literal["approve", "refuse"],
    digest: str,
    reviewer: str | None,
    comment: str,
    key: Path | None,
    rules_path: Path | None,
    as_json: bool,
) -> None:
    import getpass

    from flows.session import open_secret
    from tasks.approval import approval_signer, decide, keep_approval
    from tasks.candidates import read_judged
    from tasks.publish.signing import read_signer
    from tasks.publish.store import open_store
    from tasks.spec import read_spec
    from tasks.value_rules import keep_rules, read_decisions

    spec = read_spec(spec_path)
    private = open_store(spec.private)
    secret = open_secret(spec.secret)
    judged = read_judged(private, candidate_id)
    record = decide(
        judged.verdict,
        candidate_id,
        choice,
        typed_digest=digest,
        reviewer=reviewer or getpass.getuser(),
        operator=judged.operator,
        signer=read_signer(key) if key else approval_signer(secret),
        policy=spec.loaded_policy().gates,
        comment=comment,
    )
    decisions = read_decisions(rules_path, judged.verdict.candidate_root) if rules_path else []
    if decisions:
        keep_rules(private, secret, decisions, reviewer=record.reviewer)
    keep_approval(private, record)
    _say(record, len(decisions), as_json)


def _say(record: Approval, rules: int, as_json: bool) -> None:
    if as_json:
        print_json({"candidate_id": record.candidate_id, "decision": record.decision, "expires_at": record.expires_at, "rules": rules})
        return
    done = "approved" if record.decision == "approve" else "refused"
    typer.echo(f"{record.candidate_id} {done}, until {record.expires_at[:16].replace('T', ' ')} UTC; {rules} rules recorded.")
    if record.decision == "approve":
        typer.echo("Run `sallyport release SPEC` to publish it.")
    elif rules:
        typer.echo("Run `sallyport release SPEC` to assemble a candidate without the refused values.")
    sys.stdout.flush()


def _shown(candidate: JudgedCandidate, spec: Spec) -> dict[str, Any]:
    only_asks = all(r.endswith("(ask)") for r in candidate.verdict.reasons)
    state = "approved by the policy" if candidate.verdict.approved else "asks a person" if only_asks else "held"
    return {
        "candidate_id": candidate.candidate_id,
        "candidate_root": candidate.verdict.candidate_root,
        "dataset": candidate.dataset,
        "state": state,
        "reasons": list(candidate.verdict.reasons),
        "counts": dict(candidate.counts),
        "judged_at": candidate.judged_at,
        "report": f"{spec.private.rstrip('/')}/candidates/{candidate.candidate_id}/report.html",
    }
