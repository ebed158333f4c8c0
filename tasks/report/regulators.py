"""The regulators' map: which gates answer which question, with what they said of this candidate. Judging does not belong here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import pyarrow as pa
import yaml

from tasks.policy.gates import OPEN_TIER_K

_GRAVE = ("broken", "block", "quarantine", "ask", "info", "pass")


@dataclass(frozen=True, slots=True)
class Answer:
    """One question of one regulator, the gates that answer it, and the gravest thing that any of them said today."""

    framework: str
    item: str
    gates: tuple[str, ...]
    verdict: str  # "not judged" when none of the gates spoke


@lru_cache(maxsize=1)
def questions() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Return (framework, item, gates) of the shipped map."""
    text = (resources.files("tasks.policy") / "tables" / "regulators.yaml").read_text("utf-8")
    return tuple((framework, e["item"], tuple(e["gates"])) for framework, entries in yaml.safe_load(text).items() for e in entries)


def answer_regulators(verdicts: pa.Table, k: int = OPEN_TIER_K) -> list[Answer]:
    """Return every question with today's answer; a question whose gates all kept silent is not answered.

    Where the policy was loosened below the open tier's k, a pass of a gate that counts crowds says so and answers no threshold.
    """
    said: dict[str, set[str]] = defaultdict(set)
    for gate, verdict in zip(verdicts["gate"].to_pylist(), verdicts["verdict"].to_pylist(), strict=True):
        said[gate].add(verdict)
    answers = []
    for framework, item, gates in questions():
        spoken = set().union(*(said[g] for g in gates))
        verdict = next((v for v in _GRAVE if v in spoken), "not judged")
        if k < OPEN_TIER_K and verdict == "pass" and any(g.startswith("K") for g in gates):
            verdict = f"loosened: k = {k}"
        answers.append(Answer(framework, item, gates, verdict))
    return answers


def as_markdown(answers: list[Answer] | None = None) -> str:
    """Return the map for the documentation; with answers, today's verdicts too."""
    lines = []
    entries = answers or [Answer(f, i, g, "") for f, i, g in questions()]
    headers = ("question", "gates", "today") if answers else ("question", "gates")
    for framework in dict.fromkeys(a.framework for a in entries):
        lines += [f"### {framework}", "", _line(headers), _line(["---"] * len(headers))]
        lines += [_line((a.item, ", ".join(a.gates), a.verdict)[: len(headers)]) for a in entries if a.framework == framework]
        lines.append("")
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
