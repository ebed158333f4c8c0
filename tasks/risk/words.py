"""Words of too few patients in a candidate (T4): read from the written objects, minus what reviewers accepted.

Which words are technical is in `tasks/scan`; accepting and refusing in `tasks/value_rules.py`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tasks.policy.gates import GatePolicy
from tasks.publish.store import Store
from tasks.risk.measures import Measure, as_risk_table
from tasks.scan.rarity import TOKENS, rare_tokens, token_rows, tokens_of
from tasks.scan.walk import read_walk
from tasks.value_rules import ValueRules

WORD = "word"
"""The column under which the report lists words, and rules remember them."""


def read_words(private: Store, instances: pa.Table, policy: GatePolicy) -> pa.Table:
    """Return TOKENS of one object of every series of the candidate: which untechnical word belongs to which patient.

    The objects of a series share their descriptions; one is read. Empty when the policy calls no word rare (k = 1).
    """
    if policy.rare_word_patients_at_least <= 1:
        return TOKENS.empty_table()
    one = instances.group_by("SeriesInstanceUID").aggregate([("SOPInstanceUID", "min")])["SOPInstanceUID_min"]
    rows = instances.filter(pc.is_in(instances["SOPInstanceUID"], value_set=one.combine_chunks()))
    found: set[tuple[str, str, str]] = set()
    for patient, key in zip(rows["PatientID"].to_pylist(), rows["quarantine_key"].to_pylist(), strict=True):
        with _as_file(private, key) as path:
            found.update((r["PatientID"], r["place"], r["token"]) for r in token_rows(patient, tokens_of(read_walk(path))))
    return pa.Table.from_pylist([dict(zip(TOKENS.names, row, strict=True)) for row in sorted(found)], schema=TOKENS)


def unread_words(words: pa.Table, rules: ValueRules, policy: GatePolicy) -> pa.Table:
    """Return (token, place, patients) of every rare word that no reviewer accepted; rarest first. Private."""
    rare = rare_tokens(words, policy.rare_word_patients_at_least)
    unread = [rules.choice(WORD, token) != "accept" for token in rare["token"].to_pylist()]
    return rare.filter(pa.array(unread, pa.bool_()))


def patients_with_refused_words(words: pa.Table, rules: ValueRules) -> frozenset[str]:
    """Return the released ids of the patients with a word that a reviewer refused."""
    refused = {t for t in set(words["token"].to_pylist()) if rules.choice(WORD, t) == "refuse"}
    return frozenset(p for p, t in zip(words["PatientID"].to_pylist(), words["token"].to_pylist(), strict=True) if t in refused)


def measure_words(unread: pa.Table, policy: GatePolicy) -> pa.Table:
    """Return T4 as a RISK row: rare words that nobody has read; none may be."""
    least = policy.rare_word_patients_at_least
    measure = Measure(
        "T4", f"words of fewer than {least} patients that nobody has read", unread.num_rows, unread.num_rows, "ask", at_most=0
    )
    return as_risk_table([measure])


@contextmanager
def _as_file(private: Store, key: str) -> Iterator[Path]:
    """Give the path of a stored object: its own in a folder, else a copy that goes away again."""
    local = private.local_path(key)
    if local is not None:
        yield local
        return
    with tempfile.TemporaryDirectory(prefix="sallyport-words-") as folder:
        copy = Path(folder, "object.dcm")
        copy.write_bytes(private.get(key))
        yield copy
