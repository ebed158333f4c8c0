"""`sallyport withdraw`, `retire`, `patient-report`, `audit-log`, `disclose`: what a privacy officer runs after publishing."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands.screen import print_counts, print_json

if TYPE_CHECKING:
    from tasks.publish.signing import Signer
    from tasks.publish.store import Store
    from tasks.spec import Spec

_SPEC = typer.Argument(help="The dataset's spec (YAML)", show_default=False)
_JSON = typer.Option("--json", help="Print as JSON")


def withdraw(
    spec: Annotated[Path, _SPEC],
    patient_id: Annotated[list[str] | None, typer.Option(help="Source patient id (repeatable)")] = None,
    patient_ids: Annotated[
        Path | None, typer.Option(help="File of source patient ids, one a line: no trace in the shell's history")
    ] = None,
    study: Annotated[list[str] | None, typer.Option(help="StudyInstanceUID, source or released (repeatable)")] = None,
    series: Annotated[list[str] | None, typer.Option(help="SeriesInstanceUID, source or released (repeatable)")] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Remove patients, studies or series from every release, prove it, publish the tombstone; they never come back.

    Several at once share one tombstone, so that a reader cannot tell one person from the difference.
    """
    from dataclasses import asdict

    from flows.withdrawn import withdraw_between_runs
    from tasks.errors import UsageError
    from tasks.publish.causes import Cause, refuse
    from tasks.publish.withdrawal_scope import Asked
    from tasks.spec import read_spec

    patients = [*(patient_id or []), *_lines(patient_ids)]
    asked = Asked(tuple(patients), tuple(study or ()), tuple(series or ()))
    if not (asked.patient_ids or asked.studies or asked.series):
        raise UsageError("withdraw", "nothing is named", "give --patient-id, --patient-ids, --study or --series")
    done = withdraw_between_runs(read_spec(spec), asked, today(), lambda step: typer.echo(f"  done  {step}", err=True))
    if as_json:
        print_json(asdict(done))
    if not done.found:
        raise refuse(Cause.NOTHING_TO_WITHDRAW, "withdraw")
    if as_json:
        return
    versions = sum(p.versions for p in done.proofs)
    typer.echo(f"{done.series} series, {done.instances} instances: {versions} versions purged in {len(done.proofs)} stores, none left.")
    reissued, tombstone = len(done.reissued), done.tombstone or "none needed"
    typer.echo(f"current release: {done.new_release_id or 'unchanged'}; reissued: {reissued}; tombstone: {tombstone}")
    if len(patients) == 1 and done.tombstone:
        typer.echo("note: one person alone in a tombstone; withdraw several together when it can wait")
    for recipient in done.recipients:
        typer.echo(f"notify: {recipient}")


def retire(
    spec: Annotated[Path, _SPEC],
    release: Annotated[list[str], typer.Argument(help="Release ids", show_default=False)],
    reason: Annotated[str, typer.Option(help="wrong_metadata, wrong_pixels, wrong_cohort, broken_objects or other")] = "other",
) -> None:
    """Mark releases as not to be used any more, for quality reasons; nothing is deleted."""
    from tasks.publish.retire import retire as run

    _, private, public, signer = _open(spec)
    entry = run(private, public, signer, today(), release, reason)
    typer.echo(f"retired: {', '.join(release)} (log entry {entry})")


def patient_report(
    spec: Annotated[Path, _SPEC],
    patient_id: Annotated[str, typer.Argument(help="Source patient id", show_default=False)],
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Say in which releases one person is. The answer is identified: it stays where it is asked."""
    from dataclasses import asdict

    from tasks.publish.patient_report import report_patient

    _, private, public, _ = _open(spec)
    report = report_patient(private, public, patient_id)
    if as_json:
        print_json(asdict(report))
        return
    typer.echo("withdrawn" if report.withdrawn else "known here" if report.known else "not known here")
    rows = [(r, str(studies), str(series), str(instances)) for r, studies, series, instances in report.releases]
    print_counts("Releases", rows, ("release", "studies", "series", "instances"))
    for disclosure in report.disclosures:
        typer.echo(f"disclosed {disclosure.on} {disclosure.release_id} to {disclosure.recipient}")


def audit_log(spec: Annotated[Path, _SPEC], out: Annotated[Path | None, typer.Option(help="Write JSON lines here")] = None) -> None:
    """Export the audit log as JSON lines, checking its chain and its end, which is signed with every entry of the public log.

    Exit code 1 when an event was changed, put in or taken out, or the newest entry of the public log has no signed end.
    """
    import json

    from tasks.publish.audit import read_events
    from tasks.publish.audit_heads import check_heads

    _, private, public, _ = _open(spec)
    whole, lines = True, []
    for event, intact in read_events(private):
        whole = whole and intact
        lines.append(json.dumps({**event, "chain_intact": intact}, sort_keys=True))
    text = "".join(f"{line}\n" for line in lines)
    if out:
        out.write_text(text, "utf-8")
    else:
        sys.stdout.write(text)
    heads = check_heads(private, public)
    for problem in heads.problems:
        typer.echo(problem, err=True)
    chain = "intact" if whole else "BROKEN"
    typer.echo(f"{len(lines)} events, chain {chain}, signed up to event {heads.signed}", err=True)
    sys.exit(0 if whole and not heads.problems else 1)


def disclose(
    spec: Annotated[Path, _SPEC],
    recipient: Annotated[str, typer.Option(help="Who received it; alone, lists what they received")],
    release: Annotated[str, typer.Option(help="Release id that was handed over")] = "",
    on: Annotated[str, typer.Option(help="Day (YYYY-MM-DD); today by default")] = "",
    purpose: Annotated[str, typer.Option()] = "",
    agreement: Annotated[str, typer.Option(help="Number of the data use agreement")] = "",
) -> None:
    """Record in the ledger who received which release (tiers that are not open), or list it."""
    from dataclasses import asdict

    from tasks.publish import audit
    from tasks.publish.audit_heads import sign_head
    from tasks.publish.causes import Cause, refuse
    from tasks.publish.ledger import Disclosure, read_disclosures, record_disclosure
    from tasks.publish.log import read_log

    _, private, public, signer = _open(spec)
    if not release:
        print_json([asdict(d) for d in read_disclosures(private, recipient=recipient)])
        return
    if read_log(public).find(release) is None:
        raise refuse(Cause.NO_RELEASE, "log")
    day = date.fromisoformat(on) if on else today()
    record_disclosure(private, Disclosure(recipient, release, day.isoformat(), purpose, agreement))
    audit.record(private, "disclosed", release=release)
    sign_head(private, public, signer)
    typer.echo(f"recorded: {release} to {recipient} on {day.isoformat()}")


def today() -> date:
    """Return the day (UTC)."""
    return datetime.now(UTC).date()


def _open(path: Path) -> tuple[Spec, Store, Store, Signer]:
    from flows.session import open_secret
    from tasks.publish.signing import open_signer
    from tasks.publish.store import open_store
    from tasks.spec import read_spec

    spec = read_spec(path)
    return spec, open_store(spec.private), open_store(spec.public), open_signer(spec.signing.key, open_secret(spec.secret))


def _lines(path: Path | None) -> list[str]:
    from tasks.errors import UsageError

    if path is None:
        return []
    try:
        return [line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("--patient-ids", f"cannot be read ({type(error).__name__})", "one id a line, UTF-8") from None


def open_for_keys(path: Path) -> Any:
    """Open spec, stores and signer of a dataset, for `sallyport keys`."""
    return _open(path)
