"""The benchmark's table: recall of what must go, retention of what must stay, lower bounds, yield, channels, CPU.

Counting is done in `scorer`.
"""

from __future__ import annotations

from typing import Any

from tests.bench.phi.scorer import Score, lower_bound

# what our own tool is held to (the default policy): category -> least recall or retention
BARS = {"free text": 0.995, "text residue": 0.98, "traps": 0.95}
OURS = "sallyport (shifted-dates)"


def as_data(scores: dict[str, Score]) -> dict[str, Any]:
    """Return the whole table as plain data."""
    return {
        name: {
            "recall": {c: _proportion(s.removed[c], s.planted[c]) for c in sorted(s.planted)},
            "retention": {c: _proportion(s.kept[c], s.keep_of[c]) for c in sorted(s.keep_of)},
            "yield": _proportion(s.released, s.cases),
            "leaking_channels": s.leaking_channels,
            "cpu_seconds": round(s.cpu_seconds, 2),
        }
        for name, s in scores.items()
    }


def _proportion(hits: int, of: int) -> dict[str, Any]:
    return {"hits": hits, "of": of, "proportion": round(hits / of, 5) if of else None, "at_least_95": round(lower_bound(hits, of), 5)}


def as_text(scores: dict[str, Score], *, leaks: bool = False) -> str:
    """Return the table as text: one row per category, one column per tool."""
    data = as_data(scores)
    names = list(scores)
    width = 24
    lines = ["".ljust(width) + "".join(name[: width - 2].rjust(width) for name in names)]
    for part, title in (("recall", "must go (removed and released / planted)"), ("retention", "must stay")):
        lines += ["", f"-- {title}"]
        for category in sorted({c for name in names for c in data[name][part]}):
            cells = [data[name][part].get(category) for name in names]
            lines.append(category[: width - 1].ljust(width) + "".join(_cell(c).rjust(width) for c in cells))
    lines += ["", "yield".ljust(width) + "".join(_cell(data[n]["yield"]).rjust(width) for n in names)]
    lines.append("leaking channels".ljust(width) + "".join(str(len(data[n]["leaking_channels"])).rjust(width) for n in names))
    lines.append("CPU seconds".ljust(width) + "".join(f"{data[n]['cpu_seconds']:.2f}".rjust(width) for n in names))
    lines.append("cells: proportion (n) >= one-sided 95 % Clopper-Pearson lower bound")
    if leaks:
        for name in names:
            if name.startswith("sallyport"):
                lines += [
                    "",
                    f"-- leaks of {name}",
                    *(f"{case}: {category}: {channel}" for case, category, channel in scores[name].leaks[:400]),
                ]
                lines += [
                    "",
                    f"-- losses of {name}",
                    *(f"{case}: {category}: {what}" for case, category, what in scores[name].losses[:400]),
                ]
    return "\n".join(lines)


def _cell(cell: dict[str, Any] | None) -> str:
    if cell is None or not cell["of"]:
        return "-"
    return f"{100 * cell['proportion']:.2f}% ({cell['of']}) >= {100 * cell['at_least_95']:.1f}"


def exit_code(scores: dict[str, Score]) -> int:
    """Return 1 when our default policy leaks a channel outside free text or misses a bar."""
    ours = scores.get(OURS)
    if ours is None:
        return 0
    if any(category != "free text" for _, category, _ in ours.leaks):
        return 1
    parts = ((ours.removed, ours.planted), (ours.kept, ours.keep_of))
    return int(any(of[c] and hits[c] / of[c] < bar for hits, of in parts for c, bar in BARS.items() if c in of))
