"""A slow, plain reading of every risk measure in Python sets: what the SQL must equal."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations, product
from math import exp, floor, log
from typing import Any

Row = dict[str, Any]


def shown(value: Any, column: Any, level: int) -> Any:
    if value is None or level >= column.level_count - 1:
        return None
    if level == 0:
        return value
    if column.bands:
        return floor(value / column.bands[level - 1] + 1e-9)
    for parents in column.parents[:level]:
        value = parents[value]
    return value


def classes(rows: list[Row], quasi: dict[str, Any], levels: dict[str, int] | None = None) -> dict[tuple[Any, ...], set[str]]:
    found: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for row in rows:
        found[tuple(shown(row[n], c, (levels or {}).get(n, 0)) for n, c in quasi.items())].add(row["PatientID"])
    return found


def smallest(rows: list[Row], quasi: dict[str, Any]) -> int:
    return min((len(p) for p in classes(rows, quasi).values()), default=0)


def special_uniques(rows: list[Row], quasi: dict[str, Any], facts: int) -> int:
    alone: set[str] = set()
    for size in range(1, facts + 1):
        for subset in combinations(quasi, size):
            for key, people in classes(rows, {n: quasi[n] for n in subset}).items():
                if len(people) == 1 and None not in key:
                    alone |= people
    return len(alone)


def largest_stable_set(rows: list[Row], quasi: dict[str, Any], levels: dict[str, int], k: int) -> set[str]:
    """The largest set of patients among whom every class holds k; found by trying all subsets, largest first."""
    people = sorted({r["PatientID"] for r in rows})
    for size in range(len(people), 0, -1):
        for kept in combinations(people, size):
            inside = [r for r in rows if r["PatientID"] in kept]
            if all(len(p) >= k for p in classes(inside, quasi, levels).values()):
                return set(kept)
    return set()


def settled(rows: list[Row], quasi: dict[str, Any], levels: dict[str, int], k: int) -> set[str]:
    """The same by repeated removal, for tables too large to try all subsets."""
    kept = {r["PatientID"] for r in rows}
    while True:
        lost = {
            p for people in classes([r for r in rows if r["PatientID"] in kept], quasi, levels).values() if len(people) < k for p in people
        }
        if not lost:
            return kept
        kept -= lost


def best_levels(rows: list[Row], quasi: dict[str, Any], policy: Any, cap: int) -> dict[str, int] | None:
    people = {r["PatientID"] for r in rows}
    best = None
    for node in product(*(range(c.level_count) for c in quasi.values())):
        levels = dict(zip(quasi, node, strict=True))
        kept = settled(rows, quasi, levels, policy.k)
        inside = [r for r in rows if r["PatientID"] in kept]
        risk = len(classes(inside, quasi, levels)) / len(kept) if kept else 1.0
        if len(people - kept) > cap or risk > policy.average_risk_at_most:
            continue
        loss = round(sum(level / max(c.level_count - 1, 1) for level, c in zip(node, quasi.values(), strict=True)), 9)
        rank = (loss, len(people - kept), node)
        best = min(best, rank) if best else rank
    return None if best is None or len(people) < policy.k else dict(zip(quasi, best[2], strict=True))


def disclosing(rows: list[Row], quasi: dict[str, Any], sensitive: str, policy: Any) -> int:
    known = [r for r in rows if r[sensitive] is not None]
    cells = {(tuple(r[n] for n in quasi), r[sensitive], r["PatientID"]) for r in known}
    everybody = Counter(s for _, s, _ in cells)
    count = 0
    for key in {c for c, _, _ in cells}:
        if len({p for c, _, p in cells if c == key}) < max(policy.k, 2):
            continue
        here = Counter(s for c, s, _ in cells if c == key)
        share = {s: n / here.total() for s, n in here.items()}
        entropy = exp(-sum(p * log(p) for p in share.values()))
        distance = sum(abs(share.get(s, 0) - n / everybody.total()) for s, n in everybody.items()) / 2
        count += (max(share.values()) > policy.max_share or entropy < policy.entropy_l - 1e-9) and distance > policy.closeness_t + 1e-12
    return count


def hidden_by_visits(rows: list[Row], crowd: int) -> tuple[int, int]:
    visits: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in rows:
        known = [d for d in (visits[row["PatientID"]].get(row["StudyInstanceUID"]), row["StudyDate"]) if d is not None]
        visits[row["PatientID"]][row["StudyInstanceUID"]] = min(known) if known else None
    patterns = {}
    for patient, studies in visits.items():
        days = sorted(d for d in studies.values() if d is not None)
        patterns[patient] = (*((d - days[0]).days for d in days), *([None] * (len(studies) - len(days))))
    sizes = Counter(patterns.values())
    return len(patterns), sum(1 for p in patterns.values() if sizes[p] >= crowd)


def differences(now: list[Row], then: list[Row], quasi: dict[str, Any]) -> dict[str, int | None]:
    facts_now, facts_then = defaultdict(set), defaultdict(set)
    for facts, rows in ((facts_now, now), (facts_then, then)):
        for row in rows:
            facts[row["PatientID"]].add(tuple(row[n] for n in quasi))

    def least(crowds: dict[Any, set[str]]) -> int | None:
        return min((len(p) for p in crowds.values()), default=None)

    union, both, added, removed = (defaultdict(set) for _ in range(4))
    for patient in facts_now | facts_then:
        for f in facts_now.get(patient, set()) | facts_then.get(patient, set()):
            union[f].add(patient)
        for pair in product(facts_now.get(patient, set()), facts_then.get(patient, set())):
            both[pair].add(patient)
        for f in facts_now.get(patient, set()) if patient not in facts_then else ():
            added[f].add(patient)
        for f in facts_then.get(patient, set()) if patient not in facts_now else ():
            removed[f].add(patient)
    return {"union": least(union), "intersection": least(both), "added": least(added), "removed": least(removed)}
