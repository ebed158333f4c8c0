"""Words that name things of imaging, so that a patient called Head or Long does not make every series description a finding.

Names of people do not belong here; what is common in both worlds is kept only where it is mostly the word.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from importlib import resources

_PLACEHOLDERS = frozenset(
    (
        "deidentified", "de-identified", "unknown", "none", "null", "na", "n/a", "nil", "removed", "redacted", "withheld", "patient",
        "subject", "noname", "no-name", "unnamed", "test", "phantom", "xxx", "xxxx", "xxxxx", "unspecified", "default", "empty", "dummy",
    )
)  # fmt: skip


@lru_cache(maxsize=1)
def technical_words() -> frozenset[str]:
    """Return the shipped vocabulary, lower case (its sources are in the file's first lines)."""
    text = (resources.files(__package__) / "data" / "technical_words.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def is_placeholder(value: str) -> bool:
    """Say whether a value stands for no value: "UNKNOWN", "^^^^", "0000", "xxxx"."""
    folded = value.strip(" ^=\0").lower()
    return not folded or len(set(folded)) == 1 or all(w in _PLACEHOLDERS or w.startswith("anon") for w in folded.replace("^", " ").split())


def fold(text: str) -> str:
    """Return the text in lower case without accents (NFKD, combining marks dropped)."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize(
        "NFKD", text.replace("ß", "ss").replace("ø", "o").replace("Ø", "O").replace("ł", "l").replace("Ł", "L")
    )
    return "".join(c for c in decomposed if not unicodedata.combining(c)).lower()
