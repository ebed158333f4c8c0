"""Other readings of a value: packed, encoded, escaped, spelled apart, backwards. What any of them says, the value says.

Only readings are made here; what is looked for in them is `search`'s business. A reading that makes no sense is harmless: a value
of five and more characters does not appear in it by chance.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import codecs
import html
import lzma
import quopri
import re
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any
from urllib.parse import unquote_to_bytes

_DEEPEST = 3  # base64 of a zip of a text
_LONGEST = 1 << 20
_LONGEST_TEXT = 1 << 13
_MOST_INFLATED = 2 << 20
_MOST_STREAMS = 64
_REMEMBERED_BYTES = 256
_SHORTEST = 5

_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_ZIP = re.compile(rb"PK\x03\x04")
_ZIP_HEADER = 30
_MAGIC = (b"\x1f\x8b\x08", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_TEXT_BYTES = bytes((0, 9, 10, 13, *range(32, 127)))
_PRINTABLE = re.compile(rb"[\x20-\x7e\x80-\xff]{5,}")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9_-]{4}){2,}[A-Za-z0-9+/_-]{0,3}")
_BASE32 = re.compile(rb"[A-Z2-7]{8,}|[a-z2-7]{8,}")
_BASE85 = re.compile(rb"[!-~]{8,}")
_HEX_PAIRS = re.compile(rb"(?:(?:0[xX]|\\x|%)?[0-9A-Fa-f]{2}[ ,:;\-_]{0,2}){5,}")
_HEX_PAIR = re.compile(rb"(?:0[xX]|\\x|%)?([0-9A-Fa-f]{2})")
_CODE_POINT = re.compile(r"\\u\{?([0-9A-Fa-f]{4,6})\}?|\\x([0-9A-Fa-f]{2})|U\+([0-9A-Fa-f]{4,6})")
_DIGIT_GROUPS = re.compile(r"\d+(?:[ .\-/_():]{1,2}\d+){1,15}")
_MOST_GROUPS, _FEWEST_DIGITS = 5, 6
_SINGLE_LETTERS = re.compile(r"(?<![^\W_])[^\W\d_](?:[ .\-_*|]{1,2}[^\W\d_](?![^\W_])){4,}")
_INSIDE_WORDS = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-ZÀ-Þ])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
_LETTERS_AND_DIGITS = re.compile(r"[^\W_]*[^\W\d_]{2}[^\W_]*")
_LEET = str.maketrans("01345789@$", "oieastbgas")


def readings(raw: bytes, *, binary: bool) -> tuple[bytes, ...]:
    """Return what the bytes of one value say when they are read otherwise, each reading once, as UTF-8 or as they come.

    `binary`: of a VR whose bytes are no text. Never raises; of long values only what is cheap is tried.
    """
    return _short_readings(raw, binary) if len(raw) <= _REMEMBERED_BYTES else tuple(_distinct(raw, binary))


@lru_cache(maxsize=4096)
def _short_readings(raw: bytes, binary: bool) -> tuple[bytes, ...]:
    return tuple(_distinct(raw, binary))  # remembered: most values repeat from slice to slice


def _distinct(raw: bytes, binary: bool) -> Iterator[bytes]:
    seen = {raw}
    for reading in _readings(raw, binary, 0):
        if len(reading) >= _SHORTEST and reading not in seen:
            seen.add(reading)
            yield reading


def _readings(raw: bytes, binary: bool, depth: int) -> Iterator[bytes]:
    if not _SHORTEST <= len(raw) <= _LONGEST:
        return
    for inner in (*_unpacked(raw), *_decoded(raw), *(_wide(raw) if binary else ())):
        yield inner
        if depth < _DEEPEST and _makes_sense(inner):
            yield from _readings(inner, True, depth + 1)
    if len(raw) <= _LONGEST_TEXT:
        for run in _PRINTABLE.findall(raw) if binary else (raw,):
            for text in _spelled_otherwise(run.decode("utf-8", "replace")):
                yield text.encode("utf-8", "replace")


def _makes_sense(inner: bytes) -> bool:
    """Say whether what came out is text, or packed once more: what noise decodes to is not decoded again."""
    start = inner[:512]
    return start.startswith(_MAGIC) or len(start.translate(None, _TEXT_BYTES)) * 8 <= len(start)


def _unpacked(raw: bytes) -> Iterator[bytes]:
    """Yield what compressed streams hold, wherever in the bytes they begin (RFC 1950-1952, ZIP, bzip2, xz)."""
    for match in islice(_ZLIB.finditer(raw), _MOST_STREAMS):
        yield from _inflated(raw[match.start() :], zlib.MAX_WBITS)
    at = raw.find(b"\x1f\x8b\x08")
    if at >= 0:
        yield from _inflated(raw[at:], zlib.MAX_WBITS | 16)
    for match in islice(_ZIP.finditer(raw), _MOST_STREAMS):
        at = match.start()
        names = int.from_bytes(raw[at + 26 : at + 28], "little") + int.from_bytes(raw[at + 28 : at + 30], "little")
        yield from _inflated(raw[at + _ZIP_HEADER + names :], -zlib.MAX_WBITS)
    if not raw[:4].isalnum():
        yield from _inflated(raw, -zlib.MAX_WBITS)
    for magic, open_stream in ((b"BZh", bz2.BZ2Decompressor), (b"\xfd7zXZ", lzma.LZMADecompressor)):
        at = raw.find(magic)
        if at >= 0:
            yield from _quietly(_decompress, open_stream(), raw[at:])


def _inflated(raw: bytes, window: int) -> Iterator[bytes]:
    inner = b""
    stream = zlib.decompressobj(window)
    try:
        inner = stream.decompress(raw, _MOST_INFLATED)
    except zlib.error:
        return  # no stream begins here; one that is cut short says what it has
    if inner:
        yield inner


def _decompress(stream: Any, raw: bytes) -> bytes:
    return bytes(stream.decompress(raw, _MOST_INFLATED))


def _decoded(raw: bytes) -> Iterator[bytes]:
    """Yield what base64, base32, base85, hexadecimal pairs and quoted-printable say."""
    for run in _BASE64.findall(raw):
        plain = run.translate(bytes.maketrans(b"-_", b"+/"))
        yield from _quietly(base64.b64decode, plain[: len(plain) - (len(plain) % 4 == 1)] + b"==")
    for run in _BASE32.findall(raw):
        yield from _quietly(base64.b32decode, run.upper() + b"=" * (-len(run) % 8))
    if len(raw) <= _LONGEST_TEXT:
        for run in _BASE85.findall(raw):
            yield from _quietly(base64.b85decode, run)
            yield from _quietly(base64.a85decode, run)
    for run in _HEX_PAIRS.findall(raw):
        yield bytes.fromhex(b"".join(_HEX_PAIR.findall(run)).decode())
    if b"%" in raw:
        yield unquote_to_bytes(raw)
    if b"=" in raw:
        yield from _quietly(quopri.decodestring, raw)


def _wide(raw: bytes) -> list[bytes]:
    """Return bytes without their zeros (UTF-16 and UTF-32 of Latin letters), as EBCDIC, and as UTF-16 of any script."""
    if raw.count(0) * 4 >= len(raw):
        return [raw.replace(b"\0", b"")]
    if len(raw) > _LONGEST_TEXT or raw.isascii():
        return []
    return [raw.decode(codec, "replace").encode("utf-8") for codec in ("cp500", "utf-16-le", "utf-16-be")]


def _spelled_otherwise(text: str) -> Iterator[str]:
    """Yield a text without the separators inside numbers and between single letters, unescaped, turned."""
    if "&" in text:
        yield html.unescape(text)
    if "\\" in text or "U+" in text:
        yield _CODE_POINT.sub(lambda m: chr(min(int(m[1] or m[2] or m[3], 16), 0x10FFFF)), text)
        yield text.replace("\\", "")
    yield " ".join(_joined(text))
    yield _SINGLE_LETTERS.sub(lambda m: re.sub(r"[ .\-_*|]", "", m[0]), text)
    yield _LETTERS_AND_DIGITS.sub(lambda m: m[0].translate(_LEET), text)
    yield text[::-1]
    yield codecs.encode(text, "rot13")


def words_apart(raw: bytes) -> bytes:
    """Return a text with a space wherever a word seems to begin inside a longer one: scanMeierAbdomen, H0447182."""
    if len(raw) > _LONGEST_TEXT:
        return b""
    return _INSIDE_WORDS.sub(" ", raw.decode("utf-8", "replace")).encode("utf-8", "replace")


def _joined(text: str) -> Iterator[str]:
    """Yield neighbouring groups of digits as one number: 0447 1823."""
    for run in _DIGIT_GROUPS.findall(text):
        groups = re.findall(r"\d+", run)
        for first in range(len(groups)):
            for last in range(first + 2, min(first + _MOST_GROUPS, len(groups)) + 1):
                number = "".join(groups[first:last])
                if len(number) >= _FEWEST_DIGITS:
                    yield number


def _quietly(decode: Callable[..., bytes], *arguments: Any) -> Iterator[bytes]:
    """Yield what a decoder makes of the bytes; nothing when they are none of its own."""
    try:
        inner = decode(*arguments)
    except (ValueError, binascii.Error, OSError, EOFError, lzma.LZMAError):
        return
    if inner:
        yield inner
