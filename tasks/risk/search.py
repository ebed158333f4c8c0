"""Full-domain search: the least general levels at which every crowd is large enough, few patients being held back.

A level applies to a whole column, so that equal facts stay equal. Holding patients back does not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from tasks.errors import UsageError
from tasks.policy.gates import GatePolicy
from tasks.risk.profiles import Profiles, level_codes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Codes = NDArray[np.int64 | np.int32]

LARGEST_LATTICE = 200_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one node of the lattice gives: patients held back, and classes per patient among those who stay."""

    held: int
    average_risk: float


@dataclass(slots=True)
class Lattice:
    """All combinations of levels over one table of profiles, evaluated on demand and remembered.

    Levels are nested, so the classes of a coarser node are unions of a finer one's: each evaluation starts from the
    smallest table of classes that is fine enough (roll-up), not from a million rows.
    """

    patient: Codes = field(repr=False)
    columns: tuple[tuple[Codes, ...], ...] = field(repr=False)  # per quasi-identifier, per level: the code of every row
    k: int
    evaluated: dict[tuple[int, ...], Outcome] = field(default_factory=dict)
    _rolled: dict[tuple[int, ...], tuple[Codes, Codes]] = field(default_factory=dict, repr=False)

    @property
    def patients(self) -> int:
        return int(self.patient.max()) + 1 if self.patient.size else 0

    def outcome(self, levels: tuple[int, ...]) -> Outcome:
        """Return what the given levels lead to; exact, and the same for any order of rows."""
        if levels not in self.evaluated:
            one_row_each = self.patient.size == self.patients
            self.evaluated[levels] = self._of_classes(levels) if one_row_each else self._of_rows(levels)
        return self.evaluated[levels]

    def _of_classes(self, levels: tuple[int, ...]) -> Outcome:
        """Evaluate where every patient has one row: a small class is held back whole, and no other class shrinks."""
        import numpy as np

        example, size = self._finer_classes(levels)
        keys = _joint_codes([column[level][example] for column, level in zip(self.columns, levels, strict=True)], example.size)
        _, first, of_row = np.unique(keys, return_index=True, return_inverse=True)
        sizes = np.bincount(of_row, weights=size).astype(np.int64)
        self._rolled[levels] = (example[first], sizes)
        staying = sizes >= self.k
        kept = int(sizes[staying].sum())
        return Outcome(self.patients - kept, int(staying.sum()) / kept if kept else 1.0)

    def _finer_classes(self, levels: tuple[int, ...]) -> tuple[Codes, Codes]:
        import numpy as np

        finer = [table for node, table in self._rolled.items() if all(a <= b for a, b in zip(node, levels, strict=True))]
        if not finer:
            return np.arange(self.patient.size), np.ones(self.patient.size, np.int64)
        return min(finer, key=lambda table: table[0].size)

    def _of_rows(self, levels: tuple[int, ...]) -> Outcome:
        """Evaluate where patients have several rows: holding one back shrinks all his classes, so repeat until it settles."""
        import numpy as np

        patients = self.patients
        keys = _joint_codes([column[level] for column, level in zip(self.columns, levels, strict=True)], self.patient.size)
        keys = np.unique(keys, return_inverse=True)[1].astype(np.int64)
        pairs = np.unique(keys * patients + self.patient)
        keys, patient = pairs // patients, pairs % patients
        while True:
            sizes = np.bincount(keys, minlength=1)
            lost = np.zeros(patients, bool)
            lost[patient[sizes[keys] < self.k]] = True
            if not lost.any():
                break
            keys, patient = keys[~lost[patient]], patient[~lost[patient]]
        kept = int(np.unique(patient).size)
        return Outcome(patients - kept, int((sizes > 0).sum()) / kept if kept else 1.0)


