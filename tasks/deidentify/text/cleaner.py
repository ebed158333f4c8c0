# ruff: noqa: E501 - word lists read as prose
"""One value of free text in, the same value without identifiers out.

Which attributes are cleaned, and what happens to all others, does not belong here (tasks/deidentify).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Literal

from tasks.deidentify.identity import PatientIdentifiers
from tasks.deidentify.text.beside import find_beside
from tasks.deidentify.text.dates import DateContext, find_dates
from tasks.deidentify.text.fold import Text
from tasks.deidentify.text.initials import find_initials
from tasks.deidentify.text.lone import find_lone
from tasks.deidentify.text.own_names import OwnNames
from tasks.deidentify.text.own_values import OwnValues
from tasks.deidentify.text.patterns import find_patterns
from tasks.deidentify.text.persons import find_persons
from tasks.deidentify.text.places import find_places
from tasks.deidentify.text.span import Span, cut
from tasks.deidentify.text.unknown import find_unknown

# Descriptions of devices and software: a date there is the maker's. PRIVACY: it is removed and never shifted, for a
# shifted public date gives the offset away (test_dates_of_software_are_not_shifted).
_MAKERS = frozenset(
    {
        "SoftwareVersions",
        "ManufacturerModelName",
        "Manufacturer",
        "SecondaryCaptureDeviceSoftwareVersions",
        "DigitizingDeviceTransportDirection",
    }
)
# Names of protocols and parts are made of words that no list holds. What looks like an unlisted name is left in them;
# what is announced, listed or the patient's own goes all the same.
_COINED = frozenset(
    {
        "ProtocolName", "SeriesDescription", "SequenceName", "PulseSequenceName", "ConvolutionKernel", "FilterType", "FilterMaterial", "ReceiveCoilName",
        "TransmitCoilName", "RTPlanLabel", "RTPlanName", "BeamName", "ROIName", "SegmentLabel", "SegmentAlgorithmName", "DerivationDescription",
        "LUTExplanation", "LUTLabel", "WindowCenterWidthExplanation", "ContentLabel", "ContentDescription", "CodeMeaning", "TransducerData", "DetectorDescription",
        "AcquisitionProtocolDescription", "DoseReferenceDescription", "BeamDescription", "ViewName", "StageName", "TrackingID", "StructureSetLabel",
    }
)  # fmt: skip
# Long values are read piece by piece, so that time grows with their length alone; a piece ends where a sentence or line does.
_LONG, _LONGEST_PIECE = 2048, 4096


@dataclass(frozen=True, slots=True)
class CleanedText:
    """A value after cleaning: what is left (byte-equal to the source outside what was cut), and the kinds that were cut."""

    text: str = field(repr=False)
    changed: bool
    kinds: tuple[str, ...]


class TextCleaner:
    """Cleans the free text of one patient: own identifiers first, then patterns, then (strict) every unknown word.

    `shift_days` is the patient's one offset; without it, dates are removed when the action is `shift`. Values repeat over
    slices: each distinct one is cleaned once.
    """

    def __init__(
        self,
        identifiers: PatientIdentifiers,
        shift_days: int | None,
        dates: Literal["remove", "shift", "keep"] = "remove",
        unknown_tokens: Literal["keep", "remove"] = "keep",
    ) -> None:
        births = frozenset(_days(identifiers.birth_dates))
        own = frozenset(_days(identifiers.dates))
        self._dates = DateContext(dates, shift_days, births, own)
        self._makers_dates = DateContext("keep" if dates == "keep" else "remove", None, births, own)
        self._patient = OwnNames.of(sorted(identifiers.patient_names), "patient_name")
        self._people = OwnNames.of(sorted(identifiers.other_names), "person")
        self._values = OwnValues.of(identifiers)
        self._strict = unknown_tokens == "remove"
        self._cache: dict[tuple[str, str], CleanedText] = {}

    def clean(self, value: str, keyword: str = "") -> CleanedText:
        """Return the value of the attribute `keyword` without identifiers; never longer by more than a month's name per date."""
        style = "makers" if keyword in _MAKERS else "coined" if keyword in _COINED else "prose"
        known = self._cache.get((value, style))
        if known is None:
            known = self._clean(value, style)
            if len(value) <= 4096:
                self._cache[value, style] = known
        return known

    def _clean(self, value: str, style: str) -> CleanedText:
        if not value or not _SAYS_SOMETHING.search(value):
            return CleanedText(value, False, ())
        if len(value) > _LONG:
            return self._clean_long(value, style)
        text, kinds = cut(value, self._spans(Text.of(value), style))
        if kinds and not _SAYS_SOMETHING.search(text):
            text = ""
        return CleanedText(text, text != value, kinds)

    def _clean_long(self, value: str, style: str) -> CleanedText:
        pieces: list[str] = []
        kinds: list[str] = []
        line = ""
        for part in re.split(r"(?<=[\n\r~])|(?<=\.\s)", value):
            if len(line) + len(part) > _LONG and line:
                pieces.append(line)
                line = ""
            line += part
        pieces.append(line)
        cleaned = []
        for piece in pieces:
            if len(piece) > _LONGEST_PIECE:  # PRIVACY: no text is that long without a stop; what is not examined is not kept
                cleaned.append("")
                found: tuple[str, ...] = ("too_long",)
            else:
                text, found = cut(piece, self._spans(Text.of(piece), style)) if _SAYS_SOMETHING.search(piece) else (piece, ())
                cleaned.append(text)
            kinds += [kind for kind in found if kind not in kinds]
        text = "".join(cleaned)
        return CleanedText(text, text != value, tuple(kinds))

    def _spans(self, text: Text, style: str) -> list[Span]:
        found = list(self._found(text, style))
        return found if style == "makers" else [*found, *find_beside(text, found)]

    def _found(self, text: Text, style: str) -> Iterator[Span]:
        yield from self._patient.find(text)
        if style == "makers":
            yield from self._values.find_codes(text)
        else:
            yield from self._people.find(text)
            yield from self._values.find(text)
        yield from find_dates(text, self._makers_dates if style == "makers" else self._dates)
        if style != "makers":
            yield from _found_by_patterns(text.value)
            yield from find_lone(text, prose=style == "prose")
        if self._strict:
            yield from find_unknown(text)


_SAYS_SOMETHING = re.compile(r"[^\W_]")


@lru_cache(maxsize=4096)
def _found_by_patterns(value: str) -> tuple[Span, ...]:
    """Return what needs no knowledge of the patient; the same for every patient with the same protocol."""
    text = Text.of(value)
    return (*find_patterns(text), *find_persons(text), *find_initials(text), *find_places(text))


def _days(values: Iterable[str]) -> Iterator[date]:
    for value in values:
        if len(value) == 8:
            try:
                yield date(int(value[:4]), int(value[4:6]), int(value[6:8]))
            except ValueError:
                continue
