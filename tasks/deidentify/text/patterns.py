# ruff: noqa: E501 - a row of the table is one pattern
"""Contacts, numbers and codes that identify people wherever they stand: phones, addresses of the net, ids with a cue, ages.

Identifiers that the source headers name are looked for in `own_values`; dates and persons have modules of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.deidentify.text.fold import Text
from tasks.deidentify.text.span import Span

_CODE = r"(?=[\w\-/.]*\d)[a-z0-9][a-z0-9]*(?:[\-/._][a-z0-9]+)*"
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("email", r"(?P<all>[\w.+'-]+\s?(?:@|\(at\)|\[at\])\s?[\w-]+(?:\s?\.\s?[\w-]+)+)"),
        ("url", r"(?P<all>\b(?:https?|ftps?|sftp|file|dicom|wado)://[^\s<>\"]+)"),
        ("url", r"(?P<all>\bwww\.[\w-]+(?:\.[\w-]+)+(?:/[^\s<>\"]*)?)"),
        ("url", r"(?P<all>(?<![\w@.])[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|edu|gov|de|uk|fr|ch|at|nl|es|it|eu|info|local|lan|intra|health)(?:/[^\s<>\"]*)?(?![\w.]))"),
        ("host", r"(?<![\w.])(?P<all>(?:ws|pc|wks|wst|wkst|host|srv|server|laptop|desktop|node)-[a-z0-9][\w-]{2,})"),
        ("path", r"(?P<all>(?:\b[a-z]:)?\\\\?(?:users|home|documents and settings)\\[^\s\\]+(?:\\[^\s\\]+)*)"),
        ("path", r"(?P<all>/(?:users|home|export/home|mnt|data/users)/[^\s/]+(?:/[^\s/]+)*)"),
        ("path", r"(?P<all>\\\\[\w.-]+\\[^\s]+)"),
        ("uid", r"(?P<all>(?<![\w.])(?!1\.2\.840\.10008\.)[0-2](?:\.(?:0|[1-9]\d*)){5,}(?![\w.]*\d))"),
        ("ip", r"(?P<all>(?<![\d.])(?<!\bv)(?<!\bv )(?<!\bv\.)(?<!\bver )(?<!\bver\. )(?<!version )(?<!software )(?<!release )(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?::\d{2,5})?(?![\d.]\d))"),
        ("ip", r"(?P<all>(?<![\w:])(?:[0-9a-f]{1,4}:){3,7}:?[0-9a-f]{1,4}(?![\w:]))"),
        ("mac", r"(?P<all>(?<![\w:-])[0-9a-f]{2}(?P<s>[:-])[0-9a-f]{2}(?:(?P=s)[0-9a-f]{2}){4}(?![\w:-]))"),
        ("uuid", r"(?P<all>\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4,12}\b)"),
        ("phone", r"(?P<all>(?<![\w.+])(?:\+|00)\d{1,3}[\s.()/-]{0,3}\(?\d{1,5}\)?(?:[\s./-]{0,2}\d{2,5}){1,5}(?!\d)(?:\s*(?:x|ext\.?|extension|durchwahl|dw)\s*\d{1,6})?)"),
        ("phone", r"(?P<all>(?<![\w.-])(?:1[-. ])?\(\d{3}\)\s?\d{3}[-. ]?\d{4}(?!\d)(?:\s*(?:x|ext\.?|extension)\s*\d{1,6})?)"),
        ("phone", r"(?P<all>(?<![\w.-])(?:1[-. ])?[2-9]\d{2}(?:[-. /][2-9]\d{2}[-. ]|[-.]\d{3}[-.])\d{4}(?![\d-])(?:\s*(?:x|ext\.?|extension)\s*\d{1,6})?)"),
        ("phone", r"(?P<all>(?<![\w.-])\(\d{2,5}\)\s?\d{3,5}[-. ]?\d{3,5}(?![\d-]))"),
        ("phone", r"(?P<all>(?<![\w.-])[2-9]\d{2}-\d{4}(?![\d-]))"),
        ("phone", r"(?P<all>(?<![\w.-])0\d{1,4}[\s/-]{1,3}\d{2,8}(?:[\s-]\d{1,5}){0,4}(?![\d.]))"),
        ("phone", r"(?P<all>(?<![\w.-])0\d(?:[ .-]\d\d){4}(?!\d))"),
        ("phone",
         r"\b(?:tel(?:ephone|efon|efono|efone|ef)?|phone|ph|cell|mobile?|handy|mob|fon|tlf|tfno|telf|movil|cellulare|gsm|puh|work#?|home#?|fax|pager|beeper|bleep|call(?:ed|back)?(?:\s+(?:at|back))?|contact|ext(?:ension)?|durchwahl|text|sms|ring|dial|whatsapp|viber|电话|電話|тел|전화|هاتف)"
         r"(?:\.|\s?(?:no|nr|number|#))?\.?\s*[:=#]?\s*(?P<all>[+(]?\d[\d\s().\-/x]{2,20}\d)"),
        ("extension", r"(?<![\w/])(?:x|ext\.?|extension|bleep|beep(?:er)?|pager|pgr|paged|ring|dial|dect|durchwahl|dw|apparat|poste|interno|page|tel\.?|fon|voalte|vocera|busca|spectralink|ascom)\s?[:#]?\s?(?P<all>\d{3,6})(?![\w.,/-]?\d)"),
        ("ssn", r"\b(?:ssn|ss#|social)\b[^\d\n]{0,24}(?P<all>\d{4})(?!\d)"),
        ("ssn", r"(?P<all>(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-]))"),
        ("ssn", r"(?P<all>(?<![\w.,-])[12]\s?\d\d\s?(?:0[1-9]|1[0-2])\s?\d[\dab]\s?\d{3}\s?\d{3}(?:\s?\d\d)?(?![\w]))"),
        ("ssn", r"\b(?:ssn|ss#|social(?:\s+security)?(?:\s+(?:no|number|#))?|svnr|ahv|nir|nhs|chi|bsn|dni|nie|curp|cpf|rut|codice\s+fiscale|personnummer|cpr|medicare|tax\s?id)"
                r"(?:\.|\s?(?:no|nr|number|#))?\.?\s*[:=#]?\s*(?P<all>(?:[a-z]{1,6}\s?)?\d[\d .\-/]{2,16}\d[a-z]?)(?!\w)"),
        ("id", r"\b(?:mrn|m\.r\.n\.?|med(?:ical)?\.?\s?rec(?:ord)?s?|mr\s?(?=#|no|num)|ref(?:erence)?\s?(?=#|no|num)|(?:health|id|insurance)\s?card|hosp(?:ital)?\s?(?=#|no|num|id)|pat(?:ient|ienten|iente)?[\s._-]?(?:id|nr|no|num(?:ber)?|#)|pid|pt\s?id|pt\s?#|unit\s?(?=#|no)|"
               r"chart|case|file|record|visit|encounter|csn|har|fin|acct?|account|accession|acc|accn|access\.?|order|ord|req(?:uisition)?|exam\s?(?=#|id|no|num)|study\s?(?=#|id|no|num)|study\s(?=\d{5})|ticket|job|cohort|request|auth(?:orization)?|irb|protocol\s?(?=#|no|num|id)|custody|triage|unit\s?(?=#|no)|county\s+case|inmate|docket|specimen|path(?:ology)?\s?(?=#|no|num)|"
               r"episode|admission|adm|invoice|claim|policy|member|subscriber|grp|group|sub|plan|insurance|versicherten|kassen|fall|aufnahme|auftrag|akte|dossier|ipp|nip|nda|historia|expediente|nhc|prontu[a]rio|registro|cartella|bestelling|opdracht|"
               r"dl\s?(?=#|no)|hcpc|gmc|nmc|ahpra|gdc|nric|ic(?=\s\d{6})|hetu|fnr|taj|t\.?c\.?|oib|pesel|regon|aadhaar|h&c|pps|c\.?\s?f\.?|unit\s?(?=#|no)|driver'?s?\s+lic(?:ense)?|license|licence|lic|npi|dea|badge|employee|passport|pass|visa|vin|plate|serial|station|s/n|sn|ser|device\s?id|asset|imei|udi|lot|subject|subj|participant|screening|enrol(?:l)?ment|randomi[sz]ation|id|identifier|"
               r"病历号|病歷號|患者id|患者番号|住院号|检查号|受付番号|환자번호|등록번호)"
               r"(?:\s?(?:no|nr|num(?:ber|mer)?|nummer|numero|n°|nº|id|#|code|номер))*\.?\s*(?:(?:is|was|ist)\s+)?[:=#]*\s*(?:(?<=[\W_])|(?=\d{4}))(?P<all>" + _CODE + r"(?:(?<=\d{2})(?:\s\d{3,6}(?!\s?(?:(?:mm|cm|kvp?|ma|mas|ms|hz|ml|mg|kg|g|t|s|hu|mbq|mci|bpm)\b|[%/.,]\d)|\d)){1,3})?)(?![\w])"),
        ("number", r"(?P<all>(?<!\w)#\s?" + r"(?=[\w\-]*\d{4})[a-z0-9\-]{4,20}(?!\w))"),
        ("number", r"(?P<all>(?<![\w.-])[a-z]{1,4}\d{2}-\d{3,8}(?:-\d+)?(?![\w-]))"),
        ("number", r"(?P<all>(?<![\w.])(?<!\d[-/])[a-z]{1,4}[-_]?\d{6,}[a-z]{0,2}(?![\w.]*\d))"),
        ("number", r"(?P<all>(?<![\w.])(?<!\d[-/])[a-z]{1,3}\d{5}[a-z]?(?![\w.]))"),
        ("number", r"(?P<all>(?<![\w.])(?=(?:[a-z]*\d){4})(?=(?:\d*[a-z]){3})(?=[a-z0-9]*\d[a-z]+\d)[a-z0-9]{9,20}(?![\w.]))"),
        ("number", r"(?P<all>(?<![\w.])(?=(?:[a-z]*\d){6})(?=\d*[a-z])[a-z0-9]{8,20}(?![\w.]))"),
        ("number", r"(?P<all>(?<=_)\d{6}(?=_|$)|^\d{6}(?=_))"),
        ("number", r"(?P<all>(?<![\w.,])(?:\d{2,6}-){1,3}\d{4,8}(?![\w]|[-.]\d))"),
        ("number", r"(?P<all>(?<![\w.,+])(?<!\d[-/])\d{7,}(?![\w]|[.,]\d)(?!\s?(?:mm|cm|ms|hz|khz|mhz|bq|kbq|mbq|counts|cts|ohm|units?|%)\b))"),
        ("number", r"(?P<all>(?<![\w.,+/-])(?<!\bcount )(?<!platelets )(?<!\bplt )(?<!\bwbc )(?<!\bsweep )(?!(?:19|20)\d{4}(?!\d))[1-9]\d{5}(?![\w]|[-.,/]\d)(?!\s?(?:[a-z]{1,3}\b|/|units?|counts|cells|platelets|copies|%)))"),
        ("number", r"(?P<all>(?<![a-z0-9])(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{16,}(?![a-z0-9]))"),
        ("user", r"\b(?:pacs\s+admin|admin|user|login|operator|analyst)\s+(?P<all>(?=[a-z.]*\d)[a-z][\w.]{2,})"),
        ("user", r"\b(?:login|logon|username|user\s?id|signed\s+in\s+as|logged\s+in\s+as)\s+(?P<all>[a-z][\w.]{4,})"),
        ("user", r"\b(?:by|from)\s+(?P<all>[a-z]{4,}[._]?\d{1,4}|[a-z]{2,}[._][a-z]{3,}\d*)(?![\w/])"),
        ("zip", r"\b(?:zip(?:\s?code)?|postal(?:\s?code)?|postcode|plz|cp|cap)\s*[:=]?\s*(?P<all>[a-z]{0,2}-?\d[\w -]{2,8}\w)"),
        ("zip", r"(?<![\w])(?P<all>[a-z]{1,2}\d[a-z\d]?\s\d[abd-hjlnp-uw-z]{2})(?!\w)"),
        ("user", r"\b(?:user\s?(?:name|id)?|login|logon|logged\s+in(?:\s+as)?|account|uid|operator\s?id|opid|sign(?:ed)?\s?on)(?:\s*[:=]\s*|\s+(?=[a-z.]*\d|[a-z]+[._][a-z]))(?P<all>[\w.@\\-]{2,40})"),
    )
)  # fmt: skip
_AGE = re.compile(
    r"(?<![\w.,/-])(?P<n>9\d|1[0-2]\d)(?=\s*-?\s*(?:y\.?\s?/?\s?o\b|y/o|yo\b|yrs?\b|years?\b|y\.o\.?|year-old|jahr|j\.\b|ans\b|anos\b|anni\b|ar\b|jaar|vuotias|let\b|lat\b|лет|года?\b|歳|岁|歲|세|살))"
    r"|(?:\bage[ds]?\b|\balter\b|\bage\s?:|\bedad\b|\bidade\b|\beta\b|\bleeftijd\b|возраст|年龄|年齢|나이|\banni\b|\bans\b|\ba(?:nos|ged)\b|\blat\b|\bjahre\b)\s*(?:of|is|:|=)?\s*(?P<m>9\d|1[0-2]\d)(?!\d|[.,]\d|\s*(?:mm|cm|kg|%|ml))"
    r"|\b(?:is|was|turned|turning|now|almost|nearly)\s(?P<r>9\d|1[01]\d)(?=\s*(?:$|[,.;](?!\d)|(?:and|with|who|but|hx|lives|living|now)\b))"
    r"|(?<!\w)0(?P<o>9\d)y(?!\w)|(?<!\w)(?P<p>1[0-2]\d)y(?!\w)"
    r"|(?<![\w.,/-])(?P<q>9\d|1[0-2]\d)(?:\s?(?:yo|y)[\s/-]?|/)?[mf](?![\w/])"
)
_YEARS_THAT_ARE_NO_AGE = re.compile(
    r"\s*-?\s*(?:years?|yrs?|jahre|ans|anos|anni)\s+(?:ago|follow|later|after|survival|warranty|experience|history|smok|pack)"
)


def find_patterns(text: Text) -> Iterator[Span]:
    """Yield the contacts, codes and ages over 89 of the text; an age's replacement is the cap."""
    low = text.low
    if not any(c.isdigit() or c in "@/\\" or c == "." for c in low):
        return
    for kind, pattern in _RULES:
        for match in pattern.finditer(low):
            start, end = match.span("all")
            if kind == "id" and _is_innocent(low[start:end]):
                continue
            if kind == "phone" and not _could_be_dialled(low[start:end]):
                continue
            weak = match.start() == start and kind in ("number", "phone", "ip")
            yield Span(text.place(start), text.place(end), kind, weak=weak)
    for match in _AGE.finditer(low):
        group = match.lastgroup or "n"
        if _YEARS_THAT_ARE_NO_AGE.match(low, match.end(group)) or int(match[group]) < 90:
            continue
        start, end = match.span(group)
        yield Span(text.place(start), text.place(end), "age", "90")


def _could_be_dialled(number: str) -> bool:
    digits = [c for c in number if c.isdigit()]
    return len(digits) >= 5 and len(set(digits)) > 1 and (len(digits) >= 7 or number[:1] not in "+0")


def _is_innocent(code: str) -> bool:
    """Say whether a code after a cue is a measure or a small count: `case 2`, `visit 3`, `lot 1`, `id 1.5mm`."""
    return bool(
        re.fullmatch(r"\d{1,2}[a-z]?|\d+\.\d+|\d+(?:\.\d+)?(?:mm|cm|ms|t|kg|mg|ml|s|x\d+|/\d+|%|st|nd|rd|th)|\d{1,3}/\d{1,3}", code)
    )
