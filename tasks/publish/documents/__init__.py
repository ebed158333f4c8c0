"""The documents of a release: what people and machines read beside the manifests. Counts, bounds and codes; never a row.

Each module writes one kind of document from the same facts (`ReleaseDescription`); deciding what is released does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from tasks.spec import Publication


@dataclass(frozen=True, slots=True)
class ReleaseDescription:
    """Everything that the documents of one release say, before anything is signed."""

    dataset: str
    release_id: str
    on: date
    root: str
    counts: Mapping[str, int]
    changes: Mapping[str, int]
    policy_name: str
    policy_sha256: str
    policy: Mapping[str, Any]
    option_codes: tuple[str, ...]
    publication: Publication
    gates: list[dict[str, Any]] = field(default_factory=list)
    previous_release_id: str = ""
    changed_terms: tuple[str, ...] = ()
    supersedes: str = ""
    note: str = ""


def write_documents(folder: Path, about: ReleaseDescription) -> None:
    """Write every document of the release into its folder, which already holds `manifests/`."""
    from tasks.publish.documents import conformance, croissant, data_card, dictionary, s5cmd, validation_page

    dictionary.write(folder)
    data_card.write(folder, about)
    conformance.write(folder, about)
    validation_page.write(folder, about)
    croissant.write(folder, about)
    s5cmd.write(folder)
