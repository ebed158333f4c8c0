"""Importing with the collector at rest: at rest inside, and only inside."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from flows.importing import collector_at_rest
from tests.flows.sallyport import environment


@pytest.fixture
def _thawed():
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_thawed")
def test_the_collector_rests_inside_and_leaves_out_for_good_what_was_made_there() -> None:
    with collector_at_rest():
        assert not gc.isenabled()
        made = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert not any(one is made for one in gc.get_objects())


@pytest.mark.usefixtures("_thawed")
def test_it_works_again_after_a_module_that_cannot_be_imported() -> None:
    with pytest.raises(ImportError), collector_at_rest():
        raise ImportError
    assert gc.isenabled()


def test_what_workers_are_forked_from_has_imported_what_they_need() -> None:
    """A fork server says nothing when a module that it was to import is not there."""
    said = "import sys, flows.preloaded; print({'distributed', 'pandas', 'tasks.study_job'} <= set(sys.modules), 'prefect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", said], env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
