"""Institutions and addresses whom only the text knows.

Those of the source headers are looked for in `own_values`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.deidentify.text.fold import Text
from tasks.deidentify.text.own_values import GENERIC_PLACE_WORDS
from tasks.deidentify.text.span import Span
from tasks.deidentify.text.vocabulary import is_clinical, is_known, words

_HEAD = re.compile(
    r"(?<![^\W_])(?:hospitals?|clinics?|infirmary|medical\s+(?:cent(?:er|re)|group|associates|school|park|plaza)|health\s?care|health(?:\s+(?:system|cent(?:er|re)|network|services|trust|partners|board|park))|imaging(?:\s+(?:cent(?:er|re)|associates|partners))"
    r"|radiology(?:\s+(?:associates|group|partners|cent(?:er|re)|specialists))|cancer\s+cent(?:er|re)|university|college|institute|hospice|nursing\s+home|sanatorium|polyclinic|surgery\s+cent(?:er|re)|urgent\s+care|foundation\s+trust|nhs\s+trust|orthop(?:a)?edics|diagnostics"
    r"|klinik|klinikum|kliniken|krankenhaus|spital|universitatsklinik(?:um)?|universitat|praxis|medizinisches\s+versorgungszentrum|mvz|radiologie|ziekenhuis|sjukhus(?:et)?|sykehus|sygehus|hospitalet|sairaala|szpital|nemocnice|korhaz|hastanesi)(?![^\W_])"
)
_PREFIX = re.compile(
    r"(?<![^\W_])(?:hopital|hopitaux|clinique|centre\s+hospitalier(?:\s+(?:universitaire|regional))?|chu|chr|chru|institut|cabinet|polyclinique|ospedale|ospedali|policlinico|casa\s+di\s+cura|istituto|asl|irccs|hospital|clinica|sanatorio|instituto|centro\s+(?:medico|de\s+salud|hospitalario)|santa\s+casa"
    r"|universitatsklinik(?:um)?|klinikum|klinik|krankenhaus|spital|praxis|umc|szpital|university|universitat|universite|universidad|universita|больница|клиника|госпиталь)"
    r"(?:\s+(?:of|de|del|della|di|du|des|da|do|d'|la|le|les|l'|el|los|san|santa|sankt|st\.?|saint|general|regional|universitario|universitaire|provincial|municipal|civile|privee?|am|im|an\s+der|in|der|fur|und|for|the))*\s+(?:d'|l')?"
)
_CJK_HEAD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fffA-Za-z]{2,12}?(?:大学)?(?:附属)?(?:病院|医院|診療所|诊所|クリニック|医療センター|人民医院|中心医院|保健院)|[\uac00-\ud7af]{2,10}(?:대학교)?(?:병원|의원|의료원|클리닉)"
)
_STREET = re.compile(
    r"(?<![\w.])(?P<all>\d{1,5}[a-z]?\s+(?:(?:n|s|e|w|ne|nw|se|sw|north|south|east|west)\.?\s+)?(?:[^\W\d_][\w'.-]*\s+){1,3}?(?:street|st|avenue|ave|road|rd|drive|lane|ln|boulevard|blvd|way|court|place|square|sq|terrace|ter|highway|hwy|parkway|pkwy|circle|cir|crescent|close|row|alley|trail|loop|plaza|grove|gardens|walk|track|inlet|ranch|causeway)\b\.?"
    r"(?:,?\s+(?:suite|ste|apt|apartment|unit|floor|fl|room|rm|#)\.?\s*[\w-]{1,6})?)"
    r"|(?P<b>(?<![^\W_])[^\W\d_][\w.'-]*(?:straße|strasse|str\.|str|weg|gasse|platz|allee|ring|ufer|damm|straat|laan|gracht|plein|vagen|gatan|gade|vej|utca|ulica|katu)\s+\d{1,4}\s?[a-z]?(?![\w]))"
    r"|(?P<c>\d{1,4}(?:\s?(?:bis|ter))?,?\s+(?:rue|avenue|boulevard|bd|place|chemin|allee|impasse|quai|route|cours|square)\s+(?:de\s+la\s+|de\s+l'|du\s+|des\s+|de\s+|d')?[^\W\d_][\w'-]*(?:\s+[^\W\d_][\w'-]*)?)"
    r"|(?P<d>(?<![^\W_])(?:calle|avenida|avda?\.?|paseo|plaza|carrer|rua|travessa|via|viale|piazza|corso|largo|ul\.|ulica|ул\.|улица|проспект|пр\.)\s+(?:(?:de|del|della|di|da|do|la|las|los|dei|degli)\s+)*[^\W\d_][\w'.-]*(?:\s+[^\W\d_][\w'.-]*){0,2}?,?\s+(?:n[.º°]?\s?)?\d{1,4})"
    r"|(?P<e>\b(?:p\.?\s?o\.?\s?box|postfach|apartado)\s+\d{1,6})"
)
_CITY = re.compile(
    r"(?<!\w)(?P<all>(?:[a-z][a-z.'-]+\s){0,2}[a-z][a-z.'-]+,\s?(?P<st>a[klrz]|c[aot]|d[ce]|fl|ga|hi|i[adln]|k[sy]|la|m[adeinost]|n[cdehjmvy]|o[hkr]|pa|ri|s[cd]|t[nx]|ut|v[at]|w[aivy])\.?(?P<zip>,?\s+\d{5}(?:-\d{4})?)?)(?!\w)"
)
_GERMAN_CITY = re.compile(r"(?<![\w.,-])(?P<all>(?:[a-z]{1,2}-)?\d{5}\s+(?P<city>[^\W\d_][^\W\d_.-]{2,}))")
_LIVES = re.compile(
    r"(?:\blives?\s+(?:alone\s+)?(?:in|at|near)|\bliving\s+(?:in|at)|\bresid(?:es|ing|ent)\s+(?:in|of|at)|\bborn\s+in|\bmoved\s+(?:from|to)|\btransfer(?:red)?\s+(?:from|to)|\bcomes\s+from|\bnative\s+of|\bvisiting\s+from|\btravel(?:l?ed)?\s+(?:from|to)|\bwohnhaft\s+in|\bwohnt\s+in|\baus|\bhabite\s+a|\bvive\s+en|\bnatural\s+de|\babita\s+a|\bwoont\s+in"
    r"|\b(?:wohnort|ort|stadt|city|town|village|ville|ciudad|citta|cidade|plaats|miasto|loc(?:ation)?)\s*:|\baddress\s*:?|\badresse\s*:?|\bdireccion\s*:?|\bindirizzo\s*:?|\boutside\s+(?:study|imaging|films?|ct|mri)\s+(?:from|at)|\bprior\s+(?:study|imaging|ct|mri|exam)\s+at|\bperformed\s+at|\bscanned\s+at|\badmitted\s+(?:to|at)|\bseen\s+at|\breferred\s+(?:from|to)|\bworks?\s+(?:at|for)|\bemployed\s+(?:at|by)|\bemployer\s*:?)\s+(?P<all>.{2,60})"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]+)*")


def find_places(text: Text) -> Iterator[Span]:
    """Yield institutions by their head word and addresses by their form."""
    low = text.low
    for match in _HEAD.finditer(low):
        start = _proper_before(text, match.start())
        if start is not None:  # the head word itself names nobody, and says what was cut
            yield Span(text.place(start), text.place(match.start()), "institution")
    for match in _PREFIX.finditer(low):
        end = _proper_after(text, match.end())
        if end:
            yield Span(text.place(match.end()), text.place(end), "institution")
    for match in _CJK_HEAD.finditer(text.value):
        yield Span(match.start(), match.end(), "institution")
    for match in _STREET.finditer(low):
        if match["all"] is not None and not _has_proper(text, *match.span("all")):
            continue
        yield Span(text.place(match.start()), text.place(match.end()), "address")
    for match in _CITY.finditer(low):
        state = text.original(*match.span("st"))
        if match["zip"] or (
            state.isupper()
            and state not in ("MD", "PA", "DO", "MS", "MA", "CT", "MT", "OR", "IN", "ME", "HI", "OK")
            and _has_proper(text, match.start(), match.start("st"))
        ):
            start = match.start()
            while (
                (first := _WORD.match(low, start))
                and (is_known(first[0]) or not text.original(*first.span())[:1].isupper())
                and re.match(r"\s", low[first.end() : first.end() + 1])
                and _WORD.match(low, first.end() + 1)
            ):
                start = first.end() + 1
            yield Span(text.place(start), text.place(match.end()), "address")
    for match in _GERMAN_CITY.finditer(low):
        city = text.original(*match.span("city"))
        if city[:1].isupper() and not is_known(match["city"]):
            yield Span(text.place(match.start()), text.place(match.end()), "address")
    for match in _LIVES.finditer(low):
        end = _proper_after(text, match.start("all"))
        if end:
            yield Span(text.place(match.start("all")), text.place(end), "address")


def _is_proper(word: str, written: str) -> bool:
    return written[:1].isupper() and not is_clinical(word) and word not in words("english")


def _proper_before(text: Text, end: int) -> int | None:
    """Return where the proper name of an institution begins whose head word stands at `end`; None without one."""
    start: int | None = None
    proper = False
    last = end
    for match in reversed(list(_WORD.finditer(text.low, max(0, end - 70), end))[-6:]):
        between = text.low[match.end() : last]
        written = text.original(*match.span())
        if not re.fullmatch(r"[\s.]{0,2}|\s?&\s?|\s?-\s?|['’]s\s", between) or not (
            written[:1].isupper() or match[0] in ("of", "and", "the", "de", "la", "st")
        ):
            break
        word = match[0].removesuffix("'s").strip(".")
        if (
            re.search(r"\b(?:st\.?|saint|san|santa|sankt|mount|mt\.?)\s?$", text.low[max(0, match.start() - 8) : match.start()])
            and written[:1].isupper()
        ):
            proper, start, last = True, match.start(), match.start()
            continue
        if word in ("at", "from", "to", "in", "by", "see", "via") or (
            is_clinical(word) and word not in GENERIC_PLACE_WORDS and len(word) > 2 and word not in ("may", "mount", "st")
        ):
            break
        if word in ("of", "and", "the", "de", "la") and not proper:
            break
        if _is_proper(word, written) or (
            word in words("english") and written[:1].isupper() and not written.isupper() and word not in GENERIC_PLACE_WORDS
        ):
            proper = True
        start = last = match.start()
    return start if proper else None


def _proper_after(text: Text, at: int) -> int:
    """Return the end of the proper name that begins at `at`, or 0."""
    end, position = 0, at
    for _ in range(5):
        match = _WORD.match(text.low, position)
        if match is None:
            break
        written = text.original(*match.span())
        joins = match[0] in (
            "de",
            "la",
            "del",
            "di",
            "du",
            "des",
            "von",
            "am",
            "an",
            "der",
            "of",
            "the",
            "st",
            "st.",
            "san",
            "y",
            "e",
            "do",
            "da",
        )
        if not joins and not (written[:1].isupper() or written.lower() == written.upper()):
            break
        if (
            not joins
            and (is_clinical(match[0]) or (match[0] in words("english") and written.isupper()))
            and match[0] not in GENERIC_PLACE_WORDS
        ):
            break
        if not joins and match[0] not in GENERIC_PLACE_WORDS:
            end = match.end()
        position = match.end() + 1
        if text.low[match.end() : position] not in (" ", "-", "'"):
            break
    return end


def _has_proper(text: Text, start: int, end: int) -> bool:
    return any(
        _is_proper(m[0].strip("."), text.original(*m.span()))
        or (text.original(*m.span())[:1].isupper() and not is_clinical(m[0]) and not text.value.isupper())
        for m in list(_WORD.finditer(text.low, start, end))[:-1]
    )
