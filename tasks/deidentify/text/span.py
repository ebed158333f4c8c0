"""A stretch of text that has to go, and how stretches are united and cut out.

What has to go is decided elsewhere in this package.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters `start:end` of a value, what kind of identifier they are, and what stands there afterwards."""

    start: int
    end: int
    kind: str  # "" keeps the characters as they are: the replacement is what stood there
    replacement: str = field(repr=False, default="")
    weak: bool = False  # a shape alone: a date in the same place is believed instead


def cut(text: str, spans: Iterable[Span]) -> tuple[str, tuple[str, ...]]:
    """Return the text without the spans, every other character as it was, and the kinds that were cut.

    Spans that overlap become one; a replacement (a shifted date, a capped age) is written only when nothing else claims
    a part of it: what two rules see is removed.
    """
    pieces: list[str] = []
    kinds: list[str] = []
    position = 0
    for start, end, kind, replacement in _united(sorted(_believed(spans), key=lambda s: (s.start, -s.end))):
        pieces += (text[position:start], replacement)
        position = end
        if kind and kind not in kinds:
            kinds.append(kind)
    if not kinds:
        return text, ()
    pieces.append(text[position:])
    return "".join(pieces), tuple(kinds)


def _believed(spans: Iterable[Span]) -> list[Span]:
    """Return the spans without the weak ones that touch a date."""
    found = list(spans)
    dates = [s for s in found if s.replacement and s.kind in ("date", "")]
    return [s for s in found if not s.weak or not any(s.start < d.end and d.start < s.end for d in dates)] if dates else found


def _united(spans: list[Span]) -> list[tuple[int, int, str, str]]:
    united: list[tuple[int, int, str, str]] = []
    for span in spans:
        if span.end <= span.start:
            continue
        if united and span.start < united[-1][1]:
            start, end, kind, replacement = united[-1]
            inside = span.end <= end and replacement and span.replacement  # one date seen twice: the longer form speaks
            united[-1] = (start, max(end, span.end), kind, replacement if inside else "")
        else:
            united.append((span.start, span.end, span.kind, span.replacement))
    return united
