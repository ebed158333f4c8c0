"""`CONFORMANCE.md`: which PS3.15 profile and options applied with which settings, generated from the policy that ran.

After PS3.2's tables for security profiles. The rules themselves are in the de-identifier.
"""

from __future__ import annotations

from pathlib import Path

from tasks.publish.documents import ReleaseDescription
from tasks.publish.documents.data_card import PROFILE_CODES


def write(folder: Path, about: ReleaseDescription) -> None:
    """Write the statement."""
    supported = "".join(
        f"| {code} | {meaning} | {'declared' if code in about.option_codes else 'not declared'} |\n"
        for code, meaning in PROFILE_CODES.items()
    )
    settings = "".join(
        f"| {section}.{name} | `{value}` |\n"
        for section, values in sorted(about.policy.items())
        if isinstance(values, dict)
        for name, value in sorted(values.items())
    )
    (folder / "CONFORMANCE.md").write_text(
        f"""# Conformance: Application Level Confidentiality (PS3.15 Annex E)

Release {about.release_id} of {about.dataset}, de-identified under policy `{about.policy_name}` (sha256 `{about.policy_sha256}`).

| code (CID 7050) | profile or option | in the objects of this release |
|---|---|---|
{supported}
Attributes without a rule are removed. Replacement UIDs and patient ids are keyed and consistent within the dataset. Attributes
that objects declare: (0012,0062) PatientIdentityRemoved, (0012,0063) DeidentificationMethod, (0012,0064)
DeidentificationMethodCodeSequence, (0028,0301) BurnedInAnnotation, (0028,0302) RecognizableVisualFeatures, (0028,0303)
LongitudinalTemporalInformationModified.

| setting | value |
|---|---|
{settings}""",
        "utf-8",
    )
