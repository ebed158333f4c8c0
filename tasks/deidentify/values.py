"""One element in, one element out: the actions of PS3.15 Annex E on values.

Which action an attribute gets does not belong here (rules.py), nor does walking through a dataset (rebuild.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from struct import calcsize, unpack

from tasks.deidentify import colour, dates, domains, terms
from tasks.deidentify.charsets import decoded
from tasks.deidentify.encoded_text import without_encoded
from tasks.deidentify.pseudonyms import Pseudonyms
from tasks.deidentify.rules import Action, Rule, read_table
from tasks.deidentify.text import TextCleaner
from tasks.deidentify.text.vocabulary import is_name
from tasks.policy.headers import HeaderPolicy

_MULTIPLE_TEXT = frozenset(("LO", "SH", "UC"))
_BINARY = frozenset(("US", "SS", "UL", "SL", "FL", "FD", "AT", "UV", "SV", "OF", "OD", "OL", "OV", "OW", "OB"))
_DUMMY_TEXT = {
    "DA": "19000101", "TM": "000000", "DT": "19000101000000", "AS": "000Y", "IS": "0", "DS": "0", "AE": "REMOVED",
    "PN": "REMOVED", "LO": "REMOVED", "SH": "REMOVED", "ST": "REMOVED", "LT": "REMOVED", "UT": "REMOVED", "UC": "REMOVED",
    "UR": "urn:removed",
}  # fmt: skip
_TIMEZONE = re.compile(rb"[+-](0\d|1[0-4])[0-5]\d")
_WORD_IN_BYTES = re.compile(rb"[A-Za-z0-9^]{6,}|(?:[A-Za-z0-9^]\x00){5,}")
_RUN_OF_TEXT = re.compile(rb"[\x20-\x7e]{6,}")
_RUN_OF_UTF16 = re.compile(rb"(?:[\x20-\x7e]\x00){5,}")
_SAFE_TABLES = frozenset(("PS3.15 E.3.10", "TCIA knowledge base"))
_VENDOR_TERM = re.compile(r"[A-Z][A-Z_ ]{2,15}")
_NUMBER_FORMATS = {"US": "<H", "SS": "<h", "UL": "<L", "SL": "<l", "UV": "<Q", "SV": "<q", "FL": "<f", "FD": "<d"}
_LABELS = frozenset(("GraphicLayer",))  # names that other attributes refer to
_CODE_TAGS = frozenset(("CodeValue", "LongCodeValue", "CodingSchemeDesignator"))


@dataclass(frozen=True, slots=True)
class Patient:
    """What the values of one object's patient become."""

    pseudonym: str
    shift_days: int = field(repr=False)
    older_than_cap: bool = field(repr=False, default=False)
    constants: frozenset[str] = field(repr=False, default=dates.CONSTANTS)  # dates that are nobody's
    own_codes: frozenset[str] = field(repr=False, default=frozenset())  # ids and names, folded: no code is one of these
    own_numbers: frozenset[bytes] = field(repr=False, default=frozenset())  # ids and dates of birth: no measurement is one of these


