"""Header options: the ten switches of PS3.15 Annex E beside the Basic Profile, and their limits."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class HeaderPolicy(BaseModel):
    """Which PS3.15 options apply (E.3.2 to E.3.11). False always means the Basic Profile's own, stricter action."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clean_descriptors: bool = Field(True, description="113105: clean free text; else remove it")
    clean_structured_content: bool = Field(True, description="113104: clean SR content by the E.3.4 table; else remove it")
    clean_graphics: bool = Field(True, description="113103: clean graphics, text annotations and overlays; else remove them")
    dates: Literal["remove", "shift", "keep"] = Field("remove", description="shift: 113107; keep: 113106; remove: Basic Profile")
    retain_patient_characteristics: bool = Field(False, description="113108: age (capped), sex, size, weight, …")
    age_cap_years: int = Field(90, ge=60, le=120, description="Ages from here on become this age")
    retain_device: Literal["no", "model", "full"] = Field("no", description="113109: model = make, model, software; full = serials too")
    retain_institution: bool = Field(False, description="113112")
    retain_uids: bool = Field(False, description="113110")
    retain_safe_private: bool = Field(False, description="113111: attributes that PS3.15 E.3.10 calls safe")
    private_knowledge_base: Literal["ps3.15", "tcia"] = Field("ps3.15", description="tcia: also what TCIA's knowledge base keeps")
    unknown_tokens: Literal["keep", "remove"] = Field("keep", description="Words of free text outside the clinical vocabulary")
    max_nesting: int = Field(32, ge=1, le=64, description="Deeper objects are rejected")
