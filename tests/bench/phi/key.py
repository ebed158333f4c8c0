"""The key of a planted corpus: what was planted where, and what has to stay.

How it is planted (`channels_*`), searched and counted (`scorer`) does not belong here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Path_ = tuple[int | str, ...]  # keyword or tag, item number, keyword or tag, …


@dataclass(frozen=True, slots=True)
class Plant:
    """One thing that must go: the strings of which none may be found in the output, in any form."""

    channel: str
    category: str
    needles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Keep:
    """One thing that must stay: `check(output, clean source)` says how much of it did, as (kept, of)."""

    what: str
    category: str
    check: Callable[[Dataset, Dataset], tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Case:
    """One planted file, its clean twin (same object, nothing planted), and its part of the key."""

    name: str
    planted: Path
    twin: Path
    plants: tuple[Plant, ...]
    keeps: tuple[Keep, ...]
    held_out: bool = False


@dataclass
class Build:
    """An object in the making: a dataset that channels write into, edits of its bytes, and the key as it grows.

    With `plant` false nothing is planted and the result is the clean twin: same object, same words around the gaps.
    """

    dataset: Any
    people: Any  # tests.bench.phi.people.People
    plant: bool
    plants: list[Plant] = field(default_factory=list)
    keeps: list[Keep] = field(default_factory=list)
    edits: list[Callable[[bytes], bytes]] = field(default_factory=list)
    only: str | None = None  # plant this channel alone

    def says(self, channel: str, category: str, needle: str, *more: str, clean: str = "") -> str:
        """Record a plant and return what to write: the needle, or in the twin (and for other channels) `clean`."""
        if not self.plant or (self.only is not None and self.only != channel):
            return clean
        self.plants.append(Plant(channel, category, (needle, *more)))
        return needle

    def active(self, channel: str) -> bool:
        return self.plant and (self.only is None or self.only == channel)


def at(dataset: Dataset, path: Path_) -> Any:
    """Return the value at a path, None when it is not there."""
    here: Any = dataset
    for step in path:
        try:
            here = (
                here[step]
                if isinstance(step, int) and not hasattr(here, "file_meta") and not hasattr(here, "group_dataset")
                else here[step].value
            )
        except (KeyError, IndexError, TypeError):
            return None
    return here
