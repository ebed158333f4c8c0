"""Specific Character Sets: bytes to text with certainty or not at all (PS3.5 6.1, PS3.3 C.12.1.1.2).

What the text says does not belong here. Output is UTF-8 wherever a value is not ASCII.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from pydicom import charset as pydicom_charset

from tasks.elements import Element

UTF8 = "ISO_IR 192"
_ESC = b"\x1b"
_DELIMITERS = {"PN": {0x5C, 0x5E, 0x3D}}
_TEXT_DELIMITERS = {0x5C, 0x0A, 0x0C, 0x0D, 0x09}


@lru_cache(maxsize=256)
def encodings_of(value: bytes) -> tuple[str, ...] | None:
    """Return the Python encodings of a Specific Character Set value; None when it names one that does not exist."""
    terms = [part.strip() for part in value.decode("ascii", "replace").replace("\x00", "").split("\\")] if value.strip(b" \x00") else [""]
    found = []
    for term in terms:
        encoding = pydicom_charset.python_encoding.get(term) or _spelled_otherwise(term)
        if encoding is None:
            return None
        found.append(encoding)
    return tuple(found)


def declared(buffer: bytes, found: Iterable[Element]) -> bytes:
    """Return the source's own Specific Character Set for an object whose text is all ASCII: the same text in every one of them."""
    for tag, _, start, stop, _ in found:
        if tag == 0x00080005:
            value = buffer[start:stop].strip(b" \x00")
            known = value and all(part.strip().decode("ascii", "replace") in pydicom_charset.python_encoding for part in value.split(b"\\"))
            return value + b" " * (len(value) % 2) if known and encodings_of(value) else b""
    return b""


def decoded(value: bytes, encodings: tuple[str, ...] | None, vr: str) -> str | None:
    """Return the text of a value; None when its bytes are not text of that character set.

    PRIVACY: a value that cannot be read cannot be cleaned, so it is not kept (tests/spec/test_charsets.py).
    """
    if value.isascii() and _ESC not in value:
        return value.decode("ascii")
    if encodings is None:
        return None
    try:
        if _ESC in value:
            return _decoded_with_escapes(value, encodings, vr)
        first = encodings[0]
        if first in ("ascii", "iso8859") and len(encodings) == 1 and first == pydicom_charset.default_encoding:
            return None  # the default repertoire has no such bytes
        return value.decode(first)
    except (UnicodeError, LookupError):
        return None


def _decoded_with_escapes(value: bytes, encodings: tuple[str, ...], vr: str) -> str | None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            text = pydicom_charset.decode_bytes(value, list(encodings), _DELIMITERS.get(vr, _TEXT_DELIMITERS))
        except (UserWarning, UnicodeError, LookupError):
            return None
    return None if "\x1b" in text or "\ufffd" in text else text


def _spelled_otherwise(term: str) -> str | None:
    """Accept the spellings that scanners write for a defined term (ISO-IR 100, iso_ir 192, ISO IR 100)."""
    wanted = term.upper().replace("_", " ").replace("-", " ")
    for known, encoding in pydicom_charset.python_encoding.items():
        if known and known.upper().replace("_", " ").replace("-", " ") == wanted:
            return encoding
    return None
