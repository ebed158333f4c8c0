"""Publishing happens in windows; preparing does not wait."""

from __future__ import annotations

from datetime import date

import pytest

from tasks.cadence import closed_until, opens_on
from tasks.publish.store import open_store

FRIDAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("window", "last", "opens"),
    [
        ("always", FRIDAY, None),
        ("weekly", None, None),
        ("daily", FRIDAY, date(2026, 11, 21)),
        ("weekly", FRIDAY, date(2026, 11, 23)),
        ("weekly", date(2026, 11, 23), date(2026, 11, 30)),
        ("monthly", FRIDAY, date(2026, 12, 1)),
        ("monthly", date(2026, 12, 31), date(2027, 1, 1)),
        ("monthly", date(2027, 1, 31), date(2027, 2, 1)),
    ],
)
def test_the_next_window(window, last, opens):
    assert opens_on(last, window) == opens


def test_the_first_release_waits_for_nothing(tmp_path):
    assert closed_until(open_store(str(tmp_path)), "ab", "monthly", FRIDAY) is None


def test_a_second_release_waits_and_the_same_one_does_not(tmp_path):
    from tests.publish.corpus import DAY, Shape
    from tests.publish.test_release_protocol import published

    published(tmp_path, Shape(patients=1, series=1, instances=1))
    public = open_store(str(tmp_path / "public"))
    from tasks.publish.log import read_log

    current = read_log(public).current()
    assert closed_until(public, "another", "weekly", DAY) == date(2026, 11, 23)
    assert closed_until(public, "another", "weekly", date(2026, 11, 23)) is None
    assert closed_until(public, str(current.body["root"]), "weekly", DAY) is None
