"""Words outside the clinical and general vocabulary, for policies that remove what nobody knows (strict).

Names and codes that can be recognised as such are found elsewhere in this package.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.deidentify.text.fold import Text
from tasks.deidentify.text.span import Span
from tasks.deidentify.text.vocabulary import eponyms, is_clinical, is_known, is_name

_TOKEN = re.compile(r"[^\W_]+")
_MEASURE = re.compile(
    r"\d{1,5}(?:mm|cm|m|ms|s|min|h|hz|khz|mhz|t|kv|kvp|ma|mas|ml|mg|kg|g|cc|w|d|y|yo|m|f|x\d{1,4}|st|nd|rd|th|deg|k|p)?|[a-z]{1,3}\d{1,4}[a-z]{0,2}|\d{1,3}[a-z]{1,2}\d{0,3}"
)


def find_unknown(text: Text) -> Iterator[Span]:
    """Yield every word or code that the vocabulary does not hold; numbers of at most five digits and measures stay."""
    for match in _TOKEN.finditer(text.low):
        token = match[0]
        if len(token) == 1 or _MEASURE.fullmatch(token):
            continue
        if token.isalpha() and (is_clinical(token) or token in eponyms() or (is_known(token) and not _named(token, text, match))):
            continue
        pieces = re.findall(r"[^\W\d_]+|\d+", token)
        if len(pieces) > 1 and all(len(p) <= 5 if p.isdigit() else len(p) == 1 or is_clinical(p) for p in pieces):
            continue
        yield Span(text.place(match.start()), text.place(match.end()), "unknown")


def _named(token: str, text: Text, match: re.Match[str]) -> bool:
    """Say whether a general word is written as a name is: `Young` in the middle of a sentence."""
    written = text.original(*match.span())
    return is_name(token) and match.start() > 0 and written[:1].isupper() and not text.value.isupper()
