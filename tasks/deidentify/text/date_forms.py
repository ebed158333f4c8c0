# ruff: noqa: E501 - a row of the table is one pattern
"""The forms in which dates are written, as patterns over folded text.

Every pattern has the group `all`, and of `y m d mon rom ord a b s` those that it spells. What a match means is judged in
`dates`.
"""

from __future__ import annotations

import re

from tasks.deidentify.text.calendar import months, weekdays

ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")


def _any_of(names: object) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))  # type: ignore[call-overload]  # dict or tuple of str


_MON = _any_of(months())
_Y = r"(?P<y>(?:19|20)\d\d)"
_YY = r"(?P<y>(?:19|20)\d\d|['’]?\d\d)"
_M, _D = r"(?P<m>0[1-9]|1[0-2])", r"(?P<d>0[1-9]|[12]\d|3[01])"
_M1, _D1 = r"(?P<m>1[0-2]|0?[1-9])", r"(?P<d>3[01]|[12]\d|0?[1-9])"
_GAP = r"[\s.,/_\-]{0,3}"
_OF = r"(?:\s*(?:of|de|del|di|d')\s+)?"
_DATED = r"(?:on|dated?|since|from|of|vom|am|le|el|seen|exam|study|prior|until|till|bis|seit|scan|compared?(?:\s+(?:to|with))?|performed|taken|fell|injured|injury|onset|started|began|surgery|accident|mva|last|d\.d\.|dd|do)"
_EVENT = (
    r"(?:fell|fall|injur(?:ed|y)|mva|mvc|accident|onset|since|request(?:ed)?|re-?schedul(?:ed|e)|scheduled|sched|appointment|appt|surgery|dos|doi|doa|lmp|edd|exp|due|admitted|discharged|arrived|called|left|lvm|message|msg"
    r"|visit|seen|f/u|follow-?up|returned|started|stopped|placed|removed|repeat(?:ed)?|films?|study|exam|prior|outside|reported|completed|received|sent|done|scan|ct|mri?|xr|us|clearance|before|after|by|monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tues?|wed|thurs?|fri|sat|sun)"
)
_UNIT = r"(?!\s*(?:mm|cm|ml|mg|yo|y/o|/|%|kg|weeks|of\b|stars|lobes|teeth|vessel|levels?))"

