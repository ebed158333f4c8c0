# ruff: noqa: E501 - word lists read as prose; a row of the table is one pattern
"""Which words are clinical or general vocabulary, and which are names: the word lists of `data/` and word formation.

Where a word stands in a text is judged elsewhere in this package.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache, lru_cache
from importlib import resources

from tasks.deidentify.text.calendar import months, weekdays


@cache
def words(name: str) -> frozenset[str]:
    """Return the words of one list in `data/` (folded, lower case)."""
    text = (resources.files(__package__) / "data" / f"{name}.txt").read_text("utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


@cache
def clinical() -> frozenset[str]:
    """Return the clinical words, the standard's own words, medicines, and the names of months and days."""
    return words("clinical") | words("dicom") | words("medicines") | months().keys() | weekdays().keys()


@cache
def _beginnings() -> frozenset[str]:
    """Return the first four letters of every long word of the lists: what a word of the trade begins like."""
    return frozenset(w[:4] for w in clinical() | words("english") if len(w) >= 6)


class SortedWords:
    """A long list of `data/` (words in order, many a line) that is searched where it lies: a set would cost every worker its making."""

    def __init__(self, name: str) -> None:
        text = (resources.files(__package__) / "data" / f"{name}.txt").read_text("utf-8")
        self._lines = [line for line in text.splitlines() if not line.startswith("#")]

    def __contains__(self, word: str) -> bool:
        at = bisect_right(self._lines, word + "!") - 1  # "!" lies between the space after a word and every letter
        return at >= 0 and f" {word} " in f" {self._lines[at]} "


@cache
def _less_common() -> tuple[SortedWords, ...]:
    """Return the lists of words that are known as they stand: no forms are made of them, as are of the clinical words."""
    return SortedWords("uncommon"), SortedWords("diseases"), SortedWords("substances")


@cache
def given_names() -> frozenset[str]:
    return words("given_names")


@cache
def census_names() -> SortedWords:
    """Return the less famous family and given names, none of them a word of another list."""
    return SortedWords("census_names")


@cache
def surnames() -> frozenset[str]:
    return words("surnames")


@cache
def eponyms() -> frozenset[str]:
    whole = words("eponyms")
    return whole | {part for name in whole if "-" in name for part in name.split("-") if len(part) > 2}


# Endings that Latin, Greek and the trade give to findings, procedures and structures, in the languages of the lists.
_ENDINGS = re.compile(
    r"(?:itis|itides|osis|oses|otic|oma|omas|omata|omatous|pathy|pathies|pathic|plasty|plastie|plastik|ectomy|ectomie|ektomie|ectomia|tomy|tomie|stomy|stomie"
    r"|scopy|scopie|skopie|scopia|graphy|graphie|grafie|grafia|gram|gramm|grams|gramme|algia|algie|emia|aemia|uria|urie|lysis|lytic|lith|liths|lithiasis"
    r"|megaly|megalie|penia|penie|plasia|plasie|plegia|paresis|phasia|rrhage|rrhagia|rrhea|rrhoea|sclerosis|sclerotic|stenosis|trophy|trophic|trophie|ectasis|ectasia"
    r"|genic|genous|cele|cyst|cystic|derm|dermal|cardial|cranial|cerebral|costal|dural|hepatic|nephric|neural|ocular|osseous|peritoneal|pleural|renal|spinal|thoracic"
    r"|vascular|vertebral|articular|muscular|lateral|lateralis|medial|medialis|ventral|dorsal|isation|ization|ations|ation|ational|ability|ically|ologic|ological|ologist|ology|ologie|logia"
    r"|ungen|ung|heit|keit|schaft|isch|ische|ischer|ischen|isches|lich|liche|licher|liches|lichen|ierung|ierte|ierter|ectopia|oidal|oideus|oideum|iform|meter|metry|metrie|scope|tion|tions|cion|ciones|zione|zioni|cao|coes|aire|aires|ique|iques|eux|euse)$"
)
# Endings that no family name has.
_SURE_ENDINGS = re.compile(
    r"(?:ogram|ograms|ogramm|ogramme|ography|ographie|ografie|ografia|oscopy|oskopie|ectomy|ectomie|ostomy|oplasty|centesis|opathy|ometry|otherapy)$"
)
_SUFFIXES = ("s", "es", "ed", "d", "ing", "ly", "al", "ic", "er", "ers", "e", "en", "n", "a", "ness", "y", "ies", "ment")
_PREFIXES = (
    "anti", "auto", "bi", "cardio", "cerebro", "co", "de", "dis", "endo", "epi", "extra", "fronto", "gastro", "hemi", "hepato", "hyper", "hypo", "inter", "intra",
    "infra", "iso", "macro", "micro", "mid", "multi", "myo", "nephro", "neuro", "non", "osteo", "para", "parieto", "peri", "pneumo", "poly", "post", "pre",
    "pseudo", "re", "retro", "semi", "sub", "super", "supra", "trans", "tri", "ultra", "un", "veno", "angio", "echo", "electro", "radio", "thermo", "occipito", "temporo",
    "antero", "postero", "latero", "medio", "dorso", "ventro", "cranio", "cervico", "thoraco", "lumbo", "sacro", "costo", "sterno", "vesico", "uretero", "pyelo",
)  # fmt: skip


