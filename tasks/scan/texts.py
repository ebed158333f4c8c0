"""What of an object are texts, and the patient's values in any text (T1, T7).

Objects are searched in `search`; here everything counts as text, whatever it is.
"""

from __future__ import annotations

import re

from tasks.scan.identity import SourceIdentity
from tasks.scan.needles import stands_alone
from tasks.scan.search import automaton
from tasks.scan.walk import PIXELS, Walk

WITHOUT_WORDS = frozenset(("SQ", "US", "FD", "FL", "UL", "SS", "SL", "UV", "SV", "AT", "UI", "DA", "DT", "TM", "AS"))
"""Value representations that hold numbers, days or UIDs: a day is no record number, though both may have eight digits."""
NUMBERS = frozenset(("IS", "DS"))
_LONG_NUMBER = re.compile(rb"\d{7}")
_LONGEST_TEXT = 1 << 20
_SHORTEST_TEXT = 3
_SHORTEST_IN_FILES = 4


def texts_of(walk: Walk) -> set[tuple[str, str, bytes]]:
    """Return (place without item numbers, VR, raw value) of everything in an object that may hold words or ids, but its pixels."""
    found: set[tuple[str, str, bytes]] = set()
    for number, element in enumerate(walk.elements):
        length = element.end - element.start
        if element.vr in WITHOUT_WORDS or not _SHORTEST_TEXT <= length <= _LONGEST_TEXT or element.tag in PIXELS:
            continue
        raw = walk.value(element)
        if element.vr not in NUMBERS or _LONG_NUMBER.search(raw):
            found.add((_ITEM_NUMBER.sub("[]", walk.place(number)), element.vr, raw))
    return found


_ITEM_NUMBER = re.compile(r"\[\d+\]")


def values_in_text(text: str | bytes, identity: SourceIdentity) -> set[str]:
    """Return the kinds of the identity's values that a text holds."""
    machine = automaton(identity)
    if machine is None:
        return set()
    raw = (text.encode("utf-8") if isinstance(text, str) else text).lower()
    found: set[str] = set()
    for last, entries in machine.iter(raw.decode("latin-1")):
        for kind, _, guard, length in entries:
            if kind not in found and length >= _SHORTEST_IN_FILES and stands_alone(raw, last + 1 - length, last + 1, guard):
                found.add(kind)
    return found
