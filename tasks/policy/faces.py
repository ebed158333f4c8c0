"""What the face stage does."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class FacePolicy(BaseModel):
    """Clean Recognizable Visual Features (113102)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["replace", "remove", "brain", "keep", "quarantine"] = Field(
        "replace",
        description="replace: a smooth front over noise; remove: cut to air; brain: only the brain and 8 mm around it stay of a head; "
        "quarantine: hold whatever may show a face; "
        "keep: only outside the open tier, with keep_reason",
    )
    keep_reason: str = Field("", description="Why faces are kept (orbit, sinus, dental, RT); required with action keep")

    @model_validator(mode="after")
    def _keeping_needs_a_reason(self) -> FacePolicy:
        if self.action == "keep" and not self.keep_reason.strip():
            raise ValueError("keep_reason: write why faces are kept")
        return self