@lru_cache(maxsize=65536)
def is_known(word: str) -> bool:
    """Say whether a folded word is clinical or general vocabulary, inflected or compounded forms included."""
    return word in words("english") or is_clinical(word) or any(word in listed for listed in _less_common())


@lru_cache(maxsize=65536)
def is_clinical(word: str) -> bool:
    """Say whether a folded word is clinical vocabulary: listed, formed from a listed word, or formed as the trade does."""
    listed = clinical()
    if word in listed or ("e" in word and _without_umlauts(word) in listed):
        return True
    if is_name(word):
        return False
    if len(word) >= 7 and _SURE_ENDINGS.search(word):
        return True
    if len(word) >= 7 and _ENDINGS.search(word) and word[:4] in _beginnings():
        return True  # PRIVACY: the ending alone would let names pass (test_an_ending_alone_makes_no_clinical_word)
    stems = [word[: -len(suffix)] for suffix in _SUFFIXES if word.endswith(suffix) and len(word) - len(suffix) >= 4]
    if any(stem in listed for stem in stems):
        return True
    for prefix in _PREFIXES:
        rest = word[len(prefix) :]
        if word.startswith(prefix) and len(rest) >= 4 and (rest in listed or rest in words("english")):
            return True
    # compounds, as German makes them: Leber|metastasen, Oberbauch|sonographie
    return len(word) >= 9 and any(word[:i] in listed and (word[i:] in listed or word[i + 1 :] in listed) for i in range(4, len(word) - 3))


def _without_umlauts(word: str) -> str:
    """Return a folded word as it is listed where a keyboard without umlauts wrote it: wirbelsaeule, wirbelsaule."""
    return word.replace("ae", "a").replace("oe", "o").replace("ue", "u")


@lru_cache(maxsize=65536)
def is_joined(word: str) -> bool:
    """Say whether a word is two clinical words or abbreviations in one: HEADSEQ, CHESTABD."""
    listed = clinical()
    return any(word[:i] in listed and word[i:] in listed for i in range(3, len(word) - 2))


def is_name(word: str) -> bool:
    """Say whether a folded word is a listed given or family name."""
    return word in given_names() or word in surnames()


def is_listed_name(word: str) -> bool:
    """Say whether a folded word is a name of any list, a word as well or not."""
    return is_name(word) or word in census_names()


def is_only_name(word: str) -> bool:
    """Say whether a folded word is a listed name and nothing else: no word, no eponym."""
    return is_listed_name(word) and word not in clinical() and word not in words("english") and word not in eponyms()