class ValueRules:
    """Applies actions to values for one patient; never raises on a value, and keeps none that it cannot judge."""

    def __init__(self, policy: HeaderPolicy, pseudonyms: Pseudonyms, patient: Patient, cleaner: TextCleaner) -> None:
        self.policy, self.pseudonyms, self.patient, self.cleaner = policy, pseudonyms, patient, cleaner

    def applied(
        self, rule: Rule, vr: str, value: bytes, encodings: tuple[str, ...] | None, *, need: str = "", scheme: bytes = b""
    ) -> bytes | None:
        """Return the released value of an element that is not a sequence, None when it is removed.

        A value that does not survive leaves a dummy where the IOD requires one (`need` 1), nothing but its attribute
        where that may be empty (`need` 2).
        """
        result = self._action(rule, vr, value, encodings, scheme)
        if result or rule.action in (Action.REMOVE, Action.EMPTY):
            return result
        if not need or not value.strip(b" \x00"):
            return result
        if need[0] == "2":
            return b""
        return self._dummy(rule, vr, b"")

    def _action(self, rule: Rule, vr: str, value: bytes, encodings: tuple[str, ...] | None, scheme: bytes) -> bytes | None:
        match rule.action:
            case Action.REMOVE | Action.WRITTEN | Action.RECURSE:
                return None
            case Action.EMPTY:
                return b""
            case Action.DUMMY:
                return self._dummy(rule, vr, value) if value.strip(b" \x00") else b""
            case Action.PSEUDONYM:
                return self.patient.pseudonym.encode()
            case Action.MAP_UID:
                return self._mapped(value)
            case Action.SHIFT:
                return self._shifted(vr, value)
            case Action.CAP_AGE:
                return self._age(value)
            case Action.CLEAN:
                return self._cleaned(rule, vr, value, encodings, scheme)
            case Action.KEEP:
                return self._kept(rule, vr, value, encodings)

    def _dummy(self, rule: Rule, vr: str, value: bytes) -> bytes | None:
        if vr == "UI":
            return self._mapped(value)
        if value and vr in ("DA", "TM", "DT") and self.policy.dates != "remove":
            return self._shifted(vr, value) if self.policy.dates == "shift" else self._kept(rule, vr, value, None)
        if vr in _BINARY:
            return bytes(len(value)) if 0 < len(value) <= 1 << 10 else None
        if vr == "CS":
            return terms.dummy_term(rule.keyword).encode()
        text = _DUMMY_TEXT.get(vr)
        return text.encode() if text else None

    def _mapped(self, value: bytes) -> bytes | None:
        found = domains.uids(value)
        if found is None:
            return None
        return "\\".join(self.pseudonyms.uid(uid) if uid else "" for uid in found).encode()

    def _shifted(self, vr: str, value: bytes) -> bytes | None:
        """Shift every component; one that is no date makes the whole value untrustworthy."""
        if vr == "SH":  # Timezone Offset From UTC: offsets are whole days, so that it stays true
            return value.strip(b" \x00") if _TIMEZONE.fullmatch(value.strip(b" \x00")) else None
        days, out = self.patient.shift_days, []
        for part in value.rstrip(b" \x00").decode("latin-1").split("\\"):
            text = part.strip(" ")
            moved: str | None = ""
            if text and vr == "TM":
                moved = dates.shifted_tm(text)
            elif text:
                moved = dates.shifted(vr, text, days, self.patient.constants)
            if moved is None:
                return None
            out.append(moved)
        return "\\".join(out).encode()

    def _age(self, value: bytes) -> bytes | None:
        text = domains.age_string(value)
        capped = dates.capped_age(text, self.policy.age_cap_years, older_than_cap=self.patient.older_than_cap) if text else None
        return capped.encode() if capped else None

    def _kept(self, rule: Rule, vr: str, value: bytes, encodings: tuple[str, ...] | None) -> bytes | None:
        if rule.keyword == "ICCProfile":
            return colour.canonical_profile(value)
        if vr in _BINARY:
            if "PaletteColorLookupTableData" in rule.keyword:
                return value  # judged with the pixels that use it (objects.py)
            if "LUTData" in rule.keyword or "LookupTableData" in rule.keyword:
                return None if colour.holds_text(value, self.cleaner) else value
            kept = domains.numbers(vr, rule.vm, value)
            return None if kept and self.patient.own_numbers and self._is_own_number(vr, kept) else kept
        if vr in ("DS", "IS"):
            digits = domains.decimal_strings(vr, rule.vm, value)
            own = self.patient.own_numbers
            if digits and any(part.strip().lstrip(b"+0") in own or _is_date(part.strip()) for part in digits.split(b"\\")):
                return None
            return digits
        if vr == "CS":
            return self._terms(rule, value)
        if vr in ("DA", "TM", "DT"):
            text = value.rstrip(b" \x00").decode("latin-1")
            return text.encode("latin-1") if all(not t.strip() or dates.is_valid(vr, t.strip(" ")) for t in text.split("\\")) else None
        if vr == "UI":
            found = domains.uids(value)
            return None if found is None else "\\".join(found).encode()
        if vr in domains.MAX_CHARACTERS or vr in ("UT", "UC"):
            plain = decoded(value, encodings, vr)
            return None if plain is None else domains.plain_text(vr, plain).encode("utf-8")
        return None

    def _is_own_number(self, vr: str, value: bytes) -> bool:
        """Say whether a single binary number is one of the patient's: a record number, a date of birth."""
        kind = _NUMBER_FORMATS.get(vr)
        if kind is None or len(value) != calcsize(kind):
            return False
        (number,) = unpack(kind, value)
        return number == number and abs(number) < 1e15 and number == int(number) and str(int(number)).encode() in self.patient.own_numbers  # noqa: PLR0124  # NaN

    def _terms(self, rule: Rule, value: bytes) -> bytes | None:
        """Keep the components that are terms; a value of several keeps its places, so that the others keep their meaning."""
        codes = domains.code_strings(value, rule.vm)
        if codes is None:
            return None
        kept = []
        for code in codes:
            text = code.decode("ascii")
            known = terms.is_term(rule.keyword, text) and text.casefold() not in self.patient.own_codes
            if not known and rule.clause in _SAFE_TABLES:  # a vendor's own words, that no table lists
                known = _VENDOR_TERM.fullmatch(text) is not None and not self.cleaner.clean(text.replace("_", " ")).changed
                known = known and not any(is_name(word.lower()) for word in re.split(r"[ _]+", text))
            if not (known or terms.is_listed(rule.keyword, text)):
                text = self.pseudonyms.label(text) if rule.keyword in _LABELS else terms.dummy_term(rule.keyword)
            kept.append(text)
        if not any(code and text == code.decode() for text, code in zip(kept, codes, strict=True)) and rule.keyword not in _LABELS:
            return None if any(codes) else b""
        return "\\".join(kept).encode()

    def _cleaned(self, rule: Rule, vr: str, value: bytes, encodings: tuple[str, ...] | None, scheme: bytes) -> bytes | None:
        if vr in _BINARY:
            return None if self._names_somebody(value) else value
        text = decoded(value, encodings, vr)
        if text is None:
            return None
        out = []
        for part in text.split("\\") if vr in _MULTIPLE_TEXT else [text]:
            plain = domains.plain_text(vr, part)
            if plain and rule.clause == "(0008,0303)" and not all(terms.is_term("", word) for word in plain.upper().split()):
                return None  # PRIVACY: the object's own word is trusted for words that everybody uses (tests/spec/test_private.py)
            if plain and not (rule.keyword in _CODE_TAGS and self._is_code(rule.keyword, plain, scheme)):
                before = plain
                plain = without_encoded(self.cleaner.clean(plain, rule.keyword).text, self.cleaner)
                if rule.keyword == "CodingSchemeDesignator":
                    plain = "99LOCAL"  # PRIVACY: a scheme that nobody registered may be a name (tests/spec/test_hidden_places.py)
                if not domains.within_length(vr, plain, unchanged=plain == before):
                    plain = plain[: domains.MAX_CHARACTERS[vr]].rstrip(" ")
            out.append(plain)
        return "\\".join(out).encode("utf-8") if any(out) else b""

    def _names_somebody(self, value: bytes) -> bool:
        """Say whether a vendor's bytes hold words: any words where few bytes are, known identifiers where there are many."""
        if len(value) <= 1 << 16 and _WORD_IN_BYTES.search(value):
            return True
        runs = (*_RUN_OF_TEXT.findall(value), *(run[::2] for run in _RUN_OF_UTF16.findall(value)))
        return any(self.cleaner.clean(run.decode("ascii")).changed for run in runs[:10_000])

    def _is_code(self, keyword: str, text: str, scheme: bytes) -> bool:
        """Say whether a code or its scheme is what the standard knows as one, and nothing of the patient.

        How the codes of a scheme are written is a table: what is written so is a code.
        """
        if keyword == "CodingSchemeDesignator":
            return text.split("[", maxsplit=1)[0] in _schemes()
        pattern = _schemes().get(scheme.decode("latin-1"))
        return pattern is not None and pattern.fullmatch(text) is not None and text.casefold() not in self.patient.own_codes


def _is_date(digits: bytes) -> bool:
    """Say whether a number is written as a date of our time: no measurement has eight digits that make one."""
    return len(digits) == 8 and digits[:2] in (b"19", b"20") and digits.isdigit() and dates.day(digits.decode()) is not None


@cache
def _schemes() -> dict[str, re.Pattern[str] | None]:
    return {row["scheme"]: re.compile(row["code"]) if row["code"] else None for row in read_table("coding_schemes.csv")}
