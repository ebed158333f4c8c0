"""What would happen to every element of one file, by which rule: the table behind `sallyport inspect`.

Decides nothing: it asks the rules that run. Nothing here is written anywhere; `before` is identified.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.deidentify.charsets import decoded
from tasks.deidentify.context import StudyContext
from tasks.deidentify.iod import nested_types, top_level_types
from tasks.deidentify.objects import elements_of
from tasks.deidentify.private import private_rule
from tasks.deidentify.rebuild import PIXELS, Kept, Level
from tasks.deidentify.rules import Action, Rule
from tasks.elements import Element, Encoding, Unreadable, items, open_object, walk

if TYPE_CHECKING:
    from tasks.intake import SourceFile

_LONGEST_SHOWN = 64
_TEXT = frozenset(("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"))


@dataclass(frozen=True, slots=True)
class Explained:
    """One element and its fate. `after` is None when the element is not in the released object."""

    place: str  # (0008,1140)[0].(0008,1155)
    keyword: str
    vr: str
    action: str
    clause: str
    before: str = field(repr=False)
    after: str | None


def explain_object(source: SourceFile, context: StudyContext) -> Iterator[Explained]:
    """Yield every element of a file in file order, at every depth. Raises Unreadable with its reason on files that are none."""
    opened = open_object(source.file.path.read_bytes())
    found, pixels = elements_of(opened, context.policy.max_nesting)
    level = Level(opened.encoding, context.policy.max_nesting, types=top_level_types(source.sop_class_uid))
    yield from _explained(opened.buffer, found, level, context, source, "")
    if pixels is not None:
        size = f"{pixels.stop - pixels.start} bytes"
        rule = "frames only: cut, unused bits cleared, streams without comments"
        yield Explained(_tag(pixels.tag), "PixelData", pixels.vr or "OW", rule, "PS3.15 E.3.1", size, size)


def _explained(
    buffer: bytes, found: list[Element], level: Level, context: StudyContext, source: SourceFile, prefix: str
) -> Iterator[Explained]:
    rebuilder = context.rebuilder(source)
    cleaned = rebuilder.rebuild(buffer, found, level)
    for element in found:
        tag, vr, start, stop, _ = element
        if tag in PIXELS and not prefix:
            continue
        value = buffer[start:stop]
        if tag == 0x00080005:
            after = "kept, or ISO_IR 192 when text is not ASCII"
            yield Explained(prefix + _tag(tag), "SpecificCharacterSet", vr or "CS", "K", "PS3.5 6.1", _shown("CS", value, level), after)
            continue
        rule = _rule(element, level, context)
        kept = cleaned.get(tag)
        place = prefix + _tag(tag)
        action, clause = (rule.action.value, rule.clause) if rule else ("X", "default deny")
        keyword = rule.keyword if rule else "Private Creator" if tag & 0x1FF00 == 0x10000 else "private"
        if kept is None and rule is not None and rule.action not in (Action.REMOVE, Action.WRITTEN):
            action = f"{action}: outside its domain, removed"
        yield Explained(place, keyword, vr or (rule.vr if rule else "UN"), action, clause, _shown(vr or "UN", value, level), _after(kept))
        if kept is not None and kept[0] == "SQ":
            yield from _items(element, value, level, context, source, place)


def _items(element: Element, value: bytes, level: Level, context: StudyContext, source: SourceFile, place: str) -> Iterator[Explained]:
    encoding = Encoding(implicit=True, little=True) if element.vr == "UN" else level.encoding
    types = {} if element.tag & 0x10000 else nested_types(element.tag)
    try:
        for number, (start, stop) in enumerate(items(value, 0, len(value), encoding, level.depth)):
            inner = Level(encoding, level.depth - 1, (*level.path, element.tag), types, level.encodings, level.signed)
            inner.statements = level.statements
            yield from _explained(
                value, list(walk(value, start, stop, encoding, inner.depth)), inner, context, source, f"{place}[{number}]."
            )
    except Unreadable:
        return


def _rule(element: Element, level: Level, context: StudyContext) -> Rule | None:
    tag = element.tag
    if not tag & 0x10000:
        return context.rules.rule(tag, level.types.get(tag, ""))
    policy = context.policy
    creator = level.creators.get(tag >> 16 << 8 | tag >> 8 & 0xFF)
    if not policy.retain_safe_private or creator is None:
        return None
    statement = level.statements.get((tag >> 16, creator))
    return private_rule(tag >> 16, creator, tag & 0xFF, element.vr, policy.private_knowledge_base, statement, policy.dates)


def _tag(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _after(kept: Kept | None) -> str | None:
    if kept is None:
        return None
    vr, value, _ = kept
    return _readable(value.decode("utf-8", "replace")) if vr in _TEXT else _amount(vr, value)


def _shown(vr: str, value: bytes, level: Level) -> str:
    text = decoded(value, level.encodings, vr) if vr in _TEXT or (vr == "UN" and value.isascii()) else None
    return _readable(text) if text is not None else _amount(vr, value)


def _amount(vr: str, value: bytes) -> str:
    if vr in ("US", "UL") and len(value) in (2, 4):
        return str(int.from_bytes(value, "little"))
    return f"{len(value)} bytes"


def _readable(text: str) -> str:
    text = "".join(c if c.isprintable() else "·" for c in text.rstrip(" \x00"))
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
