"""Words of too few patients in a candidate (T4): from what workers noted of every written object, minus what reviewers accepted.

Which words are technical is in `tasks/scan`; accepting and refusing in `tasks/value_rules.py`.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tasks.consistency.evidence import flattened, read_evidence
from tasks.policy.gates import GatePolicy
from tasks.publish.store import Store
from tasks.risk.measures import Measure, as_risk_table
from tasks.scan.rarity import TOKENS, rare_tokens, words_at
from tasks.value_rules import ValueRules

WORD = "word"
"""The column under which the report lists words, and rules remember them."""


def read_words(private: Store, instances: pa.Table, policy: GatePolicy) -> pa.Table:
    """Return TOKENS of the candidate's objects: which untechnical word belongs to which patient.

    Every text of every object counts, as the worker noted it; a study without evidence is another gate's failure
    (`measure_crosscheck`). Empty when the policy calls no word rare (k = 1).
    """
    if policy.rare_word_patients_at_least <= 1:
        return TOKENS.empty_table()
    noted = flattened(read_evidence(private, sorted(set(instances["study_key"].to_pylist())), ("texts",)), "texts")
    return words_in(noted.filter(pc.is_in(noted["SOPInstanceUID"], value_set=pc.unique(instances["SOPInstanceUID"]).cast(pa.string()))))


def words_in(noted: pa.Table) -> pa.Table:
    """Return TOKENS of noted texts (PatientID, place, vr, text as stored), each word of each patient and place once."""
    distinct = noted.group_by(["PatientID", "place", "vr", "text"]).aggregate([])
    columns = (distinct[name].to_pylist() for name in ("PatientID", "place", "vr", "text"))
    found = {(patient, place, word) for patient, place, vr, text in zip(*columns, strict=True) for word in words_at(place, vr, text)}
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
    what = f"words of fewer than {policy.rare_word_patients_at_least} patients that nobody has read"
    return as_risk_table([Measure("T4", what, unread.num_rows, unread.num_rows, policy.rare_words, at_most=0)])
