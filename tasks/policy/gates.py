"""The gates' thresholds. A gate's meaning is in tasks/scan, tasks/risk and expectations."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class GatePolicy(BaseModel):
    """Thresholds of the risk and leftover-PHI gates; overrides from the spec are recorded in the release."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    k: int = Field(11, ge=1, description="Smallest number of distinct patients that share their quasi-identifiers")
    average_risk: float = Field(0.05, gt=0, le=1, description="Classes divided by patients, at most")
    max_suppressed: float = Field(0.05, ge=0, le=1, description="Share of patients that may be held back to reach k")
