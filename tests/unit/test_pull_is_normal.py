"""The pull itself is watched (I7): no more studies than the policy allows, and nothing that was not asked for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from flows.studies import check_pull
from tasks.errors import HeldError
from tasks.model import InstanceOutcome, Status, StudyRef
from tasks.policy import load_policy
from tasks.study_job import _is_uncalled_for


def _session(**gates):
    return SimpleNamespace(rules=SimpleNamespace(policy=load_policy().with_gates(gates)))


def test_a_run_that_would_pull_more_than_the_policy_allows_stops_before_it_begins():
    check_pull(_session(), 10**6)
    check_pull(_session(pulled_studies=50), 50)
    with pytest.raises(HeldError, match="51 studies would be pulled, and the policy allows 50") as stopped:
        check_pull(_session(pulled_studies=50), 51)
    assert stopped.value.exit_code == 3


@pytest.mark.parametrize(
    ("asked", "came", "uncalled"),
    [
        ("1.2.3", "1.2.3", False),
        ("1.2.3", "1.2.3\0", False),
        ("1.2.3", "1.2.4", True),
        ("", "1.2.4", False),  # files that belong to no study
        ("1.2.3", "", False),  # what could not be read has another reason
    ],
)
def test_an_object_of_another_study_is_uncalled_for(asked, came, uncalled):
    outcome = InstanceOutcome("x", Status.RELEASED, source_study_instance_uid=came)
    assert _is_uncalled_for(outcome, StudyRef("k", "f", 1, asked)) is uncalled
