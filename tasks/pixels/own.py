"""Whether a reading holds one of the patient's own values: raises a finding's severity, decides nothing about blanking.

A reading is never kept or shown.
"""

from __future__ import annotations

import re
import unicodedata

# Characters that the reader confuses in small type.
_ALIKE = str.maketrans({"0": "o", "1": "i", "l": "i", "5": "s", "8": "b", "2": "z"})


def holds_own_value(text: str, own_values: frozenset[str]) -> bool:
    """Tell whether the reading contains a patient's own value, or one part of at least four characters of it.

    Blind to case, accents, punctuation and to characters that look alike.
    """
    read = _folded(text)
    return bool(read) and any(part in read for part in own_parts(own_values))


def own_parts(own_values: frozenset[str]) -> frozenset[str]:
    """Return the folded values, and the folded words of values of several words."""
    whole = {folded for value in own_values if len(folded := _folded(value)) >= 3}
    words = {folded for value in own_values for word in re.split(r"[\^\s=,]+", value) if len(folded := _folded(word)) >= 4}
    return frozenset(whole | words)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in plain if c.isalnum()).translate(_ALIKE)
