"""What is true of all objects of a study together: one new UID per old one, one shift for all dates (U7, T5, T10).

Learnt by reading source and written objects side by side, place by place; how UIDs and shifts are made is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tasks.scan.dates import as_day
from tasks.scan.identity import PUBLIC_DATES, is_public_uid
from tasks.scan.walk import Walk

_BROKEN, _PUBLIC_CHANGED = 0.7, 0.4  # a reference that leads elsewhere holds its object; a changed UID of the standard is told


class StudyPairs:
    """The pairs seen so far in one study."""

    def __init__(self) -> None:
        self._new_of: dict[bytes, bytes] = {}
        self._old_of: dict[bytes, bytes] = {}
        self._shift: timedelta | None = None

    def learn(self, source: Walk, written: Walk) -> Iterator[tuple[str, str, str, float]]:
        """Take in one pair of objects; yield (place, kind, rule, score) of every contradiction."""
        before = _values(source)
        for place, (vr, raw) in _values(written).items():
            old = before.get(place)
            if old is None or not raw or not old[1]:
                continue
            if vr == "UI" and old[0] in ("UI", "UN"):
                score = self._contradiction(old[1], raw)
                if score:
                    yield place, "uid", "U7.references", score
            elif vr in ("DA", "DT") and not self._same_shift(old[1], raw):
                yield place, "date", "T10.offset", 0.8

    def _contradiction(self, old: bytes, new: bytes) -> float:
        """Return how grave it is that these UIDs do not pair up as those before: 0 when they do."""
        olds, news = old.rstrip(b"\0 ").split(b"\\"), new.rstrip(b"\0 ").split(b"\\")
        if len(olds) != len(news):
            return _BROKEN
        for first, second in zip(olds, news, strict=True):
            first, second = first.strip(b"\0 "), second.strip(b"\0 ")
            if not first or is_public_uid(first.decode("latin-1")):
                if first != second:
                    return _PUBLIC_CHANGED
            elif self._new_of.setdefault(first, second) != second or self._old_of.setdefault(second, first) != first:
                return _BROKEN
        return 0.0

    def _same_shift(self, old: bytes, new: bytes) -> bool:
        for first, second in zip(old.decode("latin-1").split("\\"), new.decode("latin-1").split("\\"), strict=False):
            was, now = as_day(first.strip()), as_day(second.strip())
            if was is None or now is None or now.year <= 1900 or was.year <= 1900:
                continue  # a date that says nothing, or the dummy in its place
            shift = now - was
            if self._shift is None:
                self._shift = shift
            elif abs(shift - self._shift) > timedelta(days=1):  # a DT may cross midnight with its zone
                return False
        return True


def _values(walk: Walk) -> dict[str, tuple[str, bytes]]:
    return {
        walk.place(i): (e.vr, walk.value(e))
        for i, e in enumerate(walk.elements)
        if e.vr in ("UI", "DA", "DT") and e.tag >> 16 != 0x0002 and e.tag not in PUBLIC_DATES
    }
