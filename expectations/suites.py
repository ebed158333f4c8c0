"""The three suites, reading as the policy does: integrity, leftover PHI, re-identification risk.

Each check names its gate, the unit that a failure concerns, and what a failure means. Running them does not belong here.
"""

from __future__ import annotations

from typing import Any

from great_expectations import expectations as gxe

from expectations.vocabulary import (
    ExpectColumnValuesToBeDicomUids,
    ExpectDeidentificationCodeToBeDeclared,
    ExpectMeasuresToStayWithinTheirBounds,
    ExpectReceiptsToAddUp,
    ExpectStudiesToBeWhole,
)
from tasks.policy import Policy
from tasks.policy.vocabulary import mandatory

TEMPORAL = {"shift": "MODIFIED", "remove": "REMOVED", "keep": "UNMODIFIED"}
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "TransferSyntaxUID")
NEVER_MISSING = ("study_key", "PatientID", *UIDS, "sha256", "status")


def _meta(gate: str, action: str, unit: str) -> dict[str, str]:
    return {"gate": gate, "action": action, "unit": unit}


def integrity_of_instances(policy: Policy) -> list[Any]:
    """INSTANCES: keys, digests, and that what every object declares is what the policy asked for."""
    uids = [
        ExpectColumnValuesToBeDicomUids(column=c, meta=_meta("T5", "block", "instance"), description=f"{c} is a valid UID") for c in UIDS
    ]
    filled = [
        gxe.ExpectColumnValuesToNotBeNull(column=c, meta=_meta("I2", "block", "instance"), description=f"{c} is never missing")
        for c in NEVER_MISSING
    ]
    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=1, meta=_meta("I2", "block", "release"), description="The candidate is not empty"),
        *filled,
        *uids,
        gxe.ExpectColumnValuesToBeUnique(
            column="SOPInstanceUID", meta=_meta("I2", "block", "instance"), description="No object is in the candidate twice"
        ),
        gxe.ExpectColumnValuesToMatchRegex(
            column="sha256", regex="^[0-9a-f]{64}$", meta=_meta("I1", "block", "instance"), description="Every object has its digest"
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="status",
            value_set=["released"],
            meta=_meta("I2", "block", "instance"),
            description="Only objects that passed every stage",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="patients_of_study", max_value=1, meta=_meta("P1", "block", "instance"), description="A study belongs to one patient"
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="studies_of_series", max_value=1, meta=_meta("I2", "block", "instance"), description="A series belongs to one study"
        ),
        ExpectDeidentificationCodeToBeDeclared(
            column="deid_option_codes",
            code="113100",
            meta=_meta("T2", "block", "instance"),
            description="Every object declares the Basic Profile (113100)",
        ),
        gxe.ExpectColumnValuesToNotBeNull(
            column="deid_option_codes", meta=_meta("T2", "block", "instance"), description="Every object declares its options"
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="LongitudinalTemporalInformationModified",
            value_set=[TEMPORAL[policy.headers.dates]],
            meta=_meta("T10", "block", "instance"),
            description="Every object says of its dates what the policy does",
        ),
    ]


def integrity_of_receipts(_: Policy) -> list[Any]:
    """Receipts: one per study, and every count adds up."""
    return [
        gxe.ExpectColumnValuesToBeUnique(column="study_key", meta=_meta("I2", "block", "study"), description="One receipt per study"),
        ExpectReceiptsToAddUp(meta=_meta("I2", "block", "study")),
    ]


def integrity_of_studies(_: Policy) -> list[Any]:
    """Studies of the candidate: whole, as their receipts released them."""
    return [ExpectStudiesToBeWhole(meta=_meta("I2", "block", "study"))]


LEFTOVERS = {
    "T1": "Nothing of this patient's own identity is left",
    "T1x": "Nothing of another patient's identity is left",
    "T2": "Every element was decided, every value is inside its domain, every declaration is true",
    "T3": "Nothing looks like PHI",
    "T5": "No UID carries or betrays the source",
    "T6": "The container is clean: preamble, meta, trailing bytes, bytes inside values",
    "T7": "No text can be read in the pixels that should not be there",
    "T10": "Every date was shifted, by the patient's one offset",
    "U": "Nothing that makes an object useful was lost outside of what was removed",
    "T": "No other rule holds an object back",
}


JUDGED_ELSEWHERE = frozenset({"T", "T2", "T3", "T5", "T6", "T10", "X3", "U"})
"""Gates that speak through findings or rows of objects, and need no measure of the whole candidate."""


def leftovers_in_findings(_: Policy) -> list[Any]:
    """FINDINGS: none that holds an object may concern an object of the candidate; one check per gate."""
    checks: list[Any] = [
        gxe.ExpectColumnValuesToBeInSet(
            column=f"{gate}_holds", value_set=[False], meta=_meta(gate, "quarantine", "instance"), description=description
        )
        for gate, description in LEFTOVERS.items()
    ]
    score = _meta("T", "block", "instance")
    checks.append(
        gxe.ExpectColumnValuesToBeBetween(
            column="score", min_value=0, max_value=1, meta=score, description="Every finding has a score from 0 to 1"
        )
    )
    return checks


def leftovers_in_instances(policy: Policy) -> list[Any]:
    """INSTANCES: every object with pixels was looked at, for text and for faces."""
    checks: list[Any] = [
        gxe.ExpectColumnValuesToBeInSet(
            column="pixels_looked_at",
            value_set=[True],
            meta=_meta("T7", "quarantine", "instance"),
            description="Somebody looked at every object that has pixels",
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="BurnedInAnnotation",
            value_set=["NO"],
            meta=_meta("T7", "quarantine", "instance"),
            description="No object says that it has burned-in text",
        ),
    ]
    if policy.faces.action != "keep":
        checks.append(
            gxe.ExpectColumnValuesToBeInSet(
                column="face_settled",
                value_set=[True],
                meta=_meta("X3", "quarantine", "instance"),
                description="No object may still show a face",
            )
        )
    return checks


def risk_of_measures(_: Policy) -> list[Any]:
    """RISK: every measure was taken, and lies within its bounds."""
    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=4, meta=_meta("K1", "block", "release"), description="Risk was measured"),
        gxe.ExpectColumnDistinctValuesToContainSet(
            column="gate",
            value_set=sorted(mandatory() - JUDGED_ELSEWHERE),
            meta=_meta("K", "block", "release"),
            description="Every gate that must speak has spoken",
        ),
        gxe.ExpectColumnValuesToNotBeNull(column="value", meta=_meta("K1", "block", "release"), description="Every measure has a value"),
        ExpectMeasuresToStayWithinTheirBounds(meta=_meta("K", "measure", "release"), description="Every measure lies within its bounds"),
    ]


SUITES = {
    "integrity": (("instances", integrity_of_instances), ("receipts", integrity_of_receipts), ("studies", integrity_of_studies)),
    "leftover PHI": (("findings", leftovers_in_findings), ("instances", leftovers_in_instances)),
    "re-identification risk": (("risk", risk_of_measures),),
}
"""Suite -> the tables that it judges, each with its expectations."""
