"""Bars as inline SVG: no script, no style attribute, readable without colour. What is plotted is counted elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.report.text import html

_ROW, _LABEL, _BAR, _NUMBER = 22, 250, 300, 90


def bars(title: str, rows: Sequence[tuple[str, int]], *, mark: int | None = None) -> str:
    """Draw one labelled bar per row, the number beside it; `mark` draws a threshold line at that number."""
    if not rows:
        return f'<p class="none">{html(title)}: nothing to show.</p>'
    largest = max([n for _, n in rows] + [mark or 0, 1])
    height = _ROW * len(rows) + 6
    width = _LABEL + _BAR + _NUMBER
    parts = [f'<svg role="img" aria-label="{html(title)}" viewBox="0 0 {width} {height}" width="{width}" height="{height}">']
    for i, (label, n) in enumerate(rows):
        top = i * _ROW
        long = max(1, round(_BAR * n / largest)) if n else 0
        low = " low" if mark is not None and n < mark else ""
        parts.append(f'<text class="label" x="{_LABEL - 8}" y="{top + 16}" text-anchor="end">{html(label)}</text>')
        parts.append(f'<rect class="bar{low}" x="{_LABEL}" y="{top + 4}" width="{long}" height="{_ROW - 8}"></rect>')
        parts.append(f'<text class="number" x="{_LABEL + long + 6}" y="{top + 16}">{n:,}</text>')
    if mark is not None:
        at = _LABEL + round(_BAR * mark / largest)
        parts.append(f'<line class="mark" x1="{at}" x2="{at}" y1="0" y2="{height}"></line>')
    return "".join([*parts, "</svg>"])
