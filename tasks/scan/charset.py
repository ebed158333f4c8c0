"""Specific Character Set (0008,0005): how the scanner turns source bytes into letters (PS3.3 C.12.1.1.2).

Only names are decoded for comparison; an undecodable value is still searched for as the bytes that it is.
"""

from __future__ import annotations

_CODECS = {
    "": "latin-1",
    "ISO_IR 6": "latin-1",
    "ISO_IR 100": "latin-1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 144": "iso8859_5",
    "ISO_IR 127": "iso8859_6",
    "ISO_IR 126": "iso8859_7",
    "ISO_IR 138": "iso8859_8",
    "ISO_IR 148": "iso8859_9",
    "ISO_IR 203": "iso8859_15",
    "ISO_IR 13": "shift_jis",
    "ISO_IR 166": "tis_620",
    "ISO_IR 192": "utf-8",
    "GB18030": "gb18030",
    "GBK": "gbk",
    "ISO 2022 IR 13": "shift_jis",
    "ISO 2022 IR 87": "iso2022_jp",
    "ISO 2022 IR 159": "iso2022_jp_2",
    "ISO 2022 IR 149": "euc_kr",
    "ISO 2022 IR 58": "iso2022_cn",
}
_DESIGNATIONS = {
    b"\x1b$)C": "euc_kr",
    b"\x1b$)A": "gb2312",
    b"\x1b$B": "iso2022_jp_2",
    b"\x1b$(D": "iso2022_jp_2",
    b"\x1b(J": "iso2022_jp_2",
}


def decode(raw: bytes, character_set: str) -> str:
    """Return the text of a value as best one can; never raises."""
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    for escape, codec in _DESIGNATIONS.items():
        if escape in raw:
            stripped = raw.replace(escape, b"") if codec in ("euc_kr", "gb2312") else raw
            return stripped.replace(b"\x1b(B", b"" if codec in ("euc_kr", "gb2312") else b"\x1b(B").decode(codec, "replace")
    for term in (t.strip() for t in character_set.split("\\")):
        codec = _CODECS.get(term) or _CODECS.get(term.replace("ISO 2022 ", "ISO_").replace("ISO_IR ", "ISO_IR "), "")
        if not codec:
            continue
        try:
            return raw.decode(codec)
        except (UnicodeDecodeError, LookupError):
            continue
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
