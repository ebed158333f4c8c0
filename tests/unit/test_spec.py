"""A wrong spec is exit 2, names the field and says what to write; it never echoes what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.errors import UsageError
from tasks.spec import parse_spec, read_spec

GOOD: dict[str, Any] = {
    "dataset": "chest-ct",
    "archive": {"kind": "folder", "path": "archive"},
    "private": "file:///p",
    "public": "file:///q",
    "secret": {"file": "s.key"},
}


def test_defaults_are_the_default_policy_and_automatic_approval() -> None:
    spec = parse_spec(GOOD)
    assert (spec.policy, spec.approval, spec.workers.n) == ("shifted-dates", "automatic", 2)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"dataset": "Chest CT"}, "dataset"),
        ({"archive": {"kind": "carrier-pigeon"}}, "archive"),
        ({"archive": {"kind": "folder"}}, "archive.folder.path"),
        ({"archive": {"kind": "dimse", "host": "h", "port": 0, "ae_title": "A"}}, "archive.dimse.port"),
        ({"private": "/var/lib"}, "private"),
        ({"public": "file:///p/"}, "public"),
        ({"secret": {}}, "secret"),
        ({"policy": "no-such-policy"}, "policy"),
        ({"gates": {"k": "many"}}, "gates.k"),
        ({"gates": {"kk": 3}}, "gates.kk"),
        ({"workers": {"n": 0}}, "workers.n"),
        ({"workers": {"scheduler": "http://x"}}, "workers.scheduler"),
        ({"cohort": {"since": "yesterday"}}, "cohort.since"),
        ({"retention": 3}, "retention"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_spec({**GOOD, **change})
    assert caught.value.exit_code == 2
    assert field in caught.value.where


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "dataset: [", "\x00"])
def test_what_is_no_mapping_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(UsageError):
        read_spec(path)


def test_a_message_never_repeats_the_value(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        parse_spec({**GOOD, "cohort": {"since": "Wexelblat"}})
    assert "Wexelblat" not in str(caught.value)


def test_relative_paths_are_relative_to_the_spec(tmp_path: Path) -> None:
    import yaml

    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(GOOD))
    spec = read_spec(path)
    assert spec.archive.path == str(tmp_path / "archive")  # type: ignore[union-attr]
    assert spec.secret.file == str(tmp_path / "s.key")
