"""A dataset that wants a reviewer: held until somebody else approves exactly these bytes, then published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tasks.sample import PATIENTS, make_archive
from tests.flows.sallyport import sallyport


@pytest.mark.slow
def test_a_candidate_waits_for_its_reviewer_and_is_then_published(write_spec: Callable[..., Path], tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive", PATIENTS[:2]).folder
    spec = write_spec(archive, approval="{reviewers: 1}")
    held = sallyport("release", spec, "--json", SALLYPORT_OPERATOR="night run")
    assert held.code == 3, held.err
    assert held.data["hold_reasons"] == ["approval: 0 of 1 reviewers"]
    assert not (tmp_path / "work" / "public" / "log").exists()

    listed = sallyport("candidates", spec, "--json")
    [candidate] = listed.data
    assert candidate["candidate_id"] == held.data["candidate_id"]
    assert candidate["state"] == "approved by the policy"
    report = tmp_path / "work" / "private" / "candidates" / candidate["candidate_id"] / "report.html"
    assert candidate["candidate_root"][:12] in report.read_text("utf-8")

    wrong = sallyport("approve", spec, candidate["candidate_id"], "--digest", "0" * 12, "--reviewer", "Ada")
    assert wrong.code == 2
    same = sallyport("approve", spec, candidate["candidate_id"], "--digest", candidate["candidate_root"][:12], "--reviewer", "Night Run")
    assert same.code == 3
    unknown = sallyport("approve", spec, "nonsense", "--digest", candidate["candidate_root"][:12], "--reviewer", "Ada")
    assert unknown.code == 2
    done = sallyport(
        "approve", spec, candidate["candidate_id"], "--digest", candidate["candidate_root"][:12], "--reviewer", "Ada", "--json"
    )
    assert done.code == 0, done.err

    published = sallyport("release", spec, "--json", SALLYPORT_OPERATOR="night run")
    assert published.code == 0, published.err
    public = open_store((tmp_path / "work" / "public").as_uri())
    verify(public, full=True).raise_if_failed()
    told = b"".join(public.get(key) for key in public.keys("") if key.endswith((".json", ".md", ".html")))
    assert b"Ada" not in told

    refused = sallyport("refuse", spec, candidate["candidate_id"], "--digest", candidate["candidate_root"][:12], "--reviewer", "Grace")
    assert refused.code == 0, refused.err
