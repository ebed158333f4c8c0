"""Keeping faces needs a written reason, and never reaches a dataset that is open to everyone."""

import pytest
import yaml
from pydantic import ValidationError

from tasks.errors import UsageError
from tasks.policy import load_policy
from tasks.policy.faces import FacePolicy
from tasks.spec import parse_spec


def spec_that_keeps_faces(folder, tier):
    policy = load_policy().model_dump(mode="json") | {"faces": {"action": "keep", "keep_reason": "orbit study"}}
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(policy), "utf-8")
    return {
        "dataset": "orbits",
        "archive": {"kind": "folder", "path": "archive"},
        "policy": str(path),
        "private": "file:///private",
        "public": "file:///public",
        "secret": {"file": "key"},
        "publication": {"access_tier": tier},
    }


def test_keeping_faces_without_a_reason_is_no_policy():
    with pytest.raises(ValidationError, match="write why"):
        FacePolicy(action="keep", keep_reason=" ")


def test_a_dataset_that_is_open_keeps_no_face(tmp_path):
    with pytest.raises(UsageError, match="keeps faces"):
        parse_spec(spec_that_keeps_faces(tmp_path, "open"))


@pytest.mark.parametrize("tier", ["registered", "controlled"])
def test_a_dataset_behind_a_door_may_keep_them(tmp_path, tier):
    assert parse_spec(spec_that_keeps_faces(tmp_path, tier)).loaded_policy().faces.action == "keep"
