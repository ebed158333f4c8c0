"""The terms of a release: what may change though no object does. The same bytes under other terms are another release.

What the terms mean to readers is in the documents; nothing here is about a patient.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tasks.publish.causes import Cause, refuse
from tasks.publish.log import Entry
from tasks.publish.store import Store
from tasks.spec import Publication


def terms_of(publication: Publication, dataset: str) -> dict[str, str]:
    """Return the terms as release.json states them."""
    return {
        "license_spdx": publication.license_spdx,
        "access_tier": publication.access_tier,
        "title": publication.title or dataset,
        "description": publication.description,
        "contact": publication.contact,
        "url": publication.url,
    }


def changed_terms(public: Store, released: Entry, terms: Mapping[str, str], policy_sha256: str) -> list[str]:
    """Return the names of the terms (and `policy`) that differ from those of a release."""
    key = f"releases/{released.release_id}/release.json"
    try:
        stated: dict[str, Any] = json.loads(public.get(key))
        policy = stated["policy"]["sha256"]
    except KeyError:
        raise refuse(Cause.FILE_MISSING, key) from None
    except (ValueError, TypeError):
        raise refuse(Cause.RELEASE_JSON_CHANGED, key) from None
    changed = [name for name, value in terms.items() if stated.get(name, "") != value]
    return sorted(changed + ["policy"] * (policy != policy_sha256))
