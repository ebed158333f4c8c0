"""Search output bytes for what must go, compare output with the clean twin for what must stay, and count.

The scorer knows the key and nothing of how any tool works; what it was proved on is in tests/unit/test_phi_scorer.py.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.phi.key import Case, Plant

_CHARSETS = (
    "utf-8",
    "latin-1",
    "cp1251",
    "iso8859_7",
    "iso8859_8",
    "iso8859_6",
    "shift_jis",
    "euc_jp",
    "iso2022_jp",
    "euc_kr",
    "gb18030",
    "utf-16-le",
    "utf-16-be",
)


@dataclass
class Score:
    """Counts of one tool over one corpus. Recall counts only objects that were released: withholding gains nothing."""

    planted: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    removed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    keep_of: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    kept: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    leaks: list[tuple[str, str, str]] = field(default_factory=list)  # case, category, channel
    losses: list[tuple[str, str, str]] = field(default_factory=list)  # case, category, what
    cases: int = 0
    released: int = 0
    cpu_seconds: float = 0.0

    @property
    def leaking_channels(self) -> list[str]:
        return sorted({channel for _, _, channel in self.leaks})


def score(cases: Iterable[Case], outputs: Mapping[Path, Path | None]) -> Score:
    """Score what a tool made of a corpus: planted file -> output file, None where it withheld the object."""
    result = Score()
    for case in cases:
        result.cases += 1
        output = outputs.get(case.planted)
        data = output.read_bytes() if output is not None and output.is_file() else b""
        if data:
            result.released += 1
        found = _found(data, case.plants) if data else set(case.plants)
        for plant in case.plants:
            result.planted[plant.category] += 1
            if plant not in found:
                result.removed[plant.category] += 1
            elif data:
                result.leaks.append((case.name, plant.category, plant.channel))
        _compare(case, output if data else None, result)
    return result


def _found(data: bytes, plants: Iterable[Plant]) -> set[Plant]:
    """Return the plants of which any needle is in the data, in any form."""
    views = [view.lower() for view in views_of(data)]
    return {plant for plant in plants if any(form in view for needle in plant.needles for form in forms_of(needle) for view in views)}


def forms_of(needle: str) -> set[bytes]:
    """Return the byte strings (lower case) under which a needle may be hidden."""
    forms: set[bytes] = set()
    lowered = needle.lower()
    for text in {lowered, needle}:
        for charset in _CHARSETS if not needle.isascii() else ("ascii", "utf-16-le", "utf-16-be"):
            try:
                forms.add(text.encode(charset).lower())
            except UnicodeEncodeError:
                continue
    raw = needle.encode("utf-8")
    for prefix in range(3):
        encoded = base64.b64encode(b"\0" * prefix + raw)
        cut = encoded[(0, 2, 3)[prefix] : len(encoded) // 4 * 4 - 4]
        if len(cut) >= 6:
            forms.add(cut.lower())
    if len(raw) >= 5:
        forms.add(raw.hex().encode())
    if needle.isdigit() and len(needle) >= 6:
        forms.add(needle[::-1].encode())
        forms.add("-".join((needle[:3], needle[3:])).encode())
        forms.add(" ".join((needle[:3], needle[3:])).encode())
    return forms


def views_of(data: bytes) -> Iterator[bytes]:
    """Yield the bytes themselves and everything that can be unpacked from them."""
    yield data
    yield _swapped(data)
    yield from _inflated(data)
    yield from _pixel_views(data)


def _swapped(data: bytes) -> bytes:
    even = data[: len(data) // 2 * 2]
    out = bytearray(even)
    out[0::2], out[1::2] = even[1::2], even[0::2]
    return bytes(out)


def _inflated(data: bytes) -> Iterator[bytes]:
    for match in re.finditer(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08", data):
        try:
            unpacked = zlib.decompressobj(47).decompress(data[match.start() :], 1 << 24)
        except zlib.error:
            continue
        if len(unpacked) > 8:
            yield unpacked
    meta = re.search(rb"1\.2\.840\.10008\.1\.2\.1\.99", data[:1000])
    if meta:
        try:
            start = 144 + int.from_bytes(data[140:144], "little")
            yield zlib.decompressobj(-15).decompress(data[start:], 1 << 26)
        except zlib.error:
            return


def _pixel_views(data: bytes) -> Iterator[bytes]:
    """Yield the unused high bits of the pixels as bytes: nibbles of neighbours joined, and single bits."""
    import io

    import numpy
    import pydicom

    try:
        dataset = pydicom.dcmread(io.BytesIO(data), force=True)
        if dataset.get("BitsAllocated") != 16 or dataset.get("BitsStored", 16) > 12 or "PixelData" not in dataset:
            return
        words = numpy.frombuffer(dataset.PixelData[: len(dataset.PixelData) // 2 * 2], "<u2")
    except Exception:  # an object that cannot be read has no pixels to look at
        return
    nibbles = (words >> 12).astype(numpy.uint8)
    pairs = nibbles[: len(nibbles) // 2 * 2]
    yield (pairs[0::2] << 4 | pairs[1::2]).tobytes()
    yield numpy.packbits((words >> 15).astype(numpy.uint8)).tobytes()


def _compare(case: Case, output: Path | None, result: Score) -> None:
    import pydicom

    clean: Any = pydicom.dcmread(case.twin, force=True)
    try:
        made: Any = pydicom.dcmread(output, force=True) if output is not None else None
    except Exception:
        made = None
    for keep in case.keeps:
        try:
            kept, of = keep.check(clean if made is None else made, clean)
        except Exception:
            kept, of = 0, 1
        if made is None:
            kept = 0
        result.keep_of[keep.category] += of
        result.kept[keep.category] += kept
        if kept < of:
            result.losses.append((case.name, keep.category, keep.what))


def lower_bound(hits: int, of: int, confidence: float = 0.95) -> float:
    """Return the one-sided Clopper-Pearson lower bound of a proportion."""
    if of == 0 or hits == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_least(hits, of, middle) < 1 - confidence:
            low = middle
        else:
            high = middle
    return low


def _at_least(hits: int, of: int, p: float) -> float:
    """Return P(X >= hits) for X ~ Binomial(of, p)."""
    from math import exp, lgamma, log

    if p <= 0.0:
        return 0.0
    if p >= 1.0:
        return 1.0
    total = 0.0
    for k in range(hits, of + 1):
        total += exp(lgamma(of + 1) - lgamma(k + 1) - lgamma(of - k + 1) + k * log(p) + (of - k) * log(1 - p))
    return total
