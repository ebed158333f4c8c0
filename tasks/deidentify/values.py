"""One element in, one element out: the actions of PS3.15 Annex E on values.

Which action an attribute gets does not belong here (rules.py), nor does walking through a dataset (rebuild.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tasks.deidentify import dates, domains
from tasks.deidentify.charsets import decoded
from tasks.deidentify.pseudonyms import Pseudonyms
from tasks.deidentify.rules import Action, Rule
from tasks.policy.headers import HeaderPolicy

CleanText = Callable[[str, str], str]
_TEXT = frozenset(("LO", "SH", "ST", "LT", "UT", "UC"))
_MULTIPLE_TEXT = frozenset(("LO", "SH", "UC"))
_BINARY = frozenset(("US", "SS", "UL", "SL", "FL", "FD", "AT", "UV", "SV", "OF", "OD", "OL", "OV", "OW", "OB"))
_DUMMY_TEXT = {
    "DA": "19000101", "TM": "000000", "DT": "19000101000000", "AS": "000Y", "IS": "0", "DS": "0", "CS": "UNKNOWN", "AE": "REMOVED",
    "PN": "REMOVED", "LO": "REMOVED", "SH": "REMOVED", "ST": "REMOVED", "LT": "REMOVED", "UT": "REMOVED", "UC": "REMOVED",
    "UR": "urn:removed",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Patient:
    """What the values of one object's patient become."""

    pseudonym: str
    shift_days: int = field(repr=False)
    older_than_cap: bool = field(repr=False, default=False)


class ValueRules:
    """Applies actions to values for one patient; never raises on a value, and keeps none that it cannot judge."""

    def __init__(self, policy: HeaderPolicy, pseudonyms: Pseudonyms, patient: Patient, clean_text: CleanText | None) -> None:
        self.policy, self.pseudonyms, self.patient, self.clean_text = policy, pseudonyms, patient, clean_text

    def applied(self, rule: Rule, vr: str, value: bytes, encodings: tuple[str, ...] | None) -> bytes | None:
        """Return the released value of an element that is not a sequence, None when it is removed."""
        match rule.action:
            case Action.REMOVE | Action.WRITTEN | Action.RECURSE:
                return None
            case Action.EMPTY:
                return b""
            case Action.DUMMY:
                return self._dummy(rule, vr, value, encodings)
            case Action.PSEUDONYM:
                return self.patient.pseudonym.encode()
            case Action.MAP_UID:
                return self._mapped(value)
            case Action.SHIFT:
                return self._shifted(vr, value)
            case Action.CAP_AGE:
                return self._age(value)
            case Action.CLEAN:
                return self._cleaned(rule, vr, value, encodings)
            case Action.KEEP:
                return self._kept(rule, vr, value)

    def _dummy(self, rule: Rule, vr: str, value: bytes, encodings: tuple[str, ...] | None) -> bytes | None:
        if not value.strip(b" \x00"):
            return b""
        if vr == "UI":
            return self._mapped(value)
        if vr in ("DA", "TM", "DT") and self.policy.dates != "remove":
            return self._shifted(vr, value) if self.policy.dates == "shift" else self._kept(rule, vr, value)
        if vr in _BINARY:
            return bytes(max(len(value), 2)) if len(value) <= 1 << 10 else bytes(2)
        text = _DUMMY_TEXT.get(vr)
        return text.encode() if text else None

    def _mapped(self, value: bytes) -> bytes | None:
        found = domains.uids(value)
        if found is None:
            return None
        return "\\".join(self.pseudonyms.uid(uid) if uid else "" for uid in found).encode()

    def _shifted(self, vr: str, value: bytes) -> bytes | None:
        """Shift every component; one that is no date makes the whole value untrustworthy."""
        days, out = self.patient.shift_days, []
        for part in value.rstrip(b" \x00").decode("latin-1").split("\\"):
            text = part.strip(" ")
            moved: str | None = ""
            if text and vr == "TM":
                moved = dates.shifted_tm(text)
            elif text:
                moved = dates.shifted_da(text, days) if vr == "DA" else dates.shifted_dt(text, days)
            if moved is None:
                return b""
            out.append(moved)
        return "\\".join(out).encode()

    def _age(self, value: bytes) -> bytes | None:
        text = domains.age_string(value)
        capped = dates.capped_age(text, self.policy.age_cap_years, self.patient.older_than_cap) if text else None
        return capped.encode() if capped else b""

    def _kept(self, rule: Rule, vr: str, value: bytes) -> bytes | None:
        if vr in _BINARY:
            return domains.numbers(vr, rule.vm, value)
        if vr in ("DS", "IS"):
            return domains.decimal_strings(vr, rule.vm, value)
        if vr == "CS":
            codes = domains.code_strings(value, rule.vm)
            return None if codes is None else b"\\".join(codes)
        if vr in ("DA", "TM", "DT"):
            text = value.rstrip(b" \x00").decode("latin-1")
            return text.encode("latin-1") if all(not t.strip() or dates.is_valid(vr, t.strip(" ")) for t in text.split("\\")) else b""
        if vr == "UI":
            found = domains.uids(value)
            return None if found is None else "\\".join(found).encode()
        return None

    def _cleaned(self, rule: Rule, vr: str, value: bytes, encodings: tuple[str, ...] | None) -> bytes | None:
        text = decoded(value, encodings, vr)
        if text is None or self.clean_text is None:
            return None
        out = []
        for part in text.split("\\") if vr in _MULTIPLE_TEXT else [text]:
            plain = domains.plain_text(vr, part)
            clean = self.clean_text(plain, rule.keyword) if plain else plain
            if clean is None:
                return None
            out.append(clean if domains.within_length(vr, clean) else clean[: domains.MAX_CHARACTERS[vr]].rstrip(" "))
        return "\\".join(out).encode("utf-8")
