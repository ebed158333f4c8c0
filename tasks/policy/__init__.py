"""Policies: the PS3.15 profile and options, what the pixel and face stages do, and the gates' thresholds.

A policy is data (YAML beside this file, or a user's own file); its digest is in every receipt and verdict. How a rule is
applied does not belong here.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.errors import UsageError
from tasks.policy.faces import FacePolicy
from tasks.policy.gates import GatePolicy
from tasks.policy.headers import HeaderPolicy
from tasks.policy.pixels import PixelPolicy

DEFAULT = "shifted-dates"


class Policy(BaseModel):
    """Everything that decides what leaves and what does not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Appears in every released object and manifest")
    headers: HeaderPolicy = HeaderPolicy()
    pixels: PixelPolicy = PixelPolicy()
    faces: FacePolicy = FacePolicy()
    gates: GatePolicy = GatePolicy()

    @property
    def sha256(self) -> str:
        """Return the digest of every setting, defaults included."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def with_gates(self, overrides: dict[str, Any]) -> Policy:
        """Return this policy with some gate thresholds replaced; unknown names are a UsageError."""
        if not overrides:
            return self
        return _validated({**self.model_dump(mode="json"), "gates": {**self.gates.model_dump(mode="json"), **overrides}}, "gates")


def shipped() -> list[str]:
    """Return the names of the policies that come with Sallyport."""
    return sorted(p.name.removesuffix(".yaml") for p in resources.files(__package__).iterdir() if p.name.endswith(".yaml"))


@lru_cache(maxsize=16)
def load_policy(name_or_path: str = DEFAULT) -> Policy:
    """Return a shipped policy by name, or one from a YAML file."""
    if name_or_path in shipped():
        text = (resources.files(__package__) / f"{name_or_path}.yaml").read_text("utf-8")
    else:
        path = Path(name_or_path)
        if not path.is_file():
            raise UsageError(
                "policy", f"no shipped policy of that name ({', '.join(shipped())}) and no such file", "name one of them or a YAML file"
            )
        text = path.read_text("utf-8")
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UsageError("policy", "not valid YAML", "see tasks/policy/shifted-dates.yaml for an example") from None
    if not isinstance(data, dict):
        raise UsageError("policy", "not a mapping", "see tasks/policy/shifted-dates.yaml for an example")
    return _validated(data, "policy")


def _validated(data: dict[str, Any], where: str) -> Policy:
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or where
        raise UsageError(f"policy: {field}", first["msg"], "correct this field") from None
