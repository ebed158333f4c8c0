"""Persons whom only the text knows: the names after titles, roles and cues, before degrees, and beside each other.

What announces a name is in `person_cues`, unannounced names are found in `lone`, those of the source headers in `own_names`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from tasks.deidentify.text.fold import Text
from tasks.deidentify.text.own_names import PARTICLES
from tasks.deidentify.text.own_values import GENERIC_PLACE_WORDS
from tasks.deidentify.text.person_cues import (
    CUE,
    DEGREE,
    DEGREE_HERE,
    DOES,
    GUARDED_TITLES,
    INITIALS,
    LISTED_ONLY,
    PLAIN_DEGREE,
    SIGNATURES,
    STOP,
    STRONG_TITLES,
    TITLE,
    WEAK_CUES,
    WORD,
)
from tasks.deidentify.text.span import Span
from tasks.deidentify.text.vocabulary import (
    eponyms,
    given_names,
    is_clinical,
    is_known,
    is_listed_name,
    is_name,
    is_only_name,
    surnames,
    words,
)

# How far the surroundings vouch for a name: a shape alone; a cue; a title or a labelled field.
_SHAPE, _CUED, _SURE = 0, 1, 2
_SIGN = "sister mary joseph"  # the nodule: a title, a given name and a surname that are nobody's
_ABBREVIATION = re.compile(r"[^\W\d_]\.\s?[^\W\d_]\.")
_STEP = re.compile(r"\.?-|\.\s?|\s|,\s?|\^")


def find_persons(text: Text) -> Iterator[Span]:
    """Yield the names that a title, a cue, a degree or a name beside them gives away."""
    if _SIGN not in text.low:
        yield from _found(text)
        return
    sign = text.low.index(_SIGN)
    start, end = text.place(sign), text.place(sign + len(_SIGN))
    yield from (span for span in _found(text) if span.end <= start or span.start >= end)


def _found(text: Text) -> Iterator[Span]:
    yield from _titled(text)
    yield from _announced(text)
    for match in DEGREE.finditer(text.low):
        start = _name_before(text, match.start())
        if start is not None:
            yield _span(text, start, match.start())
    yield from _paired(text)
    yield from _subjects(text)


def _span(text: Text, start: int, end: int) -> Span:
    return Span(text.place(start), text.place(end), "person")


def _titled(text: Text) -> Iterator[Span]:
    for match in TITLE.finditer(text.low):
        title, written = match["t"], text.original(*match.span("t"))
        if match.end() == match.end("t") and title.isascii():
            continue  # a word that begins like a title
        if title in ("oa", "pd", "drs") and written[:1].isupper() and _is_name_alone(text, match.end()):
            pass
        elif title in GUARDED_TITLES and not (
            match["dot"] and written[:1].isupper() and (len(written) == 1 or not written.isupper() or text.value.isupper())
        ):
            continue
        vouched = _SURE if title in STRONG_TITLES and (written[:1].isupper() or match["dot"]) else _CUED
        if title in ("dr", "mr", "ms") and not match["dot"] and written.isupper():
            vouched = _SHAPE  # DR CHEST, MR BRAIN, MS LESION
        end = _name_at(text, match.end(), vouched)
        if not end and vouched == _SURE:  # Dr harrison
            word = WORD.match(text.low, match.end())
            small = word is not None and is_listed_name(word[0]) and not is_clinical(word[0]) and text.original(*word.span()).islower()
            end = word.end() if word is not None and small else 0
        if end:
            yield _span(text, match.end(), end)


def _announced(text: Text) -> Iterator[Span]:
    low = text.low
    for match in CUE.finditer(low):
        cue = low[match.start() : match.start("sep")].strip()
        marked = any(c in match["sep"] for c in ":=#")
        by = cue.endswith("by") and text.original(match.end(), match.end() + 1).islower()  # seen by kowaldrich
        if cue in LISTED_ONLY and not marked and not _is_name_alone(text, match.end(), small=cue == "by"):
            continue
        sure = (marked and cue not in WEAK_CUES) or by or cue in SIGNATURES or _is_agent(text, cue, match.end())
        vouched = _SURE if sure else _CUED
        end = _name_at(text, match.end(), vouched, listing=marked or cue.endswith("by"))
        if not end and (marked or "by" in cue or cue in ("tech", "initials", "initial", "rad", "gez", "vidiert", "mta", "mtra")):
            end = _initials_at(text, match.end())
        if end:
            yield _span(text, match.end(), end)


def _is_name_alone(text: Text, at: int, *, small: bool = False) -> bool:
    """Say whether the word at `at` is a listed name, or nothing that a vocabulary holds."""
    match = WORD.match(text.low, at)
    if match is None or len(match[0]) < 3 or is_clinical(match[0]):
        return False
    written = text.original(*match.span())
    if written.islower():
        return small and len(match[0]) > 4 and not is_known(match[0]) and match[0] not in eponyms()
    strange = small or match[0] in words("english") or not is_known(match[0])
    return written[:1].isupper() and (is_listed_name(match[0]) or (strange and not text.value.isupper()))


def _subjects(text: Text) -> Iterator[Span]:
    """Yield the names that begin a sentence and do what people do: `Fermi wants thin slices`."""
    for match in WORD.finditer(text.low):
        written = text.original(*match.span())
        if len(match[0]) < 3 or not written[:1].isupper() or written.isupper() or is_clinical(match[0]) or match[0] in STOP:
            continue
        before = text.low[: match.start()].rstrip()
        if (not before or before[-1] in ".;:!?-\n") and DOES.match(text.low, match.end()):
            is_one = is_listed_name(match[0]) or (match[0] in eponyms() and match[0] not in words("english"))
            if is_one or (len(match[0]) > 3 and not is_known(match[0])):
                yield _span(text, match.start(), match.end())


def _is_agent(text: Text, cue: str, at: int) -> bool:
    """Say whether what follows `by` or a role is a name: a capital amid small letters whatever the word, a small one that nobody knows."""
    word = WORD.match(text.low, at)
    if word is None or (cue in WEAK_CUES and cue != "per") or is_clinical(word[0]):
        return False
    if text.original(*word.span()).islower():
        return len(word[0]) > 3 + (cue != "per") and not is_known(word[0]) and word[0] not in eponyms()
    if not text.original(*word.span())[:1].isupper():
        return False
    others = [m for m in WORD.finditer(text.low) if m.start() != word.start() and len(m[0]) > 2]
    return sum(text.original(*m.span()).islower() for m in others) * 2 > len(others)


def _name_at(text: Text, at: int, vouched: int, *, listing: bool = False) -> int:
    """Return the end of the name that begins at `at`, or 0; `listing`: `Last, First` is how names are written here."""
    low, end, count, position = text.low, 0, 0, at
    while count < 4:
        match = WORD.match(low, position)
        if match is None:
            break
        word, written = match[0], text.original(*match.span())
        if len(word) == 1:
            if not written.isupper() or (count and DEGREE_HERE.match(low, position)):
                break
            end = match.end() + (low[match.end() : match.end() + 1] == ".")
            if not count and low[end - 1] == ".":
                vouched = max(vouched, _SURE)  # K. Long
        elif word in PARTICLES and len(word) <= 3 and WORD.match(low, match.end() + 1):
            pass
        elif low[match.end() : match.end() + 1] == ":" and count:
            break  # the label of the next field
        elif _may_be_name(match, written, text, vouched if not count else min(vouched, _CUED), after_name=count > 0):
            end, count = match.end(), count + 1
        else:
            break
        step = _STEP.match(low, match.end())
        if (
            step is None
            or (len(word) > 2 and step[0].startswith(". "))
            or ("," in step[0] and count and not _continues_after_comma(text, step.end(), listing=listing))
        ):
            break
        position = step.end()
    return end if count else 0


def _continues_after_comma(text: Text, at: int, *, listing: bool) -> bool:
    match = WORD.match(text.low, at)
    if match is None or DEGREE_HERE.match(text.low, at) or _ABBREVIATION.match(text.low, at):  # Z.n., V.a.
        return False
    word, written = match[0], text.original(*match.span())
    if (len(word) == 1 and written.isupper()) or word in given_names():
        return True
    return listing and len(word) > 1 and written[:1].isupper() and not is_known(word) and word not in STOP


def _may_be_name(match: re.Match[str], written: str, text: Text, vouched: int, *, after_name: bool, backwards: bool = False) -> bool:
    """Say whether a word, as it is written, may be (part of) a name here."""
    word = match[0]
    if (word in STOP and not (after_name and is_name(word))) or len(word) < 2:
        return False
    if written.lower() == written.upper():  # a script without letter case
        return True
    if not written[:1].isupper():
        return (
            (vouched == _SURE or (after_name and vouched == _CUED and is_only_name(word)))
            and written.islower()
            and word not in eponyms()
            and ((len(word) > 3 and not is_known(word)) or _is_plain_name(word))
        )
    shouting = written.isupper() and text.value.isupper()
    pieces = [p for p in word.split("-") if p]
    if any(is_clinical(p) for p in pieces):
        if shouting:
            return False
        return (vouched == _SURE and not after_name and len(word) > 3) or (is_name(word) and (vouched >= _CUED or after_name))
    if all(p in words("english") for p in pieces):
        if is_name(word) and (not shouting or after_name or vouched >= _CUED or _is_plain_name(word)):
            return True
        if word in GENERIC_PLACE_WORDS or (after_name and written.isupper() and not shouting):
            return False
        if backwards and after_name and not shouting:
            return True
        follows = text.value[text.place(match.end()) :].lstrip()[:1]
        return vouched == _SURE or (after_name and not shouting and not follows.isupper())
    if written.isupper() and not shouting and len(word) < 5 and vouched < _SURE:  # per EMS
        return is_listed_name(word)
    return len(word) > 2 or not written.isupper() or is_name(word)


def _is_plain_name(word: str) -> bool:
    """Say whether a listed name that is a word as well is no clinical word: king, martin; not long, ward."""
    return is_name(word) and not is_clinical(word)


def _initials_at(text: Text, at: int) -> int:
    match = INITIALS.match(text.low, at)
    if match is None:
        return 0
    written = text.original(*match.span())
    letters = "".join(c for c in written if c.isalpha())
    if not 2 <= len(letters) <= 4 or letters.lower() in STOP or (is_clinical(letters.lower()) and "." not in written):
        return 0
    if letters.isupper() or "." in written or (len(letters) <= 3 and not is_known(letters.lower())):
        return match.end()
    return 0


def _name_before(text: Text, end: int) -> int | None:
    """Return where the name begins that ends at `end` (a degree follows it)."""
    start: int | None = None
    last = end
    plain = PLAIN_DEGREE.match(text.low, end) is not None and not text.value.isupper()
    for match in reversed(list(WORD.finditer(text.low, max(0, end - 60), end))[-4:]):
        vouched = _SURE if plain and start is None and not is_clinical(match[0]) else _CUED
        between, written = text.low[match.end() : last], text.original(*match.span())
        if not re.fullmatch(r"\.?\s?|,\s?|\.,?\s?", between):
            break
        if len(match[0]) == 1:
            if not (written.isupper() and start is not None and between.startswith(".")):
                break
        elif match[0] in PARTICLES or not _may_be_name(match, written, text, vouched, after_name=start is not None, backwards=True):
            break
        start = last = match.start()
    return start


def _paired(text: Text) -> Iterator[Span]:
    """Yield a listed given name and the family name beside it, and `Last, First` of listed names."""
    matches = list(WORD.finditer(text.low))
    for match, follower in pairwise(matches):
        if not (text.original(*match.span())[:1].isupper() and text.original(*follower.span())[:1].isupper()):
            continue
        between = text.low[match.end() : follower.start()]
        first, second = match[0], follower[0]
        shouting = text.value.isupper()
        given_first = first in given_names() and re.fullmatch(r"\s|\s[a-z]\.?\s|\^|_|\.", between) is not None
        if (
            given_first
            and second not in STOP
            and (second in surnames() or not is_known(second))
            and not ((is_clinical(second) or is_clinical(first)) and shouting)
        ):
            yield _span(text, match.start(), follower.end())
        initial = len(second) == 1 and text.low[follower.end() : follower.end() + 1] == "."
        initial = initial and not DEGREE_HERE.match(text.low, follower.start()) and not _ABBREVIATION.match(text.low, follower.start())
        if first in surnames() and re.fullmatch(r",\s?|\^", between) and (second in given_names() or initial):
            yield _span(text, match.start(), follower.end())
