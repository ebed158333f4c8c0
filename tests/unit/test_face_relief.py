"""Relief is measured on skin; where the field of view cuts a head, the cut is no skin of what was replaced."""

import numpy as np
import pytest

from tasks.deface.region import coordinates, region_grid, surface_front
from tasks.deface.relief import RELIEF_LIMIT_MM, measure_relief


@pytest.fixture(scope="module")
def leaning():
    """A smooth front, and a field of view whose lowest plane leans: it cuts the front before it reaches the skin."""
    x, y, z = coordinates(region_grid())
    view = np.broadcast_to(z > -0.6 * y - 110.0, (z.shape[0], y.shape[1], x.shape[2])).copy()
    behind = y - surface_front(x[:, 0], z[:, 0])[:, None, :]
    return np.where(view, np.clip(20 * behind, -1000, 40), -1000.0).astype(np.float32), view


def test_a_cut_by_the_field_of_view_is_a_relief_unless_it_is_said_to_be_none(leaning):
    values, view = leaning
    with_cut = measure_relief(values, -300.0, view)
    assert with_cut.rms_mm > RELIEF_LIMIT_MM > 0.8 > measure_relief(values, -300.0, view, cut_is_skin=False).rms_mm


def test_a_bump_on_skin_in_view_is_a_relief_either_way(leaning):
    values, view = leaning
    x, y, z = coordinates(region_grid())
    nose = (np.abs(x) < 14) & (np.abs(z + 30) < 10) & (y > -122)
    with_nose = np.where(nose & view, np.float32(40), values)
    assert measure_relief(with_nose, -300.0, view, cut_is_skin=False).rms_mm > RELIEF_LIMIT_MM


def test_whether_a_cut_is_skin_changes_nothing_of_what_decides_that_there_is_a_face(leaning):
    values, view = leaning
    one, other = (measure_relief(values, -300.0, view, cut_is_skin=cut) for cut in (True, False))
    assert (one.in_view, one.with_skin, one.offset_mm) == (other.in_view, other.with_skin, other.offset_mm)