# Longer and surer forms first: a stretch that one form has claimed is not read again by a later one.
FORMS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("cjk", rf"(?P<all>{_Y}\s*[年년]\s*{_M1}\s*[月월]\s*{_D1}\s*[日일]?)"),
        ("cjk month", rf"(?P<all>{_Y}\s*[年년]\s*{_M1}\s*[月월])"),
        ("foreign", r"(?P<all>(?:令和|平成|昭和|大正|民國|民国)\s*(?:\d{1,3}|元)\s*年(?:\s*\d{1,2}\s*月)?(?:\s*\d{1,2}\s*日)?)"),
        ("foreign", r"(?<![\w.])(?P<all>[rhst]\d{1,2}[./]\d{1,2}[./]\d{1,2})(?![\d.])"),
        ("year first", rf"(?<![\d.])(?<!\d-)(?P<all>{_Y}(?P<s>[-/.])\s?{_M1}(?P=s)\s?{_D1})(?![\d]|[-/.]\d)"),
        ("year first, spaced", rf"(?<![\d.])(?P<all>{_Y}(?P<s>[ _:]){_M}(?P=s){_D})(?![\d])"),
        ("compact with time", rf"(?<![\d])(?<!\d\.)(?P<all>{_Y}{_M}{_D})(?=(?:[01]\d|2[0-4])[0-5]\d(?:[0-5]\d(?:\.\d{{1,6}}|\d{{2,6}})?)?(?!\d))"),
        ("compact", rf"(?<![\d])(?<!\d\.)(?P<all>{_Y}{_M}{_D})(?!\d)(?!\.\d)"),
        ("numbers", rf"(?<![\d,/])(?<!\d\.)(?:(?<!-)|(?<=\.-)|(?<=\d{{4}}-))(?P<all>(?P<a>\d{{1,2}})(?P<s>[-/.])\s?(?P<b>\d{{1,2}})(?P=s)\s?{_YY})(?!\d|[-/.]\d)"),
        ("numbers, spaced", rf"(?<![\d.])(?P<all>(?P<a>[0-3]\d)(?P<s>[ _])(?P<b>[0-3]\d)(?P=s){_Y})(?!\d)"),
        ("year, month name, day", rf"(?<![\d])(?P<all>{_Y}{_GAP}(?P<mon>{_MON})\.?{_GAP}{_D1}(?P<ord>st|nd|rd|th)?)(?![\w])"),
        ("day, month name, year",
         rf"(?<![\d.,])(?P<all>{_D1}(?:(?P<ord>st|nd|rd|th|er)|º|ª|\.|°)?{_GAP}{_OF}(?P<mon>{_MON})\.?{_GAP}(?:(?:de|del|of)\s+)?{_YY})(?!\d|[.:]\d)"),
        ("month name, day, year",
         rf"(?<![^\W\d_])(?P<all>(?P<mon>{_MON})\.?{_GAP}(?:the\s+)?{_D1}(?P<ord>st|nd|rd|th)?{_GAP}(?:of\s+)?(?P<y>(?:19|20)\d\d|['’]\d\d|(?<=[/\-_,.\s])\d\d))(?!\d|[.:]\d)"),
        ("roman month", rf"(?<![\d.])(?P<all>{_D1}[./\-\s]\s?(?P<rom>x?i{{1,3}}|i?[vx]|vi{{1,3}}|xi{{0,2}})[./\-\s]\s?{_Y})(?!\d)"),
        ("month name, year", rf"(?<![^\W\d_])(?P<all>(?P<mon>{_MON})\.?{_GAP}{_OF}(?P<y>(?:19|20)\d\d|['’]\d\d))(?!\d|[.:]\d)"),
        ("year, month name", rf"(?<!\d)(?P<all>{_Y}{_GAP}(?P<mon>{_MON}))(?![^\W\d_])"),
        ("day, month name",
         rf"(?<![\w.,])(?P<all>{_D1}(?:(?P<ord>st|nd|rd|th|er)|º|\.|°)?[\s.\-/]{{0,2}}{_OF}(?P<mon>{_MON}))(?![^\W\d_]|\s+(?:be|represent|have|reflect|relate|also)\b)"),
        ("month name, day", rf"(?<![^\W\d_])(?P<all>(?P<mon>{_MON})\.?[\s\-]{{0,2}}(?:the\s+)?{_D1}(?P<ord>st|nd|rd|th)?)(?![\w]|[.:/,]\d)"),
        ("month and year", rf"(?<![\d./])(?:(?<!-)|(?<=\d{{4}}-))(?P<all>{_M1}/{_Y})(?!\d|[./]\d|-\d{{1,2}}(?![\d/]))"),
        ("month and year", rf"(?<![\d./-])(?<![a-z]\.)(?P<all>{_M}[.-]{_Y})(?!\d|[./-]\d)"),
        ("year and month", rf"(?<![\d./-])(?P<all>{_Y}[-/]{_M})(?!\d|[./-]\d)"),
        ("day and month, dotted", rf"\b(?:am|vom|bis|zum|seit|ab|den|dem|der|und|d\.)\s+(?P<all>{_D1}\.\s?{_M1}\.)(?!\d)"),
        ("day and month, dotted", rf"(?<![\d.])(?P<all>{_D1}\.\s?{_M1}\.)(?=\s?-\s?\d{{1,2}}\.\d{{1,2}}\.)"),
        ("month/day after a cue", rf"\b{_DATED}\s*:?\s+(?P<all>{_M1}/{_D1})(?![\d/]){_UNIT}"),
        ("month/day after a cue", rf"\b{_EVENT}(?:\s+[a-z'-]+){{0,3}}\s*:?@?\s+(?P<all>{_M1}/{_D1})(?![\d/]|\s*(?:of|mm|cm)\b|%){_UNIT}"),
        ("day/month after a cue", rf"\b(?:dal|dall'|il|le|el|op|den|du|au|del|desde)\s+(?P<all>(?P<d>3[01]|[12]\d|0?[1-9])/(?P<m>0?[1-9]|1[0-2]))(?![\d/]){_UNIT}"),
        ("month/day before its author", rf"(?<![\w./-])(?P<all>{_M1}/{_D1})(?=\s+(?:by|@)\s)"),
        ("day/month, padded", r"(?<![\w./-])(?P<all>(?P<d>1[3-9]|2\d|3[01])/(?P<m>0[1-9]))(?![\w/%]|\.\d)" + _UNIT),
        ("month/day, padded", r"(?<![\w./-])(?P<all>(?P<m>0[1-9])/(?P<d>1[3-9]|2\d|3[01]))(?![\w/%]|\.\d)" + _UNIT),
        ("foreign", r"(?<![\d.])(?P<all>(?:19|20)\d\d(?P<s>[-/.])\d{1,2}(?P=s)\d{1,2})(?![\d.])"),  # a day that no month has
        ("foreign", r"(?<![\d.])(?P<all>\d{1,2}(?P<s>[-/.])\d{1,2}(?P=s)(?:19|20)\d\d)(?!\d)"),
        ("foreign", r"\b(?P<all>(?:kw|week|wk|woche|semaine|semana)\s?\d{1,2}\s?[/,]?\s?(?:of\s+)?(?:19|20)\d\d)(?!\d)"),
        ("foreign", r"(?<!\d)(?P<all>(?:19|20)\d\d-?w[0-5]\d(?:-?[1-7])?)(?!\d)"),
        ("foreign", r"\b(?P<all>q[1-4][\s/\-]?(?:19|20)\d\d)(?!\d)"),
        ("foreign", r"(?<![\d.])(?P<all>(?:1[34]|25)\d\d(?P<s>[-/])(?:0?[1-9]|1[0-2])(?P=s)(?:3[01]|[12]\d|0?[1-9]))(?![\d/.-])"),
        ("foreign", r"(?:\b(?:dob|d\.o\.b\.?|birth ?date|geb\.?|ddn|dated?)\s*[:=]?\s*)(?P<all>\d{6})(?!\d)"),
    )
)  # fmt: skip

