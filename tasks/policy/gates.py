"""The gates' thresholds and the role of every published column. A gate's meaning is in tasks/scan, tasks/risk and expectations.

Every threshold that counts a crowd follows `k` unless it is written down itself, so that one number loosens or tightens them
together; what was loosened is recorded in the release. Measuring does not belong here.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Asks = Literal["info", "ask", "block"]
Role = Literal["identity", "quasi", "rare", "sensitive", "interval", "text", "technical", "declared", "derived"]

OPEN_TIER_K = 11
STRICT_TIER_K = 20
MOST_CANARIES = 100


class ColumnRole(BaseModel):
    """What a published column can tell about a person, and how it may be coarsened."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    bands: tuple[float, ...] = Field((), description="Widths of ever coarser bands, for a numeric quasi-identifier")
    parents: tuple[dict[str, str], ...] = Field((), description="Ever coarser parents of every value, for a coded quasi-identifier")
    attribute: str = Field("", description="Keyword of the DICOM attribute behind the column: what coarsening rewrites")

    @model_validator(mode="after")
    def _one_kind_of_hierarchy(self) -> ColumnRole:
        if self.bands and self.parents:
            raise ValueError("bands or parents, not both")
        if self.role != "quasi" and (self.bands or self.parents):
            raise ValueError("only a quasi-identifier has a hierarchy")
        if any(width <= 0 for width in self.bands):
            raise ValueError("bands are widths above 0")
        for finer, coarser in zip(self.bands, self.bands[1:], strict=False):
            if coarser <= finer or round(coarser / finer, 9) % 1:
                raise ValueError("each band must be a multiple of the one before it")
        return self

    @property
    def level_count(self) -> int:
        """Return the number of levels: exact, every band or parent, hidden."""
        return 2 + len(self.bands) + len(self.parents)


@lru_cache(maxsize=1)
def shipped_columns() -> dict[str, dict[str, Any]]:
    """Return the role table that comes with Sallyport: every column of the private and public tables."""
    text = (resources.files("tasks.policy") / "tables" / "columns.yaml").read_text("utf-8")
    table: dict[str, dict[str, Any]] = {}
    for role, columns in yaml.safe_load(text).items():
        for name, hierarchy in columns.items():
            table[name] = {"role": role, **(hierarchy or {})}
    return table


