"""Words that belong to too few patients (T4): a token of one patient only is a name until somebody has read it.

What reviewers accepted and refused is in `tasks/value_rules.py`; here is what there is to read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pyarrow as pa

from tasks.scan.charset import decode
from tasks.scan.texts import texts_of
from tasks.scan.vocabulary import fold, technical_words
from tasks.scan.walk import Walk

TOKENS = pa.schema(
    [
        pa.field("PatientID", pa.string(), nullable=False),
        pa.field("place", pa.string(), nullable=False),
        pa.field("token", pa.string(), nullable=False),
    ]
)
"""Private: which word of which attribute belongs to which (released) patient."""

_WORD = re.compile(r"[^\W_]{3,}")
_TEXTS = frozenset(("LO", "SH", "ST", "LT", "UT", "UC", "CS", "PN", "AE"))
_OURS = frozenset(("(0010,0010)", "(0010,0020)", "(0012,0062)", "(0012,0063)", "(0008,0005)", "(0002,0013)"))
_DECLARATION = "(0012,0064)"
_LONGEST = 1 << 16


def tokens_of(walk: Walk) -> set[tuple[str, str]]:
    """Return (place without item numbers, word) of every word in the texts of an object that no dictionary of the trade has."""
    return {(place, word) for place, vr, raw in texts_of(walk) for word in words_at(place, vr, raw)}


def words_at(place: str, vr: str, raw: bytes) -> set[str]:
    """Return the words of one value; none where our own declaration stands, or where no text does."""
    if vr not in _TEXTS or len(raw) > _LONGEST or place in _OURS or place.startswith(_DECLARATION):
        return set()
    return words_of(decode(raw, "ISO_IR 192"))


def words_of(text: str) -> set[str]:
    """Return the words of a text that no dictionary of the trade has, folded; numbers of the trade left out."""
    words = technical_words()
    return {word for word in _WORD.findall(fold(text)) if word not in words and not _is_number(word)}


def _is_number(word: str) -> bool:
    """Numbers with at most two letters are sizes, phases, kernels and sequences: 3mm, b31f, t2, 120kv; long ones are ids."""
    digits = sum(c.isdigit() for c in word)
    return digits > 0 and len(word) - digits <= 3 and digits <= 4


def rare_tokens(tokens: pa.Table, fewer_than: int) -> pa.Table:
    """Return (token, place, patients), private, of every word that fewer patients share; rarest first."""
    import pyarrow.compute as pc

    counted = tokens.group_by("token").aggregate([("place", "min"), ("PatientID", "count_distinct")])
    named = counted.select(["token", "place_min", "PatientID_count_distinct"]).rename_columns(["token", "place", "patients"])
    few = named.filter(pc.less(named["patients"], fewer_than))
    return few.sort_by([("patients", "ascending"), ("token", "ascending")])


def token_rows(patient_id: str, found: Iterable[tuple[str, str]]) -> Iterator[dict[str, str]]:
    """Yield TOKENS rows of one object."""
    for place, token in sorted(found):
        yield {"PatientID": patient_id, "place": place, "token": token}
