"""Every gate of the policy's table has a planted defect that it catches and a clean control that it lets pass.

Switching a gate off, or forgetting to give a new one its defect, fails here.
"""

from __future__ import annotations

import pytest

from expectations.suites import JUDGED_ELSEWHERE, LEFTOVERS, risk_of_measures
from tasks.policy import load_policy
from tasks.policy.vocabulary import gates, mandatory
from tasks.prove.kinds import CANDIDATE_DEFECTS, NOT_PROMISED, OBJECT_DEFECTS, SLOW
from tasks.prove.run import OTHER_KINDS
from tasks.prove.tables import CandidateDefect
from tasks.prove.trials import try_candidates
from tests.unit.test_gate_complete import DEFECTS

POLICY = load_policy()
BY_SUITE = {"X3", "T"}
"""Judged by an expectation over rows: their defects are in test_gate_complete.py, one per check."""


def test_every_gate_has_a_kind_of_defect():
    proven = {d.gate for d in (*CANDIDATE_DEFECTS, *OBJECT_DEFECTS)} | set(OTHER_KINDS)
    assert set(gates()) - proven == BY_SUITE
    assert proven <= set(gates()), "a kind of a gate that is in no table"
    assert {LEFTOVERS["T"], "No object may still show a face"} <= set(DEFECTS)


@pytest.mark.slow
@pytest.mark.parametrize("defect", CANDIDATE_DEFECTS, ids=lambda d: f"{d.gate} {d.kind}")
def test_a_gate_catches_its_defect_and_lets_the_clean_control_pass(defect: CandidateDefect):
    planted, clean = try_candidates(defect, 6 if defect.most > SLOW else 3, POLICY.gates)
    assert clean.caught == 0
    if defect.target == NOT_PROMISED:
        assert planted.outcome == "measured", "told as it is, and called neither met nor missed"
    else:
        assert planted.caught == planted.planted


def test_something_is_promised_of_every_gate():
    assert {d.gate for d in CANDIDATE_DEFECTS} == {d.gate for d in CANDIDATE_DEFECTS if d.target > NOT_PROMISED}


def test_a_gate_that_must_speak_and_says_nothing_holds_the_candidate():
    """The risk suite asks for every mandatory gate by name; which check fails without it is in test_gate_complete.py."""
    (asked,) = [e.value_set for e in risk_of_measures(POLICY) if e.description == "Every gate that must speak has spoken"]
    assert set(asked) == mandatory() - JUDGED_ELSEWHERE
    assert JUDGED_ELSEWHERE - set(LEFTOVERS) == {"X3"}
