# ruff: noqa: E501, SIM905 - a row of the table is one pattern; word lists read as prose
"""What announces a person's name in text: titles before it, roles and verbs before it, degrees after it.

How the name itself is read does not belong here (`persons`).
"""

from __future__ import annotations

import re

TITLE = re.compile(
    r"(?<![^\W_])(?P<t>dr\.?ssa|dr(?:a|s)?|doctor|doktor|docteur|dottor(?:e|essa)?|dott(?:\.?ssa)?|prof(?:essor|essora|esseur|\.ssa)?|pr|pd|oa|oarzt|mr|mrs|ms|miss|mister|mssrs|sir|lady|herrn?|frau|hr|fr"
    r"|mme|mlle|madame?|mdm|monsieur|mons|signora?|senhora?|heer|sra?|srta|senora?|don|dona|sig(?:\.?ra|nor|nora)?|dhr|mevr|mevrouw|meneer|pan|pani|rev(?:erend)?|father|sister|schwester|pfleger|nurse|capt|col|sgt|lt|maj"
    r"|доктор|д-р|г-н|г-жа|проф|врач|κ|δρ|د|الدكتور|دكتور|ד\"ר|דר|פרופ)(?P<dot>\.?)(?P<gap>(?:\s*(?:med|dent|rer\.?\s?nat|phil|habil|univ|prof|dr|ing|dipl)(?:\.|(?=\s)))*\s*)(?=[^\W\d_])"
)
STRONG_TITLES = frozenset(
    "dr dra drs dr.ssa drssa doctor doktor docteur prof professor mr mrs herr herrn frau mme mlle madame madam mdm monsieur signor signora senor senora senhor senhora heer mevrouw dhr mevr senora srta доктор д-р г-н г-жа".split()
)
CUE = re.compile(
    r"(?<![^\W_])(?:"
    r"(?:seen|read|reported|dictated|signed|referred|ordered|performed|requested|reviewed|approved|verified|authored|transcribed|interpreted|scanned|done|acquired|entered|electronically\s+signed"
    r"|finalized|finalised|dictated|transcribed|edited|obtained|supervised|assisted|accompanied|prepared|written|confirmed|checked|injected|cannulated|consented|witnessed|explained|operated|administered|attended|examined|brought(?:\s+in)?|sent|given|made|taken|placed|drawn|report|[a-z]{2,}(?:ed|en|wn|nt|ne|ht))\s+(?:over\s+|in\s+|up\s+|out\s+|off\s+)?by|by(?=\s*:|\s)"
    r"|(?:discussed|reviewed|verified|confirmed|checked)\s+with|d/?w|with\s+drs?\.?|sched(?:uled)?\s+w(?:/|ith)|spoke\s+(?:to|with|w/)|informed|notified|paged|called\s+to|results?\s+(?:called\s+)?to|relayed\s+to|communicated\s+(?:to|with)|reported\s+to|per|attn|attention|c/o|cc|fao|contact|ask\s+for|under\s+care\s+of"
    r"|(?:lvm|vm|message|msg|results?|copy|copies|report|films?|hold|appointment|appt|paging|ask)\s+(?:for|to|with|from)|durch|par|da|por|door|przez|fran|fra|arts|befund|besitzer(?:in)?|owner|proprietaire|eigentumer(?:in)?"
    r"|befundet\s+von|gelesen\s+von|uberwiesen\s+von|durchgefuhrt\s+von|unterschrieben\s+von|vidiert|gez|veranlasst\s+von|odp|zuw|einw|anforderer(?:in)?|auftraggeber|geb(?=\.\s+[a-z])|uberw|uberwiesen|einweiser|zuweiser|einsender|hausarzt(?:in)?|arzt|arztin|uberweiser|uberweisender\s+arzt|zuweisender\s+arzt|chefarzt|stationsarzt|behandler|befunder|ansprechpartner|kontakt|angehoriger?|betreuer(?:in)?|oberarzt|assistenzarzt|mta|mtra|mtr"
    r"|lu\s+par|vu\s+par|realise\s+par|adresse\s+par|prescrit\s+par|signe\s+par|demande\s+par|medecin(?:\s+traitant)?|prescripteur|correspondant|manipulat(?:eur|rice)|interne|operateur|informado\s+por|realizado\s+por|solicitado\s+por|firmado\s+por|remitido\s+por|medico(?:\s+(?:referente|curante|tratante|solicitante|responsable|richiedente|refertatore))?|solicitante|tecnico|operador|operatore|refertatore|richiedente|responsable|familiar|aanvrager|verwijzer|huisarts|laborant|lekarz(?:\s+kierujacy)?|kierujacy|technik|lakare|remittent|lege|henviser|hekim|doktoru|letto\s+da|refertato\s+da|eseguito\s+da|inviato\s+da"
    r"|tech(?:nologist|nician|nologue)?|rad(?:iologist|iographer|iologe|iologo|iologue)?|operator|performing\s+physician|s[hp][or]|str|reg|intern|student|radiographers?|cons|matron|chaperone|escort|officer|adjuster|attorney|lawyer|engineer|admin|physio(?:therapist)?|ot|crna|anaesthetist|an(?:a)?esthesiologist|cardiologist|neurologist|oncologist|pathologist|infirmi(?:er|ere)|enfermer[oa]|infermier[ea]|krankenschwester|pflegekraft|verpleegkundige|sjukskoterska|surgeons?|midwife|paramedic|physician|phys|attending|resident|fellow|surgeon|consultant|registrar|sonographer|nurse|rn|md|social\s+worker|interpreter|translator|chaplain|therapist|dietitian|case\s+manager|guarantor|policy\s?holder|card\s?holder|insured|beneficiary|responsible\s+party|employer|pharmacist|coach|trainer|teacher|school|landlord|dictator|transcriptionist|reader|reviewer|author|requester|referrer"
    r"|(?:consult(?:ed)?|cons|copy|from|to|order(?:ed)?|referred|read|performed|reviewed|entered|assigned|approved|submitted|requested|sent|booked|booking|requesting|ordering|consulting|admitting|supervising|covering|discharging|primary)(?=\s*:)|ref(?:erring)?(?:\s+(?:md|dr|phys(?:ician)?|provider))?|ordering(?:\s+(?:md|dr|provider))?|pcp|gp|provider|signed|dictated|transcribed|verified|reported|typed|initials?|scanned|user"
    r"|patient(?:\s+name|in|en|e)?|pat|pt|ptnt|paz(?:iente)?|paciente|pacjent(?:ka)?|potilas|pasient|patienten|beteg|hasta(?:\s+adi)?|benh\s+nhan|bac\s+si|pacient(?:ka)?|pacientas|bett|prefers\s+to\s+be\s+called|legal\s+name|maiden\s+name|(?:nee|born)(?=\s+[^\W\d_])|a\.?k\.?a\.?|alias|belongs\s+to|(?:baby|boy|girl|twin|child|son|daughter|mother|father|wife|husband)\s+of|s/o|d/o|w/o(?=\s+[a-z]+\s+s/o)|binti?|regards|thank(?:s|\s+you)(?=,)|begleitung\s+(?:ihrer|seiner)\s+\w+|kollegin?|name|surname|last\s?name|first\s?name|subject\s+name|nom|nombre|prenom|apellidos?|nome|cognome|nachname|vorname|familienname"
    r"|(?:mother|father|wife|husband|spouse|partner|son|daughter|brother|sister|sibling|uncle|aunt|grand(?:mother|father|son|daughter)|guardian|parents?|boyfriend|girlfriend|fiance|roommate|in-law|caregiver|carer|friend|neighbou?r|next\s+of\s+kin|nok|emergency\s+contact|mutter|vater|ehefrau|ehemann|tochter|sohn|bruder|schwester|mere|pere|epouse|epoux|fils|fille|madre|padre|esposa|esposo|hija|hijo|moglie|marito|figlia|figlio|esposo|mom|dad|mum|mummy|daddy|granny|foster\s+(?:parent|mother|father)|step(?:mother|father|son|daughter)|niece|nephew|cousin|tia|hermano|hermana)"
    r"|患者(?:名|氏名)?|氏名|姓名|医師|医生|환자명?|성명|이름|пациент(?:ка)?|ф\.?и\.?о|врач|имя|фамилия|ασθενης|ονομα|المريض|اسم|שם|המטופל"
    r")(?P<sep>\s*[:=#/-]\s*\(?|\s*\(\s*|\.\s?:?\s*|\s+(?:is\s+|was\s+|named\s+|called\s+|from\s+)?|\s*,\s*(?=[A-Z]?)|(?=[\u3040-\u9fff\uac00-\ud7af]))"
)
DEGREE = re.compile(
    r"(?P<sep>,?\s+|,)\(?(?:m\.?d|d\.?o|ph\.?d|r\.?n|rt\s?\(r\)(?:\(\w+\))*|r\.?t|arrt|facr|frcr|mbbs|mbchb|msc|bsc|pa-c|pa|np|crnp|aprn|fnp|rdms|rdcs|rvt|cnmt|dds|dmd|pharmd|dvm|fracr|mrcp|facc|dpm|dc|od|dnp|aprn|arnp|crna|lpn|cnm|lcsw|cma|emt|ccrn|va-bc|bsn|msn|facs|facp|frcs|franzcr|rtr|r\.?t\.?r|rpa|rra|cct|esq|dvm)\b\.?"
)
DEGREE_HERE = re.compile(
    r"(?:(?:md|do|phd|rn|rtr?|pa|np|dpm|facr|frcr|jr|sr|cnmt|rdms|rvt|lpn|crna|esq)\b|m\.\s?d|d\.\s?o|ph\.\s?d|r\.\s?n|r\.\s?t)\b"
)
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*(?:-[^\W\d_]+(?:['’][^\W\d_]+)*)*")
INITIALS = re.compile(r"(?:[^\W\d_]\.?){2,4}(?![^\W_])")
STOP = frozenset(
    "and or the a an in on dr prof mr mrs ms miss herr frau mme sra at of for with without by to from as is was has had been be are were will would patient pt report exam study scan ct mr mri us xr pet who whom"
    " mit ohne und oder von im am bei zur fur ist war hat wurde et ou avec sans pour dans est ete y o con sin para en es fue e con senza per di da not no none see seen since after before"
    " vorname nachname name geb geboren dob mrn id sex age birth born medical center hospital clinic that this he she they it its his her via per phone fax tel call called informed notified discussed reviewed regarding about re at".split()
)  # fmt: skip
# "May 5", "Grant Hall": nothing. Cues that are so common that only a clear name counts after them.
WEAK_CUES = frozenset(
    "per patient pt pat contact attention cc rad ref md reader medico informed friend sister name scanned interpreter family".split()
)
# Cues after which most words are things: only a listed name counts, or a word that no vocabulary holds.
LISTED_ONLY = frozenset("fran fra arts durch par da por door przez befund by hold films film report reports copy".split())
# What stands at the end of a letter: any word after it is a name.
SIGNATURES = frozenset("regards thanks thank".split())
# Degrees that nothing but a name has before it.
PLAIN_DEGREE = re.compile(
    r"[\s,(]*(?:m\.?d|d\.o|ph\.?d|r\.n|rt\s?\(r\)|facr|frcr|frcs|frcp|mrcp|mrcs|mbbs|mbchb|dds|dmd|pa-c|np|crna|rdms|cnmt|pharmd|dvm|facs|facc)\b"
)
# What people do: a name before it, at the beginning of a sentence, is a person's whatever else it names.
DOES = re.compile(
    r"\s(?:wants?|wanted|requests?|requested|asks?|asked|says?|said|states?|stated|calls?|called|wishes|recommends?|advised?|advises|declines?|declined|refuses?|refused|consents?|consented|notes?|noted|saw|reviewed|approved|signed"
    r"|dictated|helps?|helped|assisted|assists|performed|gave|injected|tried|positioned|will|would|denies|denied|came|cried|prefers|reports|reported|complains|complained|mentioned|agreed|stopped|moved|feels|felt|is\s+(?:aware|a\s+\d|here|on)|was\s+(?:informed|notified|here|present|seen|paged)|to\s+(?:call|review|see|sign)|has\s+(?:a|been|had)|had\s+(?:a|an)|needs|fell|locked|spoke|okayed|ok'?d)\b"
)
# Titles that are words or abbreviations as well: only with a dot, written as a title is.
GUARDED_TITLES = frozenset("pr fr hr don pan col lt sir pd oa drs ms mons maj sr heer κ د".split())
