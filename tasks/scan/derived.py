"""Pseudonyms that anybody can compute: unkeyed digests of the source's ids and UIDs (T5: none derivable without the key).

A seven-digit patient id under plain MD5 is inverted in under a minute; a keyed digest is not. Keyed pseudonyms are not our concern.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import zlib
from collections.abc import Iterator
from functools import lru_cache

from tasks.scan.identity import SourceIdentity, is_public_uid

_ALGORITHMS = ("md5", "sha1", "sha256", "sha512")
_HEX_PREFIX, _DECIMAL_PREFIX, _BASE64_PREFIX = 12, 14, 12
_SHORTEST_WORD = 8
_MOST_COMBINED = 4
_FEWEST_DIGITS = 6
_ID_KINDS = ("patient_id", "patient_name", "accession_number")
_PREFIXES = ("2.25.", "1.2.826.0.1.3680043.8.498.", "1.2.826.0.1.3680043.10.")


@lru_cache(maxsize=4)
def derivable_uids(identity: SourceIdentity) -> frozenset[str]:
    """Return the UIDs that well-known unkeyed recipes make of the source's UIDs."""
    return frozenset(derived for uid in identity.uids for derived in _uids_from(uid))


def derivable_codes(identity: SourceIdentity) -> Iterator[tuple[str, str, bool]]:
    """Yield (kind, code, whether it is a word by itself) for every digest of an id of the source, or of two of its values together.

    Codes are beginnings of the digest in hexadecimal, decimal and base64, lower case; the shortest (8 digits) only as whole words.
    """
    for kind, text in _hashed_texts(identity):
        raw = text.encode("utf-8")
        for algorithm in _ALGORITHMS:
            digest = hashlib.new(algorithm, raw).digest()
            yield kind, digest.hex()[:_HEX_PREFIX], False
            yield kind, digest.hex()[:_SHORTEST_WORD], True
            yield kind, str(int.from_bytes(digest, "big"))[:_DECIMAL_PREFIX], False
            yield kind, base64.b64encode(digest).decode()[:_BASE64_PREFIX].lower(), False
        yield kind, f"{zlib.crc32(raw):08x}", True


def _hashed_texts(identity: SourceIdentity) -> Iterator[tuple[str, str]]:
    ids = sorted(v for v in identity.values if v[0] in _ID_KINDS)
    for kind, value in ids:
        for variant in {value, value.upper(), value.lower(), value.lstrip("0")} - {""}:
            yield kind, variant
    mine = [v for v in ids if v[0] != "accession_number"][:_MOST_COMBINED]
    birthdays = [v for v in sorted(identity.values) if v[0] == "birth_date"][:1]
    for (kind, first), (_, second) in itertools.permutations([*mine, *birthdays], 2):
        for join in ("", "|", "_", "-", "^", " "):
            yield ("patient_id" if kind == "birth_date" else kind), first + join + second


def _uids_from(uid: str) -> Iterator[str]:
    for algorithm in _ALGORITHMS:
        digest = hashlib.new(algorithm, uid.encode()).digest()
        yield f"2.25.{int.from_bytes(digest[:16], 'big')}"
        number = str(int.from_bytes(digest, "big"))
        for prefix in _PREFIXES:
            yield (prefix + number)[:64]
            yield (prefix + number)[: len(prefix) + 39]


def telling_parts(raw: bytes, identity: SourceIdentity) -> Iterator[str]:
    """Yield the kinds of the source's ids and days that stand between the dots of a UID."""
    told = _numbers_told(identity)
    for uid in raw.decode("latin-1").rstrip("\0 ").split("\\"):
        for part in () if is_public_uid(uid) else uid.split("."):
            kind = told.get(part) or (told.get(part[:8]) if len(part) in (12, 14) else None)
            if kind:
                yield kind


@lru_cache(maxsize=4)
def _numbers_told(identity: SourceIdentity) -> dict[str, str]:
    told = dict.fromkeys(identity.dates, "date")
    for kind, value in identity.values:
        digits = "".join(c for c in value if c.isdigit()).lstrip("0")
        if kind in ("patient_id", "accession_number", "birth_date") and len(digits) >= _FEWEST_DIGITS:
            told[digits] = kind
    return told
