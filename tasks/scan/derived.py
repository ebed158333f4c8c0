"""Pseudonyms that anybody can compute: unkeyed digests of the source's ids and UIDs (T5: none derivable without the key).

A seven-digit patient id under plain MD5 is inverted in under a minute; a keyed digest is not. Keyed pseudonyms are not our concern.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache

from tasks.scan.identity import SourceIdentity

_ALGORITHMS = ("md5", "sha1", "sha256", "sha512")
_HEX_PREFIX = 12
_ID_KINDS = ("patient_id", "patient_name", "accession_number")
_PREFIXES = ("2.25.", "1.2.826.0.1.3680043.8.498.", "1.2.826.0.1.3680043.10.")


@lru_cache(maxsize=4)
def derivable_uids(identity: SourceIdentity) -> frozenset[str]:
    """Return the UIDs that well-known unkeyed recipes make of the source's UIDs."""
    return frozenset(derived for uid in identity.uids for derived in _uids_from(uid))


def derivable_codes(identity: SourceIdentity) -> Iterator[tuple[str, str]]:
    """Yield (kind, beginning of a hexadecimal digest) for every id of the source."""
    for kind, value in identity.values:
        if kind in _ID_KINDS:
            for variant in {value, value.upper(), value.lower(), value.lstrip("0")} - {""}:
                for algorithm in _ALGORITHMS:
                    yield kind, hashlib.new(algorithm, variant.encode()).hexdigest()[:_HEX_PREFIX]


def _uids_from(uid: str) -> Iterator[str]:
    for algorithm in _ALGORITHMS:
        digest = hashlib.new(algorithm, uid.encode()).digest()
        yield f"2.25.{int.from_bytes(digest[:16], 'big')}"
        number = str(int.from_bytes(digest, "big"))
        for prefix in _PREFIXES:
            yield (prefix + number)[:64]
            yield (prefix + number)[: len(prefix) + 39]
