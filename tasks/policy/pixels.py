"""What the text stage does with each class of image."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class PixelPolicy(BaseModel):
    """Clean Pixel Data (113101)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clean: bool = Field(True, description="113101: look at the pixels and blank text; else what may carry text is quarantined")
    photographs: Literal["clean", "quarantine", "refuse"] = "quarantine"
    screen_captures: Literal["clean", "quarantine", "refuse"] = "quarantine"
    max_decoded_bytes: int = Field(2_000_000_000, ge=1_000_000, description="Objects that claim more are rejected before decoding")
