"""Ranks say who is recognised and how likely chance does as well; a gallery of phantoms with bare faces has the power to tell."""

import numpy as np
import pytest

from tests.bench.face_ranks import apart_by_pixels, compare_gallery, rank_all


def test_probes_that_are_all_recognised_rank_first_and_chance_hardly_does_as_well():
    ranks = rank_all(1 - np.eye(5))
    assert (ranks.mean, ranks.chance) == (1.0, 1 / 120)


def test_distances_that_say_nothing_rank_in_the_middle():
    ranks = rank_all(np.ones((5, 5)))
    assert (ranks.mean, ranks.chance) == (3.0, 1.0)


def test_a_gallery_of_one_kind_in_which_one_person_lies_near_to_everybody_tells_nobody_apart():
    apart = np.tile(np.arange(6.0), (6, 1))
    ranks = rank_all(apart)
    assert (ranks.own, ranks.chance) == ((1, 2, 3, 4, 5, 6), 1.0)


@pytest.mark.parametrize("shift", [0.0, 1.5])
def test_many_people_are_shuffled_and_a_weak_likeness_is_noticed(shift):
    random = np.random.default_rng(4)
    ranks = rank_all(random.normal(size=(24, 24)) - shift * np.eye(24))
    assert (ranks.chance < 0.01) == (shift > 0)


def test_what_all_portraits_have_in_common_tells_nobody_apart():
    random = np.random.default_rng(6)
    common = random.integers(0, 200, (320, 320))
    faces = [(np.clip(common + random.integers(0, 50, (320, 320)), 0, 255).astype(np.uint8),) for _ in range(5)]
    apart = apart_by_pixels(faces, faces)
    assert np.diag(apart) == pytest.approx(np.zeros(5))
    assert apart[~np.eye(5, dtype=bool)].min() > 0.9


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["CT", "MR"])
def test_people_are_known_by_their_faces_and_not_after_defacing(kind, tmp_path):
    ranks = compare_gallery(kind, 12, tmp_path)
    for attacker in {name.split(",")[0] for name in ranks}:
        assert ranks[f"{attacker}, original"].chance < 0.001  # the control: without it the next line says nothing
        assert ranks[f"{attacker}, defaced"].chance > 0.01
