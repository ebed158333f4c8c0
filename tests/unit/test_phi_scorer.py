"""The planted-PHI benchmark judges itself first: a scorer that misses a plant, or that can be gamed, measures nothing."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import pytest

from tests.bench.phi import corpus, report
from tests.bench.phi.adapters import clean_twin, no_op, withhold_everything
from tests.bench.phi.key import Case, Plant
from tests.bench.phi.people import People
from tests.bench.phi.scorer import _found, lower_bound, score

pytestmark = [pytest.mark.bench, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    return corpus.build(tmp_path_factory.mktemp("phi"), seed=5, files_per_base=1, limit_bases=1)


def test_a_no_op_scores_nothing(cases: list[Case]) -> None:
    result = score(cases, no_op(cases, Path()).outputs)
    assert {c: n for c, n in result.removed.items() if n} == {}


def test_a_clean_twin_scores_everything(cases: list[Case]) -> None:
    result = score(cases, clean_twin(cases, Path()).outputs)
    assert (result.leaks, result.losses) == ([], [])


def test_withholding_everything_gains_nothing(cases: list[Case]) -> None:
    result = score(cases, withhold_everything(cases, Path()).outputs)
    assert (sum(result.removed.values()), sum(result.kept.values()), result.released) == (0, 0, 0)


def test_the_corpus_has_ninety_channels_and_more(cases: list[Case]) -> None:
    channels = {plant.channel.split("@")[0] for case in cases for plant in case.plants}
    assert len(channels) >= 90


@pytest.mark.filterwarnings("ignore")
def test_every_single_undone_removal_is_caught(tmp_path: Path) -> None:
    """Plant one channel alone in a clean object: exactly this one is reported."""
    people = People(9)
    missed = []
    for turn, base in enumerate(corpus._bases(5)):
        for number, channel in enumerate(corpus._channel_names(base)):
            if (number + turn) % 23:  # a part of the channels of every base, another of each: little time
                continue
            case = corpus._one(tmp_path, base, f"{number}", {channel}, people)
            if case is None or not case.plants:
                missed.append((base.SOPClassUID.name, channel))
                continue
            caught = score([case], {case.planted: case.planted}).leaks
            if {c for _, _, c in caught} != {channel} or len(caught) != len(case.plants):
                missed.append((base.SOPClassUID.name, channel))
    assert [m for m in missed if "ICC" not in m[1]] == []


@pytest.mark.parametrize(
    "hide",
    [
        lambda t: t.encode(),
        lambda t: t.upper().encode("utf-16-le"),
        lambda t: b"xx" + zlib.compress(b"some text " + t.encode()),
        lambda t: base64.b64encode(b"a" + t.encode() + b"zzzz"),
        lambda t: t.encode().hex().encode(),
        lambda t: b"".join(bytes((b, a)) for a, b in zip(t.encode()[::2], t.encode()[1::2], strict=False)),
    ],
)
def test_a_hidden_value_is_found(hide: object) -> None:
    plant = Plant("c", "k", ("Qzavilonteka",))
    assert _found(b"\0" * 140 + hide("Qzavilonteka") + b"\0\0", [plant]) == {plant}  # type: ignore[operator]


def test_lower_bounds_are_clopper_pearson() -> None:
    assert [round(lower_bound(n, n), 3) for n in (35, 299)] == [0.918, 0.99]


def test_the_exit_code_is_red_on_a_leak(cases: list[Case]) -> None:
    assert report.exit_code({report.OURS: score(cases, no_op(cases, Path()).outputs)}) == 1
