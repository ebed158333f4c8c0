"""What the private side keeps beside a frozen candidate: the verdict, its tables, what the suites said, who ran it.

Freezing belongs to `tasks/publish/candidate.py`, decisions to `tasks/approval.py`, the page to `tasks/report`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.errors import UsageError
from tasks.model import Verdict
from tasks.publish.canonical import readable_json, write_parquet
from tasks.publish.store import Store
from tasks.schemas import FINDINGS, INSTANCES, RISK, VERDICTS

WORDS = pa.schema([pa.field("token", pa.string()), pa.field("place", pa.string()), pa.field("patients", pa.int64())])
"""Private: rare words of a candidate that nobody has read."""

_TABLES = {"instances": INSTANCES, "findings": FINDINGS, "verdicts": VERDICTS, "risk": RISK, "words": WORDS}


@dataclass(frozen=True, slots=True)
class JudgedCandidate:
    """A candidate as a reviewer meets it: counts, verdict, and who ran the release."""

    candidate_id: str
    dataset: str
    counts: Mapping[str, int]
    policy_name: str
    verdict: Verdict
    judged_at: str
    operator: str = field(repr=False)


def keep_judgement(
    private: Store,
    candidate_id: str,
    verdict: Verdict,
    verdicts: pa.Table,
    risk: pa.Table,
    suites: Sequence[Mapping[str, Any]],
    operator: str,
) -> None:
    """Write verdict, VERDICTS, RISK and the value-free suite records beside the candidate; `verdict.json` comes last.

    `suites`: `SuiteRecord.as_dict()` of every suite. Judging the same candidate again replaces what was there.
    """
    prefix = f"candidates/{candidate_id}/"
    for name, table in (("verdicts", verdicts), ("risk", risk)):
        sink = io.BytesIO()
        write_parquet(table.cast(_TABLES[name]), _TABLES[name], sink)
        private.put(f"{prefix}{name}.parquet", sink.getvalue())
    private.put(f"{prefix}suites.json", readable_json(list(suites)))
    judged = {**asdict(verdict), "operator": operator, "judged_at": datetime.now(UTC).replace(microsecond=0).isoformat()}
    private.put(f"{prefix}verdict.json", readable_json(judged))


def keep_docs(private: Store, candidate_id: str, folder: Path) -> None:
    """Put great-expectations' Data Docs beside the candidate, in place of those of an earlier judgement."""
    prefix = f"candidates/{candidate_id}/data_docs/"
    for key in list(private.keys(prefix)):
        private.delete(key)
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        private.put(prefix + path.relative_to(folder).as_posix().replace(" ", "_").replace(":", ""), path)


def read_candidate_table(private: Store, candidate_id: str, name: str) -> pa.Table:
    """Return one of a candidate's tables (instances, findings, verdicts, risk, words); an empty one when it is not there."""
    import pyarrow.parquet as pq

    try:
        return pq.read_table(io.BytesIO(private.get(f"candidates/{candidate_id}/{name}.parquet"))).cast(_TABLES[name])
    except KeyError:
        return _TABLES[name].empty_table()


def read_plan(private: Store, candidate_id: str) -> dict[str, Any]:
    """Return what was planned while a candidate was assembled (levels, who was held back by what, groups); empty without a plan."""
    try:
        found: dict[str, Any] = json.loads(private.get(f"candidates/{candidate_id}/plan.json"))
    except KeyError:
        return {}
    return found


def read_judged(private: Store, candidate_id: str) -> JudgedCandidate:
    """Return one judged candidate; UsageError when there is none of that id."""
    where = f"candidate {candidate_id}"
    try:
        about = json.loads(private.get(f"candidates/{candidate_id}/candidate.json"))
        said = json.loads(private.get(f"candidates/{candidate_id}/verdict.json"))
        verdict = Verdict(
            said["candidate_root"], bool(said["approved"]), tuple(said["reasons"]), said["policy_sha256"], tuple(said["suites"])
        )
        counts = {str(k): int(v) for k, v in about["counts"].items()}
        judged = JudgedCandidate(candidate_id, about["dataset"], counts, about["policy_name"], verdict, said["judged_at"], said["operator"])
        same = about["root"] == verdict.candidate_root
    except (KeyError, ValueError):
        raise UsageError(where, "there is no judged candidate of that id", "see `sallyport candidates SPEC`") from None
    if not same:
        raise UsageError(where, "its verdict is about other bytes", "run `sallyport release SPEC` again")
    return judged


def list_judged(private: Store) -> list[JudgedCandidate]:
    """Return every judged candidate, newest first."""
    ids = [key.split("/")[1] for key in private.keys("candidates/") if key.endswith("/verdict.json")]
    return sorted((read_judged(private, i) for i in ids), key=lambda c: (c.judged_at, c.candidate_id), reverse=True)