class GatePolicy(BaseModel):
    """Thresholds of the risk and leftover-PHI gates; overrides from the spec are recorded in the release."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    leaking_share: float = Field(
        0.001, ge=0, le=1, description="T1: share of objects that kept a value of their own patient; above it nothing is released"
    )
    strangers: int = Field(0, ge=0, description="T1x: places in the candidate that hold another patient's name or number")
    copied: int = Field(0, ge=0, description="I4: patients of the candidate whose pixels another patient has too")
    second_pull_share: float = Field(
        0.01, ge=0, le=1, description="I1, I2: share of pulled studies that are pulled a second time and compared; at least one"
    )
    read_again_share: float = Field(0.01, ge=0, le=1, description="T7: share of the candidate's objects whose pixels are read once more")
    read_again_least: int = Field(4, ge=1, description="T7: objects that are read once more, at least")
    read_again_most: int = Field(300, ge=1, description="T7: objects that are read once more, at most")
    alike: Asks | None = Field(
        None, description="P1: what a pair of series that looks like one person under two pseudonyms means; ask, or info where k is 1"
    )
    alike_correlation: float = Field(0.8, gt=0, le=1, description="P1: correlation above which two series look like one person")
    implausible: Asks | None = Field(
        None, description="I5: what a series that is not what its header says means; ask, or info where k is 1"
    )
    pulled_studies: int | None = Field(None, ge=1, description="I7: studies that one run may pull; above it nothing is pulled")
    outside_objects: int = Field(0, ge=0, description="I7: objects that came and belong to another study than was asked for")
    canaries: int = Field(0, ge=0, le=MOST_CANARIES, description="Made patients that every run takes along and the gates must hold")
    k: int = Field(OPEN_TIER_K, ge=1, description="K1: smallest number of distinct patients that share their quasi-identifiers")
    average_risk: float | None = Field(None, gt=0, le=1, description="K2: classes divided by patients, at most; follows k")
    max_suppressed: float = Field(0.05, ge=0, le=1, description="K1: share of patients that may be held back to reach k")
    few_facts: int = Field(3, ge=0, le=5, description="K3: nobody may be unique on this many quasi-identifiers; 0 switches it off at k = 1")
    max_share: float = Field(0.8, gt=0, le=1, description="K4: largest share of one sensitive value in a crowd")
    entropy_l: float = Field(2.0, ge=1, description="K4: entropy l-diversity of the sensitive values in a crowd")
    closeness_t: float = Field(0.35, ge=0, le=1, description="K4: distance between a crowd's sensitive values and everybody's")
    interval_crowd: int | None = Field(None, ge=1, description="K6: patients that share their pattern of visits; follows k")
    interval_share: float = Field(0.95, ge=0, le=1, description="K6: share of patients in such a crowd")
    difference_crowd: int | None = Field(None, ge=1, description="K7: crowd among patients added or removed since a release; follows k")
    rare_patients: int | None = Field(None, ge=1, description="K8: patients behind every scanner, procedure and body part; follows k")
    rare_word_patients: int | None = Field(
        None, ge=1, description="T4: words of fewer patients are read by a person; 3, or k where that is less"
    )
    report_cell: int | None = Field(None, ge=1, description="K10: smallest count that a public report may show; follows k")
    youngest_years: int = Field(18, ge=0, le=120, description="K9: patients below this age count as minors")
    oldest_years: int = Field(90, ge=60, le=120, description="K9: no age above this may appear")
    usual_weight_kg: tuple[float, float] = Field((40.0, 140.0), description="K9: who is lighter or heavier stands out")
    usual_size_m: tuple[float, float] = Field((1.45, 2.0), description="K9: who is smaller or taller stands out")
    population: int | None = Field(None, ge=1, description="K5: people among whom the patients were found; informative")
    removal_ratio_low: float = Field(0.8, gt=0, le=1, description="B2: a group's chance to stay, against everybody's")
    removal_ratio_high: float = Field(1.25, ge=1, description="B2: the same, upwards")
    standardised_difference: float = Field(0.1, gt=0, le=2, description="B1: candidate against cohort, by group")
    opt_out_hours: float = Field(24, gt=0, description="C2: oldest reading of the opt-out registry at commit")
    four_eyes: bool = Field(True, description="Who ran the release may not approve it")
    approval_days: int = Field(7, ge=1, le=90, description="Days after which an approval expires")
    rare_words: Asks = Field("ask", description="T4: what such a word means while nobody has read it")
    columns: dict[str, ColumnRole] = Field(
        default_factory=dict, validate_default=True, description="Roles that differ from the shipped table; every published column has one"
    )

    @field_validator("columns", mode="before")
    @classmethod
    def _beside_the_shipped_table(cls, value: Any) -> Any:
        return {**shipped_columns(), **value} if isinstance(value, dict) else value

    @property
    def average_risk_at_most(self) -> float:
        """K2's threshold: as written, else 0.05 from k = 11 (0.02 from 20), else what k itself allows."""
        if self.average_risk is not None:
            return self.average_risk
        if self.k >= STRICT_TIER_K:
            return 0.02
        return 0.05 if self.k >= OPEN_TIER_K else 1 / self.k

    @property
    def alike_means(self) -> Asks:
        """P1's action: as written, else a person is asked, but for data whose crowds of one are released on purpose."""
        return self.alike or ("info" if self.k == 1 else "ask")

    @property
    def implausible_means(self) -> Asks:
        """I5's action, like P1's."""
        return self.implausible or ("info" if self.k == 1 else "ask")

    @property
    def interval_crowd_at_least(self) -> int:
        return self.k if self.interval_crowd is None else self.interval_crowd

    @property
    def difference_crowd_at_least(self) -> int:
        return self.k if self.difference_crowd is None else self.difference_crowd

    @property
    def rare_patients_at_least(self) -> int:
        return self.k if self.rare_patients is None else self.rare_patients

    @property
    def rare_word_patients_at_least(self) -> int:
        return min(3, self.k) if self.rare_word_patients is None else self.rare_word_patients

    @property
    def report_cell_at_least(self) -> int:
        return self.k if self.report_cell is None else self.report_cell

    def quasi_identifiers(self) -> dict[str, ColumnRole]:
        """Return the quasi-identifiers in the order of the table."""
        return self.with_role("quasi")

    def with_role(self, role: Role) -> dict[str, ColumnRole]:
        """Return the columns of one role, in the order of the table."""
        return {name: column for name, column in self.columns.items() if column.role == role}
