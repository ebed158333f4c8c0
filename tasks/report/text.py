"""Text from the data, made safe for a page and for a spreadsheet. Nothing else may put data into either.

PRIVACY: a description may hold markup or a formula that would send its neighbours to somebody (tests/leaks/test_report_injection.py).
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable
from html import escape

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # full-width forms count too
_LONGEST = 200


def html(value: object) -> str:
    """Return text for a page: escaped, with control and direction characters made visible, and cut at 200 characters."""
    text = "" if value is None else str(value)
    shown = "".join(c if _harmless(c) else f"\\u{ord(c):04x}" for c in text[:_LONGEST])
    return escape(shown + ("…" if len(text) > _LONGEST else ""), quote=True)


def attribute(value: object) -> str:
    """Return text for a quoted attribute that a script reads back: escaped, otherwise unchanged."""
    return escape(str(value), quote=True).replace("\n", "&#10;").replace("\r", "&#13;").replace("\t", "&#9;")


def csv_table(headers: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    """Return a CSV that no spreadsheet takes for formulas: a cell that begins like one gets an apostrophe before it."""
    sink = io.StringIO()
    writer = csv.writer(sink, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(list(headers))
    for row in rows:
        writer.writerow([_cell(v) for v in row])
    return sink.getvalue().encode("utf-8")


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return "'" + text if text.lstrip(" ").startswith(_FORMULA) and not isinstance(value, int | float) else text


def _harmless(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
