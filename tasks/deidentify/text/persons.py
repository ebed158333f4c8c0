# ruff: noqa: E501, SIM905 - a row of the table is one pattern; word lists read as prose
"""Persons whom only the text knows: titles, roles and cues before a name, degrees after it, and listed names.

The people of the source headers are looked for in `own_names`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.deidentify.text.eponyms import is_of_something
from tasks.deidentify.text.fold import Text
from tasks.deidentify.text.own_names import PARTICLES
from tasks.deidentify.text.span import Span
from tasks.deidentify.text.vocabulary import eponyms, given_names, is_clinical, is_known, is_name, is_only_name, surnames, words

_TITLE = re.compile(
    r"(?<![^\W_])(?P<t>dr(?:a|s)?|doctor|doktor|docteur|dottor(?:e|essa)?|dott(?:\.?ssa)?|prof(?:essor|essora|esseur|\.ssa)?|pd|oa|oarzt|mr|mrs|ms|miss|mister|mssrs|sir|lady|herrn?|frau|hr|fr"
    r"|mme|mlle|madame|monsieur|mons|sra?|srta|senora?|don|dona|sig(?:\.?ra|nor|nora)?|dhr|mevr|mevrouw|meneer|pan|pani|rev(?:erend)?|father|sister|schwester|pfleger|nurse|capt|col|sgt|lt|maj"
    r"|доктор|д-р|г-н|г-жа|проф|врач|κ|δρ|د|الدكتور|دكتور|ד\"ר|דר|פרופ)(?P<dot>\.?)(?P<gap>(?:\s*(?:med|dent|rer\.?\s?nat|phil|habil|univ|prof|dr|ing|dipl)(?:\.|(?=\s)))*\s*)(?=[^\W\d_])"
)
_STRONG_TITLES = frozenset(
    "dr dra drs doctor doktor docteur prof professor mr mrs herr herrn frau mme mlle madame monsieur mevrouw dhr mevr senora srta доктор д-р г-н г-жа".split()
)
_CUE = re.compile(
    r"(?<![^\W_])(?:"
    r"(?:seen|read|reported|dictated|signed|referred|ordered|performed|requested|reviewed|approved|verified|authored|transcribed|interpreted|scanned|done|acquired|entered|electronically\s+signed"
    r"|finalized|finalised|dictated|transcribed|edited|obtained|supervised|assisted|accompanied|prepared|written|confirmed|checked|injected|cannulated|consented|witnessed|explained|operated|administered|attended|examined|brought(?:\s+in)?)\s+by"
    r"|discussed\s+with|spoke\s+(?:to|with)|informed|notified|paged|called\s+to|results?\s+(?:called\s+)?to|relayed\s+to|communicated\s+(?:to|with)|reported\s+to|per|attn|attention|c/o|cc|fao|contact|ask\s+for|under\s+care\s+of"
    r"|befundet\s+von|gelesen\s+von|uberwiesen\s+von|durchgefuhrt\s+von|unterschrieben\s+von|vidiert|gez|veranlasst\s+von|zuweiser|einsender|hausarzt|oberarzt|assistenzarzt|mta|mtra|mtr"
    r"|lu\s+par|vu\s+par|realise\s+par|adresse\s+par|prescrit\s+par|signe\s+par|demande\s+par|medecin|informado\s+por|realizado\s+por|solicitado\s+por|firmado\s+por|remitido\s+por|medico|letto\s+da|refertato\s+da|eseguito\s+da|inviato\s+da"
    r"|tech(?:nologist|nician|nologue)?|rad(?:iologist|iographer|iologe|iologo|iologue)?|operator|performing\s+physician|physician|phys|attending|resident|fellow|surgeon|consultant|registrar|sonographer|nurse|rn|md|dictator|transcriptionist|reader|reviewer|author|requester|referrer"
    r"|ref(?:erring)?(?:\s+(?:md|dr|phys(?:ician)?|provider))?|ordering(?:\s+(?:md|dr|provider))?|pcp|gp|provider|signed|dictated|transcribed|verified|reported|typed|initials?|scanned|user"
    r"|patient(?:\s+name|in|en)?|pat|pt|name|surname|last\s?name|first\s?name|subject\s+name|nom|nombre|prenom|apellidos?|nome|cognome|nachname|vorname|familienname"
    r"|(?:his|her|their|the\s+patient'?s?|pt'?s?)?\s*(?:mother|father|wife|husband|spouse|partner|son|daughter|brother|sister|sibling|uncle|aunt|grand(?:mother|father|son|daughter)|guardian|parent|caregiver|carer|friend|neighbou?r|next\s+of\s+kin|nok|emergency\s+contact|mutter|vater|ehefrau|ehemann|tochter|sohn|bruder|schwester|mere|pere|epouse|epoux|fils|fille|madre|padre|esposa|esposo|hija|hijo|moglie|marito|figlia|figlio)"
    r"|患者(?:名|氏名)?|氏名|姓名|医師|医生|환자명?|성명|이름|пациент(?:ка)?|ф\.?и\.?о|врач|имя|фамилия|ασθενης|ονομα|المريض|اسم|שם|המטופל"
    r")(?P<sep>\s*[:=#/-]\s*\(?|\s*\(\s*|\.\s?:?\s*|\s+(?:is\s+|was\s+|named\s+|called\s+|from\s+)?|(?=[\u3040-\u9fff\uac00-\ud7af]))"
)
_DEGREE = re.compile(
    r"(?P<sep>,?\s+|,)\(?(?:m\.?d|d\.?o|ph\.?d|r\.?n|rt\s?\(r\)(?:\(\w+\))*|r\.?t|arrt|facr|frcr|mbbs|mbchb|msc|bsc|pa-c|pa|np|crnp|aprn|fnp|rdms|rdcs|rvt|cnmt|dds|dmd|pharmd|dvm|fracr|mrcp|facc)\b\.?"
)
_DEGREE_HERE = re.compile(r"(?:m\.\s?d|d\.\s?o|ph\.\s?d|r\.\s?n|r\.\s?t)\b")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*(?:-[^\W\d_]+(?:['’][^\W\d_]+)*)*")
_INITIALS = re.compile(r"(?:[^\W\d_]\.?){2,4}(?![^\W_])")
_STOP = frozenset(
    "and or the a an in on dr prof mr mrs ms miss herr frau mme sra at of for with without by to from as is was has had been be are were will would patient pt report exam study scan ct mr mri us xr pet who whom"
    " mit ohne und oder von im am bei zur fur ist war hat wurde et ou avec sans pour dans est ete y o con sin para en es fue e con senza per di da not no none see seen since after before"
    " that this he she they it its his her via per phone fax tel call called informed notified discussed reviewed regarding about re at".split()
)  # fmt: skip
# "May 5", "Grant Hall": nothing. Cues that are so common that only a clear name counts after them.
_WEAK_CUES = frozenset(
    {
        "per",
        "patient",
        "pt",
        "pat",
        "contact",
        "attention",
        "cc",
        "rad",
        "ref",
        "md",
        "rn",
        "reader",
        "user",
        "medico",
        "informed",
        "friend",
        "sister",
        "name",
        "scanned",
    }
)


def find_persons(text: Text) -> Iterator[Span]:
    """Yield the names that a title, a cue, a degree or the lists of names give away."""
    low = text.low
    for match in _TITLE.finditer(low):
        if match["t"] in ("fr", "hr", "don", "pan", "col", "lt", "sir", "pd", "oa", "drs", "ms", "mons", "maj", "κ", "د", "sr") and not (
            match["dot"] and match.start() >= 0 and _written_as_title(text, match)
        ):
            continue
        if (
            match["t"] in ("dr", "ms", "mr")
            and not match["dot"]
            and text.original(*match.span("t")).isupper()
            and not _name_at(text, match.end(), sure=False, upper=True)
        ):
            continue  # DR CHEST, MR BRAIN, MS LESION
        end = _name_at(
            text, match.end(), sure=match["t"] in _STRONG_TITLES and text.original(match.start("t"), match.start("t") + 1).isupper()
        )
        if end:
            yield Span(text.place(match.end()), text.place(end), "person")
    for match in _CUE.finditer(low):
        cue = low[match.start() : match.start("sep")].strip()
        marked = any(c in match["sep"] for c in ":=#")
        end = _name_at(text, match.end(), sure=marked and cue not in _WEAK_CUES, listing=marked or cue.endswith("by"))
        if not end and (marked or "by" in cue or cue in ("tech", "initials", "initial", "rad", "gez", "vidiert", "mta", "mtra")):
            end = _initials_at(text, match.end())
        if end:
            yield Span(text.place(match.end()), text.place(end), "person")
    for match in _DEGREE.finditer(low):
        start = _name_before(text, match.start())
        if start is not None:
            yield Span(text.place(start), text.place(match.start()), "person")
    yield from _listed(text)


def _written_as_title(text: Text, match: re.Match[str]) -> bool:
    written = text.original(*match.span("t"))
    return written[:1].isupper() and (len(written) == 1 or not written.isupper() or text.value.isupper())


def _name_at(text: Text, at: int, *, sure: bool, upper: bool = False, listing: bool = False) -> int:
    """Return the end of the name that begins at `at`, or 0.

    `sure`: the first word counts even when it is a word as well; `listing`: `Last, First` is how names are written here.
    """
    low, end, count = text.low, 0, 0
    position = at
    while count < 4:
        match = _WORD.match(low, position)
        if match is None:
            break
        word = match[0]
        written = text.original(*match.span())
        initial = len(word) == 1
        if initial and count and _DEGREE_HERE.match(low, position):
            break
        if word in PARTICLES and not initial and len(word) <= 3 and _WORD.match(low, match.end() + 1):
            pass
        elif initial:
            if not written.isupper():
                break
        elif not _may_be_name(word, written, text, sure=sure and count == 0, after_name=count > 0):
            break
        if not (word in PARTICLES and not initial):
            end, count = match.end(), count + (not initial)
            if initial and low[end : end + 1] == ".":
                end += 1
        step = re.match(r"(?:\.\s?|\s|,\s?|\^|\.?-)", low[match.end() :])
        if step is None:
            break
        if "," in step[0] and count and not _continues_after_comma(text, match.end() + step.end(), listing=listing):
            break
        position = match.end() + step.end()
    if count == 0:
        return 0
    return end


def _continues_after_comma(text: Text, at: int, *, listing: bool) -> bool:
    match = _WORD.match(text.low, at)
    if match is None:
        return False
    word, written = match[0], text.original(*match.span())
    if (len(word) == 1 and written.isupper()) or word in given_names():
        return True
    return listing and len(word) > 3 and written[:1].isupper() and not is_known(word) and word not in _STOP


def _may_be_name(word: str, written: str, text: Text, *, sure: bool, after_name: bool) -> bool:
    if word in _STOP or len(word) < 2:
        return False
    if ("-" in word and not word.isascii()) or not written[:1].isalpha():
        return False
    caseless = written.lower() == written.upper()
    if caseless:
        return True
    if not written[:1].isupper():
        return sure and written.islower() and len(word) > 3 and not is_known(word) and word not in eponyms()
    pieces = [p for p in word.split("-") if p]
    if any(is_clinical(p) for p in pieces):
        return sure and not written.isupper() and not after_name and len(word) > 3
    if all(p in words("english") for p in pieces):
        return sure or (is_name(word) and (not text.value.isupper() or after_name)) or (after_name and not written.isupper())
    return len(word) > 2 or not written.isupper() or is_name(word)


def _initials_at(text: Text, at: int) -> int:
    match = _INITIALS.match(text.low, at)
    if match is None:
        return 0
    written = text.original(*match.span())
    letters = "".join(c for c in written if c.isalpha())
    if not 2 <= len(letters) <= 4 or letters.lower() in _STOP or (is_clinical(letters.lower()) and "." not in written):
        return 0
    return (
        match.end() if letters.isupper() or "." in written else (match.end() if len(letters) <= 3 and not is_known(letters.lower()) else 0)
    )


def _name_before(text: Text, end: int) -> int | None:
    """Return where the name begins that ends at `end` (a degree follows it)."""
    found = list(_WORD.finditer(text.low, max(0, end - 60), end))
    start: int | None = None
    last = end
    for match in reversed(found[-4:]):
        between = text.low[match.end() : last]
        written = text.original(*match.span())
        if not re.fullmatch(r"\.?\s?|,\s?|\.,?\s?", between):
            break
        if len(match[0]) == 1 and written.isupper():
            pass
        elif match[0] in PARTICLES or not _may_be_name(match[0], written, text, sure=False, after_name=start is not None):
            break
        start = last = match.start()
    return start


def _listed(text: Text) -> Iterator[Span]:
    """Yield listed names: a given name and a family name side by side, or a lone name that is nothing else."""
    matches = list(_WORD.finditer(text.low))
    for i, match in enumerate(matches):
        word = match[0]
        written = text.original(*match.span())
        if not written[:1].isupper() or len(word) < 3:
            continue
        pieces = word.split("-")
        if (is_only_name(word) or (len(pieces) > 1 and all(is_only_name(p) for p in pieces))) and not is_of_something(
            text.low, *match.span()
        ):
            yield Span(text.place(match.start()), text.place(match.end()), "person")
        if word in given_names() and i + 1 < len(matches) and not is_clinical(word):
            follower = matches[i + 1]
            between = text.low[match.end() : follower.start()]
            surname = follower[0]
            named = text.original(*follower.span())
            if (
                re.fullmatch(r"\s|\s[a-z]\.?\s|\^|_|\.", between)
                and named[:1].isupper()
                and not is_clinical(surname)
                and surname not in _STOP
                and (surname in surnames() or not is_known(surname))
            ):
                yield Span(text.place(match.start()), text.place(follower.end()), "person")
        if word in surnames() and i + 1 < len(matches):
            follower = matches[i + 1]
            between = text.low[match.end() : follower.start()]
            named = text.original(*follower.span())
            if (
                re.fullmatch(r",\s?|\^", between)
                and named[:1].isupper()
                and (follower[0] in given_names() or (len(follower[0]) == 1 and text.low[follower.end() : follower.end() + 1] == "."))
            ):
                yield Span(text.place(match.start()), text.place(follower.end()), "person")
