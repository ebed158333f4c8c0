"""Which attributes an IOD requires (PS3.3): so that what is removed or emptied leaves a valid object.

What happens to an attribute does not belong here.
"""

from __future__ import annotations

from functools import cache

from tasks.deidentify.rules import read_table

_RANK = {"1": 4, "1C": 3, "2": 2, "2C": 1}


@cache
def top_level_types(sop_class_uid: str) -> dict[int, str]:
    """Return the types of the top-level attributes of an IOD: the strictest that any of its modules asks for."""
    modules = _modules().get(sop_class_uid, ())
    found: dict[int, str] = {}
    for module in modules:
        for kind, tags in _by_scope().get(module, {}).items():
            for tag in tags:
                if _RANK[kind] > _RANK.get(found.get(tag, ""), 0):
                    found[tag] = kind
    return found


@cache
def nested_types(sequence_tag: int) -> dict[int, str]:
    """Return the types of the attributes in the items of a sequence, wherever it stands."""
    return {tag: kind for kind, tags in _by_scope().get(f"{sequence_tag:08X}", {}).items() for tag in tags}


def storage_classes() -> frozenset[str]:
    """Return the SOP classes of which this project knows the modules."""
    return frozenset(_modules())


@cache
def _modules() -> dict[str, tuple[str, ...]]:
    return {row["sop_class"]: tuple(row["modules"].split()) for row in read_table("modules.csv")}


@cache
def _by_scope() -> dict[str, dict[str, tuple[int, ...]]]:
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    for row in read_table("types.csv"):
        found.setdefault(row["scope"], {})[row["type"]] = tuple(int(tag, 16) for tag in row["tags"].split())
    return found
