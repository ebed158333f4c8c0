# ruff: noqa: E501, SIM905 - word lists read as prose; a row of the table is one pattern
"""Institutions and addresses whom only the text knows.

Those of the source headers are looked for in `own_values`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.deidentify.text.fold import Text
from tasks.deidentify.text.own_values import GENERIC_PLACE_WORDS
from tasks.deidentify.text.span import Span
from tasks.deidentify.text.vocabulary import eponyms, is_clinical, is_known, is_listed_name, is_only_name, words

_HEAD = re.compile(
    r"(?<![^\W_])(?:hospitals?|clinics?|infirmary|medical\s+(?:cent(?:er|re)|group|associates|school|park|plaza)|health\s?care|health(?=\s*(?:[,;.)]|$))|health(?:\s+(?:system|cent(?:er|re)|network|services|trust|partners|board|park))|imaging(?:\s+(?:cent(?:er|re)|associates|partners))"
    r"|radiology(?:\s+(?:associates|group|partners|cent(?:er|re)|specialists))|cancer\s+cent(?:er|re)|university|college|institute|hospice|nursing\s+home|sanatorium|polyclinic|surgery\s+cent(?:er|re)|urgent\s+care|foundation\s+trust|nhs\s+trust|orthop(?:a)?edics|diagnostics"
    r"|klinik|klinikum|kliniken|krankenhaus|spital|universitatsklinik(?:um)?|universitat|praxis|medizinisches\s+versorgungszentrum|mvz|radiologie|ziekenhuis|sjukhus(?:et)?|sykehus|sygehus|hospitalet|sairaala|szpital|nemocnice|korhaz|hastanesi)(?![^\W_])"
)
# Heads that are words of exams and of prose as well (`Panoramic Dental`): what stands before them has to be a name.
_WEAK_HEAD = re.compile(
    r"(?<![^\W_])(?:(?:high|primary|elementary|middle|secondary|grammar|boarding)\s+school|school|academy|nursery|kindergarten|correctional|prison|jail|penitentiary|detention|manor|care\s+home|lodge|retirement|rehab(?:ilitation)?(?:\s+cent(?:er|re))?|assisted\s+living|fire\s+dept|police|church|parish|shelter|airport|factory|steel|mill|plant|brewery|motors|airlines|ambulance|family\s+(?:medicine|practice|health)|medical\s+practice|general|infirmary|hospital|breast\s+cent(?:er|re)|surgery(?=\s*[,;.]|$)|chiropractic|dental|pharmacy|physicians|pediatrics|paediatrics|dermatology|ent|va|vamc|community|memorial)(?![^\W_])"
)
_PREFIX = re.compile(
    r"(?<![^\W_])(?:pflegeheim|altenheim|seniorenheim|residenz|residencia|ehpad|casa\s+di\s+riposo|rsa|verpleeghuis|hopital|hopitaux|clinique|centre\s+hospitalier(?:\s+(?:universitaire|regional))?|chu|chr|chru|institut|cabinet|polyclinique|ospedale|ospedali|policlinico|casa\s+di\s+cura|istituto|asl|irccs|hospital|clinica|sanatorio|instituto|centro\s+(?:medico|de\s+salud|hospitalario)|santa\s+casa"
    r"|universitatsklinik(?:um)?|klinikum|klinik|krankenhaus|spital|praxis|umc|szpital|university|universitat|universite|universidad|universita|больница|клиника|госпиталь)"
    r"(?:\s+(?:of|de|del|della|di|du|des|da|do|d'|la|le|les|l'|el|los|san|santa|sankt|st\.?|saint|general|regional|universitario|universitaire|provincial|municipal|civile|privee?|am|im|an\s+der|in|der|fur|und|for|the))*\s+(?:d'|l')?"
)
_CJK_HEAD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fffA-Za-z]{2,12}?(?:大学)?(?:附属)?(?:病院|医院|診療所|诊所|クリニック|医療センター|人民医院|中心医院|保健院)|[\uac00-\ud7af]{2,10}(?:대학교)?(?:병원|의원|의료원|클리닉)"
)
_STREET = re.compile(
    r"(?<![\w.])(?P<all>\d{1,5}[a-z]?\s+(?:(?:n|s|e|w|ne|nw|se|sw|north|south|east|west)\.?\s+)?(?:[^\W\d_][\w'.-]*\s+){1,3}?(?:street|st|avenue|ave|road|rd|drive|lane|ln|boulevard|blvd|way|court|place|square|sq|terrace|ter|highway|hwy|parkway|pkwy|circle|cir|crescent|close|row|alley|trail|loop|plaza|grove|gardens|walk|track|inlet|ranch|causeway)\b\.?"
    r"(?:,?\s+(?:suite|ste|apt|apartment|unit|floor|fl|room|rm|#)\.?\s*[\w-]{1,6})?)"
    r"|(?P<b>(?<![^\W_])[^\W\d_][\w.'-]*(?:straße|strasse|str\.|str|weg|gasse|platz|allee|ring|ufer|damm|straat|laan|gracht|plein|vagen|gatan|gade|vej|utca|ulica|katu)\s+\d{1,4}(?:\s?[-/]\s?\d{1,4})?\s?[a-z]?(?![\w]))"
    r"|(?P<c>\d{1,4}(?:\s?(?:bis|ter))?,?\s+(?:rue|avenue|boulevard|bd|place|chemin|allee|impasse|quai|route|cours|square)\s+(?:de\s+la\s+|de\s+l'|du\s+|des\s+|de\s+|d')?[^\W\d_][\w'-]*(?:\s+[^\W\d_][\w'-]*)?)"
    r"|(?P<d>(?<![^\W_])(?:calle|c\.|c/|avenida|avda?\.?|paseo|plaza|carrer|canada|callejon|cuesta|ronda|rambla|pasaje|glorieta|urbanizacion|vial|alameda|acceso|rua|travessa|via|viale|piazza|corso|largo|ul\.|ulica|ул\.|улица|проспект|пр\.)\s+(?:(?:de|del|della|di|da|do|la|las|los|dei|degli)\s+)*[^\W\d_][\w'.-]*(?:\s+[^\W\d_][\w'.-]*){0,2}?,?\s+(?:n[.º°]?\s?)?\d{1,4}(?:,?\s(?:piso|puerta|esc\.?|apt\.?|bajo|int\.?|interno|scala)\s?\w{1,4}){0,3})"
    r"|(?P<f>\b(?:psc|cmr|unit)\s\d{1,5},?\s(?:box|apo|fpo)\s\d{1,6}(?:,?\s(?:apo|fpo|dpo)\s[a-z]{2}\s\d{5})?|\b(?:apo|fpo|dpo),?\s(?:aa|ae|ap)\s\d{5})"
    r"|(?P<e>\b(?:p\.?\s?o\.?\s?box|postfach|apartado)\s+\d{1,6})"
)
_CITY = re.compile(
    r"(?<!\w)(?P<all>(?:[a-z][a-z.'-]+\s){0,2}[a-z][a-z.'-]+,\s?(?P<st>a[klrz]|c[aot]|d[ce]|fl|ga|hi|i[adln]|k[sy]|la|m[adeinost]|n[cdehjmvy]|o[hkr]|pa|ri|s[cd]|t[nx]|ut|v[at]|w[aivy])\.?(?P<zip>,?\s+\d{5}(?:-\d{4})?)?)(?!\w)"
)
# Codes of states that are degrees, modalities or words as well.
_WORDS_AS_STATES = frozenset(
    ["MD", "PA", "DO", "MS", "MA", "CT", "MT", "OR", "IN", "ME", "HI", "OK", "ID", "DC", "CO", "LA", "AL", "DE", "PR"]
)
_POSTCODE_CITY = re.compile(
    r"(?<![\w.,-])(?P<all>(?:[a-z]{1,2}-)?(?:\d{5}|\d{4}\s?[a-z]{2}|\d{3}\s\d{2}|\d{2}-\d{3})\s+(?P<city>[^\W\d_][^\W\d_.]{2,}(?:-[^\W\d_]+)*)"
    r"(?P<more>(?:[\s/-]+(?:am|an|der|im|in|bei|ob|vor|a\.|sur|le|la|les|sous|en|de|di|del|d'|l')+)*(?:[\s-]+[^\W\d_]{3,}){0,2}))"
)
_COMPANY = re.compile(
    r"(?<![^\W_])(?:inc|plc|llc|llp|ltd|limited|gmbh|corp(?:oration)?|co|bv|pty|s\.?a\.?r\.?l|group|and\s+sons|& sons|holdings|partners|associates|united|fc)\b\.?"
)
_THREE_PARTNERS = re.compile(r"(?<![^\W_])(?P<all>(?P<x>[^\W\d_]+),\s(?P<y>[^\W\d_]+)\s(?:and|&)\s(?P<z>[^\W\d_]+))(?![^\W_])")
_FLAT = re.compile(
    r"(?<![^\W_])(?P<all>(?:flat|studio|apt|apartment|wohnung|appt)\.?\s?\d{1,4}\s?[a-z]?,?\s+(?:\d{1,4}\s?[a-z]?,?\s+)?[^\W\d_]+(?:\s[^\W\d_]+){0,2})"
)
_NUMBERED = re.compile(
    r"(?<![\w.])\d{1,5}[A-Za-z]?\s(?P<name>[A-Z][a-z]+(?:-[A-Z][a-z]+)*(?:\s(?!Apt|Suite|Ste|Unit|Flat|Floor|Room)[A-Z][a-z]+){1,2})(?:,?\s(?:Apt|Suite|Ste|Unit|Flat|Floor|Room)\.?\s?\w{1,6}){0,2}(?:,\s[A-Z][a-z]+(?:\s[A-Z][a-z]+){0,2},\s[A-Z]{2}\s\d{5}(?:-\d{4})?)?(?![\w])"
)
_STATE_AFTER = re.compile(
    r"(?P<city>[A-Z][a-z\u00e0-\u00ff]{2,})(?P<comma>,?)\s?(?P<st>A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY])(?:\s\d{5}(?:-\d{4})?(?!\d))?(?![\w])"
)
_BEFORE_POSTCODE = re.compile(
    r"(?P<all>\d{1,4}\s?[a-z]?\s+[^\W\d_]+(?:\s[^\W\d_]+){1,3},\s?)(?=[a-z]{1,2}\d[a-z\d]?\s?\d[abd-hjlnp-uw-z]{2}(?!\w))"
)
_IN = re.compile(r"(?<![^\W_])(?:in|from|at|near|to|of|aus|te|a|visiting|via|serving|through|with)\s+(?P<at>)(?=[^\W\d_])")
_LIVES = re.compile(
    r"(?:\blives?\s+(?:alone\s+)?(?:in|at|near)|\bliving\s+(?:in|at)|\bresid(?:es|ing|ent)\s+(?:in|of|at)|\bborn\s+in|\bmoved\s+(?:from|to)|\btransfer(?:red)?\s+(?:from|to)|\bcomes\s+from|\bnative\s+of|\bvisiting\s+from|\btravel(?:l?ed)?\s+(?:from|to)|\bwohnhaft\s+in|\bwohnt\s+in|\baus|\bhabite\s+a|\bvive\s+en|\bnatural\s+de|\babita\s+a|\bwoont\s+in"
    r"|\b(?:wohnort|ort|stadt|city|town|village|ville|ciudad|citta|cidade|plaats|miasto|loc(?:ation)?)\s*:|\baddress\s*:?|\badresse\s*:?|\bdireccion\s*:?|\bindirizzo\s*:?|\boutside\s+(?:study|imaging|films?|ct|mri)\s+(?:from|at)|\bprior\s+(?:study|imaging|ct|mri|exam)\s+at|\bperformed\s+at|\bscanned\s+at|\badmitted\s+(?:to|at)|\bseen\s+at|\breferred\s+(?:from|to)|\bworks?\s+(?:at|for)|\bemployed\s+(?:at|by)|\bemployer\s*:?)\s+(?P<all>.{2,60})"
)
_PARTNER = re.compile(r"\s?&\s?(?=[^\W\d_]{3})")
_SAINT = re.compile(r"\b(?:st\.?|saint|san|santa|sankt|mount|mt\.?)\s?$")
_AT = re.compile(r"\b(?:at|from|to)\s$")
# Cities whose names are words, eponyms or makers as well: names wherever a place is announced.
_CITIES = frozenset(
    "berlin london paris madrid rome roma milan milano boston houston dallas austin phoenix denver chicago miami orlando cleveland"
    " rochester birmingham manchester leeds oxford cambridge york bath reading bristol toronto ottawa montreal vancouver sydney"
    " melbourne perth adelaide auckland wellington dublin cork bern basel geneva zurich lausanne vienna wien graz hamburg munchen"
    " munich koln cologne frankfurt stuttgart leipzig dresden bonn essen bremen hannover freiburg heidelberg ulm lyon lille nice"
    " nantes bordeaux tours angers rennes amsterdam rotterdam utrecht leiden gent lund uppsala oslo bergen malaga granada cadiz leon"
    " toledo lugo turin bologna pisa siena kyoto osaka nagoya seoul busan mumbai delhi chennai lagos accra nairobi cairo tunis"
    " ankara izmir moscow kiev warsaw prague brno budapest pecs lisbon porto braga recife natal santos lima quito bogota cali".split()
)
_NO_PART_OF_A_NAME = frozenset(
    "at from to in by see via outside prior previous this our other another same local referring per with near and/or".split()
)
_WORD = re.compile(r"[^\W\d_]+(?:['’.-][^\W\d_]+)*")


def find_places(text: Text) -> Iterator[Span]:
    """Yield institutions by their head word and addresses by their form."""
    low = text.low
    for match in _HEAD.finditer(low):
        proper = _proper_before(text, match.start())
        if proper is not None:  # the head word itself names nobody, and says what was cut
            yield Span(text.place(proper[0]), text.place(proper[1]), "institution")
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
        if match["zip"] or (state.isupper() and state not in _WORDS_AS_STATES and _has_proper(text, match.start(), match.start("st"))):
            start = match.start()
            while (
                (first := _WORD.match(low, start))
                and (is_known(first[0]) or not text.original(*first.span())[:1].isupper())
                and re.match(r"\s", low[first.end() : first.end() + 1])
                and _WORD.match(low, first.end() + 1)
            ):
                start = first.end() + 1
            yield Span(text.place(start), text.place(match.end()), "address")
    for match in _POSTCODE_CITY.finditer(low):
        city, more = text.original(*match.span("city")), text.original(*match.span("more"))
        dutch = re.match(r"\d{4}\s?[a-z]{2}\s", match["all"])
        if dutch and (text.value.isupper() or not text.original(match.start(), match.start() + dutch.end()).isupper()):
            continue
        if city[:1].isupper() and not is_clinical(match["city"]):
            end = match.end() if more.strip()[-3:-2].isalpha() and _ends_with_capital(more) else match.end("city")
            yield Span(text.place(match.start()), text.place(end), "address")
    for match in _NUMBERED.finditer(text.value):
        found = list(_WORD.finditer(text.value, match.start("name"), match.end("name")))
        leading = found[0][0].lower()
        if (is_listed_name(leading) or not is_clinical(leading)) and any(
            is_listed_name(w[0].lower()) or not is_known(w[0].lower()) for w in found
        ):
            yield Span(match.start(), match.end(), "address")
    for match in _STATE_AFTER.finditer(text.value):
        doubtful = (match["st"] in _WORDS_AS_STATES or not match["comma"]) and match.end("st") == match.end()
        if doubtful and match["st"] not in _WORDS_AS_STATES and text.value[match.end() :].strip() == "":
            doubtful = False
        if not doubtful and (is_only_name(match["city"].lower()) or not is_known(match["city"].lower())):
            yield Span(match.start("st"), match.end(), "address")
    for pattern in (_FLAT, _BEFORE_POSTCODE):
        for match in pattern.finditer(low):
            if _has_proper(text, match.start(), match.end()) or pattern is _BEFORE_POSTCODE:
                yield Span(text.place(match.start()), text.place(match.end()), "address")
    for match in (*_WEAK_HEAD.finditer(low), *_COMPANY.finditer(low)):
        proper = _proper_before(text, match.start())
        if proper is not None and _has_name(text, *proper):
            yield Span(text.place(proper[0]), text.place(proper[1]), "institution")
    for match in _THREE_PARTNERS.finditer(low):
        if all(is_listed_name(match[g]) and text.original(*match.span(g))[:1].isupper() for g in "xyz"):
            yield Span(text.place(match.start()), text.place(match.end()), "institution")
    if not text.value.isupper():
        yield from _named_after_preposition(text)
    for match in _LIVES.finditer(low):
        start = match.start("all")
        end = _proper_after(text, start)
        if end:
            named = [
                w for w in _WORD.finditer(low, start, end) if w[0] not in GENERIC_PLACE_WORDS and not is_clinical(w[0]) and len(w[0]) > 2
            ]
            begin = next((w.start() for w in named if text.original(*w.span())[:1].isupper()), start)
            yield Span(text.place(begin), text.place(end), "address")


def _has_name(text: Text, start: int, end: int) -> bool:
    """Say whether a word of the stretch is a listed name or in no vocabulary."""
    return any(is_listed_name(m[0]) or not is_known(m[0]) for m in _WORD.finditer(text.low, start, end))


def _ends_with_capital(words_: str) -> bool:
    return words_.rsplit(maxsplit=1)[-1].rpartition("-")[2][:1].isupper()


def _named_after_preposition(text: Text) -> Iterator[Span]:
    """Yield proper names after `in`, `from`, `at`: at least one word of them is in no vocabulary, or is a name alone."""
    for match in _IN.finditer(text.low):
        end = _proper_after(text, match.end())
        if not end or (match[0].rstrip() == "a" and "à" not in text.original(*match.span())):
            continue
        found = [
            w
            for w in _WORD.finditer(text.low, match.end(), end)
            if len(w[0]) > 2 and text.original(*w.span())[:1].isupper() and not text.original(*w.span()).isupper()
        ]
        strange = [w for w in found if is_only_name(w[0]) or not (is_known(w[0]) or w[0] in eponyms())]
        if strange:
            yield Span(text.place(strange[0].start()), text.place(end), "address")


def _is_proper(word: str, written: str) -> bool:
    return written[:1].isupper() and not is_clinical(word) and word not in words("english")


def _proper_before(text: Text, end: int) -> tuple[int, int] | None:
    """Return the stretch of the proper name of an institution whose head word stands at `end`; None without one."""
    start = stop = -1
    last = end
    shouting = text.value.isupper()
    for match in reversed(list(_WORD.finditer(text.low, max(0, end - 70), end))[-6:]):
        between = text.low[match.end() : last]
        written = text.original(*match.span())
        joins = match[0] in ("of", "and", "the", "de", "la", "st")
        if not re.fullmatch(r"[\s.]{0,2}|\s?&\s?|\s?-\s?|['’]s\s", between) or not (written[:1].isupper() or joins):
            break
        word = match[0].removesuffix("'s").strip(".")
        if len(word) == 1 and "&" in text.low[match.start() - 2 : match.end() + 2]:
            break  # A&E
        if written[:1].isupper() and _SAINT.search(text.low[max(0, match.start() - 8) : match.start()]):
            start, stop, last = match.start(), max(stop, match.end()), match.start()
            continue
        if word in _NO_PART_OF_A_NAME or (
            is_clinical(word) and word not in GENERIC_PLACE_WORDS and len(word) > 2 and word not in ("may", "mount", "st")
        ):
            break
        if joins and stop < 0:
            break
        in_capitals = shouting and (is_listed_name(word) or _AT.search(text.low[max(0, match.start() - 6) : match.start()]) is not None)
        begins = stop > 0 and (not match.start() or text.low[: match.start()].rstrip()[-1:] in ".;:!?-")
        general = word in words("english") and written[:1].isupper() and word not in GENERIC_PLACE_WORDS and not begins
        if _is_proper(word, written) or (general and (not written.isupper() or in_capitals)):
            start, stop = match.start(), max(stop, match.end())
        last = match.start()
    return (start, stop) if stop > 0 else None


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
            and match[0] not in _CITIES
            and (is_clinical(match[0]) or (match[0] in words("english") and written.isupper()))
            and match[0] not in GENERIC_PLACE_WORDS
        ):
            break
        if not joins and match[0] not in GENERIC_PLACE_WORDS:
            end = match.end()
        step = _PARTNER.match(text.low, match.end())  # Rangel & Concepción
        position = step.end() if step is not None else match.end() + 1
        if step is None and text.low[match.end() : position] not in (" ", "-", "'"):
            break
    return end


def _has_proper(text: Text, start: int, end: int) -> bool:
    return any(
        _is_proper(m[0].strip("."), text.original(*m.span()))
        or (text.original(*m.span())[:1].isupper() and not is_clinical(m[0]) and not text.value.isupper())
        for m in list(_WORD.finditer(text.low, start, end))[:-1]
    )
