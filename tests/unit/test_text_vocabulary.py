"""What a word is to the text engine: the lists are in order, do not contradict each other, and keep what medicine says."""

from __future__ import annotations

import pytest

from tasks.deidentify.text.vocabulary import SortedWords, clinical, is_known, is_listed_name, is_only_name, words

LONG = ("uncommon", "diseases", "substances", "census_names")


@pytest.mark.parametrize("name", LONG)
def test_every_word_of_a_long_list_is_found_where_it_lies(name: str) -> None:
    listed = SortedWords(name)
    every = sorted(words(name))
    assert all(word in listed for word in every)
    assert not any(word + "q" in listed for word in every if word + "q" not in words(name))
    assert "" not in listed


def test_no_name_of_the_census_is_a_word_of_another_list() -> None:
    names = words("census_names")
    assert not names & (clinical() | words("english") | words("uncommon") | words("diseases") | words("substances"))


@pytest.mark.parametrize(
    "word", ["troponin", "keytruda", "pembrolizumab", "echinococcosis", "stapes", "protocolled", "ivcon", "myokarditis"]
)
def test_words_of_the_trade_are_known(word: str) -> None:
    assert is_known(word)


@pytest.mark.parametrize("name", ["kowaldrich", "thembakazi", "okonkwo", "nguyen", "fitzgerald"])
def test_names_are_no_words(name: str) -> None:
    assert not is_known(name)


@pytest.mark.parametrize(("name", "alone"), [("rubalcava", True), ("young", False), ("parkinson", False), ("hodgkin", False)])
def test_a_name_that_is_a_word_or_an_eponym_is_not_only_a_name(name: str, alone: bool) -> None:
    assert is_only_name(name) is alone
    assert is_listed_name(name) or not alone
