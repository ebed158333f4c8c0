"""Keyed names for patients and UIDs, and one secret date offset per patient (PS3.15 E.3.6, E.3.9).

Everything is HMAC-SHA-256 under the dataset's secret: the same in every release, and nothing without the secret.
"""

from __future__ import annotations

import base64
import unicodedata
import uuid
from collections.abc import Mapping

from tasks.deidentify.iod import storage_classes
from tasks.secret import Secret

PatientKey = tuple[str, str]  # (issuer, id)
MIN_SHIFT_DAYS, MAX_SHIFT_DAYS = 31, 3650


class Pseudonyms:
    """Pseudonyms of one dataset. Injective: patients and UIDs that differ never share one (96 bits and more)."""

    def __init__(
        self, secret: Secret, dataset: str, aliases: Mapping[PatientKey, PatientKey] | None = None, *, keep_uids: bool = False
    ) -> None:
        self._secret, self._dataset = secret, dataset
        self._aliases = {patient_key(*k): patient_key(*v) for k, v in (aliases or {}).items()}
        self._uids: dict[str, str] = {}
        self.keep_uids = keep_uids

    def resolved(self, issuer: str, patient_id: str) -> PatientKey:
        """Follow merged patient ids to the one that stands for the person; a cycle ends at its smallest member."""
        key, seen = patient_key(issuer, patient_id), set()
        while key in self._aliases and key not in seen:
            seen.add(key)
            key = self._aliases[key]
        return min(seen) if key in seen else key

    def patient_id(self, key: PatientKey) -> str:
        """Return the released PatientID (and PatientName)."""
        digest = self._secret.digest("patient-id", self._dataset, *key)
        return "SP" + base64.b32encode(digest[:15]).decode()

    def uid(self, uid: str) -> str:
        """Return the released UID of a UID: 2.25.<UUID>, at most 44 characters; the standard's own UIDs stay."""
        known = self._uids.get(uid)
        if known is None:
            known = self._uids[uid] = uid if self.keep_uids or is_well_known(uid) else self._map(uid)
            if len(self._uids) > 200_000:
                self._uids.clear()
        return known

    def label(self, label: str) -> str:
        """Return the released form of a label that other attributes refer to (a graphic layer): at most 16 characters of a CS."""
        return "LABEL_" + self._secret.digest("label", self._dataset, label).hex()[:10].upper()

    def shift_days(self, key: PatientKey) -> int:
        """Return the patient's date offset: whole days into the past, never zero."""
        number = int.from_bytes(self._secret.digest("date-shift", self._dataset, *key)[:8], "big")
        return -(MIN_SHIFT_DAYS + number % (MAX_SHIFT_DAYS - MIN_SHIFT_DAYS + 1))

    def _map(self, uid: str) -> str:
        digest = self._secret.digest("uid", self._dataset, uid)
        return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"


def patient_key(issuer: str, patient_id: str) -> PatientKey:
    """Return the identity that a pseudonym is made of: issuer and id, in one spelling of the same characters."""
    return unicodedata.normalize("NFC", issuer.strip(" \x00")), unicodedata.normalize("NFC", patient_id.strip(" \x00"))


def is_well_known(uid: str) -> bool:
    """Say whether a UID is one that the standard registers: public, the same for everybody."""
    from pydicom._uid_dict import UID_dictionary

    # PRIVACY: the root alone proves nothing, an instance can be numbered under it (tests/property/test_pseudonyms.py).
    return uid in UID_dictionary or uid in storage_classes()
