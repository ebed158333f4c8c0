"""What a publisher says about a dataset: title, licence, contact, access tier. Facts for people, none about a patient."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Publication:
    title: str = ""
    description: str = ""
    license_spdx: str = "NOASSERTION"
    contact: str = ""
    access_tier: str = "open"  # open | registered | controlled
