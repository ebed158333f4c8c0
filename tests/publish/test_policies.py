"""The roles' policies: Terraform's are the JSON's, and open data does not lock the withdrawer out.

That a run writes nothing else is in `tests/flows/test_withdrawn.py`, that a server enforces them in `test_s3_real.py`.
"""

from __future__ import annotations

import fnmatch
import json
import os
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

INFRA = Path(__file__).resolve().parents[2] / "infra"
make = runpy.run_path(str(INFRA / "policies/make.py"))


def allowed(role: str, side: str, action: str) -> list[str]:
    return [p for actions, patterns in make["ROLES"][role].get(side, ()) if action in actions for p in patterns]


def test_the_policies_in_the_repository_are_the_generated_ones():
    for side in make["FILES"]:
        assert json.loads((INFRA / f"policies/{side}.json").read_text()) == make["placeholder_policy"](side)


def test_open_data_does_not_forbid_the_withdrawer_to_delete():
    policy = make["bucket_policy"]("public", "b", "d", {"publisher": "P", "withdrawer": "W", "reader": "*"})
    denied = next(s for s in policy["Statement"] if s["Sid"].startswith("Immutable"))
    assert denied["Principal"] == {"AWS": ["P"]}


def test_nobody_but_the_withdrawer_may_write_the_suppression_list_and_workers_may_not_read_it():
    for role in ("worker", "publisher", "reviewer", "reader"):
        for action in ("s3:PutObject", "s3:DeleteObject"):
            assert not [p for p in allowed(role, "private", action) if fnmatch.fnmatch("vault/suppression/x.json", p)]
    assert not [p for p in allowed("worker", "private", "s3:GetObject") if fnmatch.fnmatch("vault/suppression/x.json", p)]


@pytest.mark.skipif(not shutil.which("terraform"), reason="terraform is not installed")
@pytest.mark.parametrize("readers", [["*"], ["arn:one", "arn:two"], []])
def test_terraform_fills_the_same_policies_in(tmp_path, readers):
    for name in ("policies", "terraform/policies"):
        shutil.copytree(INFRA / name, tmp_path / name, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    roles = {role: f"arn:{role}" for role in ("worker", "publisher", "reviewer", "withdrawer")}
    values = {"dataset": "set", "buckets": {"private": "one", "public": "two"}, "roles": roles, "readers": readers}
    (tmp_path / "terraform/policies/terraform.tfvars.json").write_text(json.dumps(values))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    for command in (["init", "-input=false"], ["apply", "-auto-approve", "-input=false"]):
        subprocess.run(["terraform", *command], cwd=tmp_path / "terraform/policies", check=True, capture_output=True, env=environment)
    state = json.loads((tmp_path / "terraform/policies/terraform.tfstate").read_text())
    found = {side: json.loads(text) for side, text in state["outputs"]["json"]["value"].items()}
    principals = roles | ({"reader": "*" if readers == ["*"] else readers} if readers else {})
    for side, bucket in values["buckets"].items():
        mine = {role: arn for role, arn in principals.items() if role in make["FILES"][side]}
        expected = make["bucket_policy"](side, bucket, "set", mine)
        for statement in expected["Statement"]:
            if statement["Effect"] == "Allow" and statement["Principal"] == "*":
                statement["Principal"] = {"AWS": "*"}  # the same to S3
        assert found[side] == expected
