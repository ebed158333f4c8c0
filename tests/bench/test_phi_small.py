"""The planted-PHI benchmark in small, on unseen templates: no leak outside free text, free text over its bars, table printed."""

from __future__ import annotations

import pytest

from tests.bench.phi import __main__ as benchmark

pytestmark = [pytest.mark.bench, pytest.mark.filterwarnings("ignore")]


def test_nothing_planted_leaks_and_nothing_useful_is_lost(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SALLYPORT_SHARED", raising=False)  # the same corpus everywhere
    code = benchmark.main(
        ["--files-per-base", "1", "--bases", "4", "--tools", "sallyport (shifted-dates),sallyport (strict),no-op", "--leaks"]
    )
    table = capsys.readouterr().out
    with capsys.disabled():
        print("\n" + table)
    assert code == 0