def read_lattice(profiles: Profiles, policy: GatePolicy) -> Lattice:
    """Return the lattice of every quasi-identifier that the table has."""
    import numpy as np

    quasi = policy.quasi_identifiers()
    rows = profiles.connection.execute(f"SELECT {', '.join(('patient', *profiles.codes))} FROM profiles").fetchnumpy()  # noqa: S608 - codes
    columns = []
    for i, name in enumerate(profiles.names):
        exact = rows[f"q{i}"]
        tables = [level_codes(profiles, i, quasi[name], level) for level in range(quasi[name].level_count)]
        columns.append(tuple(table[exact].astype(np.int32) for table in tables))
    return Lattice(rows["patient"].astype("int64"), tuple(columns), policy.k)


def find_levels(lattice: Lattice, names: tuple[str, ...], policy: GatePolicy, cap: int) -> Mapping[str, int] | None:
    """Return the levels of least loss at which at most `cap` patients are held back and average risk is met, or None.

    Loss is the sum over columns of level / last level (Sweeney's precision), ties go to fewer held back, then to the
    earlier column kept exact. Exact: coarser levels never hold back more patients, so whatever is finer than a failure fails.
    """
    import numpy as np

    counts = [policy.columns[name].level_count for name in names]
    if prod(counts) > LARGEST_LATTICE:
        raise UsageError(
            "policy: gates.columns", f"more than {LARGEST_LATTICE} combinations of levels", "use fewer bands or quasi-identifiers"
        )
    nodes = np.array(list(product(*(range(c) for c in counts))), dtype=np.int64).reshape(-1, len(names))
    loss = np.round((nodes / np.maximum(np.array(counts) - 1, 1)).sum(axis=1), 9)
    order = np.lexsort((*nodes.T, loss))
    nodes, loss = nodes[order], loss[order]
    failed = np.zeros(len(nodes), bool)
    best: tuple[float, int, tuple[int, ...]] | None = None
    for i in range(len(nodes)):
        if best is not None and loss[i] > best[0]:
            break
        if failed[i]:
            continue
        node = tuple(int(level) for level in nodes[i])
        _tag_failures_above(lattice, node, counts, cap, nodes, failed)
        outcome = lattice.outcome(node)
        if outcome.held > cap or outcome.average_risk > policy.average_risk_at_most:
            continue
        if best is None or (outcome.held, node) < best[1:]:
            best = (float(loss[i]), outcome.held, node)
    return None if best is None else dict(zip(names, best[2], strict=True))


def _tag_failures_above(lattice: Lattice, node: tuple[int, ...], counts: list[int], cap: int, nodes: Any, failed: Any) -> None:
    """Find the coarsest failure on one path from the node to the top by bisection, and mark all that is finer as failed."""
    path = [node]
    while (step := _raise_least(path[-1], counts)) is not None:
        path.append(step)
    low, high = 0, len(path) - 1  # path[high] may pass; everything before low fails
    while low < high:
        middle = (low + high) // 2
        if lattice.outcome(path[middle]).held > cap:
            low = middle + 1
        else:
            high = middle
    last = low if lattice.outcome(path[low]).held > cap else low - 1
    if last >= 0:
        failed |= (nodes <= list(path[last])).all(axis=1)


def _raise_least(node: tuple[int, ...], counts: list[int]) -> tuple[int, ...] | None:
    """Return the node with the relatively finest column one level coarser; None at the top."""
    open_columns = [i for i, level in enumerate(node) if level < counts[i] - 1]
    if not open_columns:
        return None
    i = min(open_columns, key=lambda j: (node[j] / (counts[j] - 1), j))
    return (*node[:i], node[i] + 1, *node[i + 1 :])


def _joint_codes(columns: list[Codes], rows: int) -> Codes:
    """Return one code per row for the combination of all columns; never overflows, since it is made dense on the way."""
    import numpy as np

    joint = np.zeros(rows, np.int64)
    span = 1
    for column in columns:
        width = int(column.max()) + 1 if rows else 1
        if width == 1:
            continue
        if span * width > 1 << 40:
            joint = np.unique(joint, return_inverse=True)[1].astype(np.int64)
            span = int(joint.max()) + 1
        joint = joint * width + column
        span *= width
    return joint