MIGHT_HOLD_A_DATE = re.compile(rf"\d.*?\d|\d\s*\.?\s*(?:{_MON})|(?:{_MON})\W*\d", re.DOTALL)
WEEKDAY_BEFORE = re.compile(rf"(?<![^\W\d_])(?P<w>{_any_of(weekdays())})\.?,?\s*(?:,|the|den|dem|le|el|dia)?\s*$")
DATED_BEFORE = re.compile(rf"\b(?:{_DATED}|{_EVENT})\s*:?\s+$")
BIRTH_CUE = re.compile(
    r"(?:\bd\.?o\.?b\b|birth\s?(?:date|day)?|\bborn|\bbdate|geburts(?:datum|tag)|\bgeb|\bnee?\b|naissance|nac(?:imiento|ido|ida|\b)|nascimento|nascit[ao]|\bnat[oa]\b"
    r"|geboren|geboortedatum|\bdd?n\b|fodt|fodd|urodz|рожд|\bд\.?р\b|生年月日|出生|생년월일|γεννησ|الميلاد|לידה)[^\d]{0,16}$"
)
MONTH_FIRST_CLUE = re.compile(r"(?<!\d)(?:0?[1-9]|1[0-2])[/-](?:1[3-9]|2\d|3[01])[/-](?:\d{4}|\d\d)(?!\d)")
DAY_FIRST_CLUE = re.compile(r"(?<!\d)(?:1[3-9]|2\d|3[01])[/-](?:0?[1-9]|1[0-2])[/-](?:\d{4}|\d\d)(?!\d)")
