"""Sentences with gaps for identifiers: what fills a gap must go, every other word must stay.

Two splits: the engine may be tuned on `TUNE`, never on `HELD_OUT`; the reported numbers are those of `HELD_OUT`.
Slots: {last} {first} {LAST} {f} patient's own; {id} {acc} own numbers; {dob} {d:%form} days; {other} {OTHER} {lother}
{othergiven} {ini} people whom
only the text knows; {phone} {mrn} {email} {hosp} {street} {city} {ssn} {age90}.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.phi.people import People

TUNE = """
CT chest for {last}, follow-up of lung nodule
{LAST}^{FIRST} BRAIN WITHOUT CONTRAST
{last}, {first} - knee MRI, left
Patient {first} {last} reports chronic back pain
MRN {id} abdomen and pelvis
MRN:{mrn} chest portable
Acc# {acc} upper extremity
DOB {dob:%m/%d/%Y} screening mammogram bilateral
born {dob:%d.%m.%Y}, hip replacement
Compared with study of {d:%B %d, %Y}, stable appearance
Prior CT {d:%m/%d/%Y} showed hydronephrosis
last seen {d:%d-%b-%Y} in the emergency department
Dr. {other} requested contrast enhanced images
ordered by Dr {othergiven} {other}, cardiology consult
Read by {other} MD, no acute fracture
Technologist: {other}, positioning difficult
tech {ini} repeated the lateral view
Findings discussed with Dr. {other} by phone at 14:30
call {phone} with results of the biopsy
Contact {email} for the previous images
Transferred from {hosp} with subdural hematoma
Outside films from {hosp} reviewed
Lives at {street}, {city}, {zip}
SSN {ssn} thyroid ultrasound
{age90} year old woman with dementia
{age90}yo M s/p fall
Herr {last}, Verlaufskontrolle nach Operation
Frau Dr. {other} bittet um MRT der Wirbelsäule
Zuweiser: Dr. med. {other}, Verdacht auf Bandscheibenvorfall
geb. {dob:%d.%m.%Y}, Zustand nach Sturz
Mme {last}, contrôle du rachis lombaire
Vu par le Dr {other}, pas de fracture
Sra. {last}, dolor de rodilla derecha
Solicitado por Dr. {other}, sospecha de neumonía
wife {othergiven} states patient fell
mother ({othergiven} {other}) gave consent for sedation
Signed by {othergiven} {other}, MD on {d:%Y-%m-%d}
electronically signed by: {other}, {othergiven}
{first} has a known meningioma
Mr. {last}'s aorta measures 4 cm
Pt {LAST} {FIRST} ID {id} SPINE
{d:%Y%m%d} T2 FLAIR AXIAL
scan date {d:%d %B %Y} liver protocol
{d:%b %Y}: cholecystectomy
s/p mastectomy on {d:%m/%d/%y}
refer to accession {acc} for comparison
Nurse {other} placed the IV line
RN {other} present during injection
Resident: {othergiven} {other}; attending: {other}
Patient of Dr. {other} at {hosp}
cc: Dr. {other}, Dr. {other}
{f}. {last} tolerated the procedure well
{last} {first} DOB {dob:%Y%m%d} CAROTID DUPLEX
pager {phone} surgery on call
insurance policy no {mrn} verified before angiography
Interpreted by {other}, {othergiven} M.D.
radiologist {other} recommends biopsy
uploaded by user {user} to workstation
images sent to www.{user}.org for second opinion
reviewed with Prof. {other} in tumor board
Pt. {last}, {first} (MRN {id}) seen by Dr. {other} on {d:%m/%d/%Y} at {hosp}.
{LAST} {FIRST} 55Y M CT CHEST W CONTRAST
Referring: {other}, A.
REF PHYS DR {OTHER}
Ref. MD: {other}
Done at bedside by K. {other} RT(R)
history of fall per {othergiven} {other} (caregiver)
Kommentar: Pat. {last} nicht nüchtern
Name: {last} Vorname: {first} Geb: {dob:%d.%m.%Y}
patient's daughter {othergiven} {other}, tel {phone}
dr. {lother} wants a stat read
seen by {lother} in clinic
SEEN BY DR {OTHER}, NEXT VISIT {d:%d%b%Y}
Technician {OTHER}
Technologist {other}/{ini}
RAD TECH: {OTHER}
{othergiven} {other} PA-C called with results
Discussed w/ Dr {other} at 10:45 AM
D/W {other} MD
Results given to {other}, NP
Paged Dr. {other} x2 no answer
{other}, MD / {other}, DO
Dictated by: {othergiven} {other}, M.D. Transcribed: {d:%m/%d/%Y} 08:12
Attending Physician: {other}, {othergiven} R
ATTENDING: {OTHER}
Copies to: Dr. {other} and Dr. {other}
Prior exam dated {d:%m/%d/%y} from {hosp} is compared
since {d:%b %Y} progressive weakness
accident on {d:%d.%m.%y}, whiplash
First MRI {d:%Y/%m/%d}, second MRI {d:%Y/%m/%d}
tumor resected {d:%B %Y}
operated {d:%d %B %Y} by Prof {other}
admission date: {d:%Y-%m-%d}; discharge {d:%Y-%m-%d}
EXAM DATE:{d:%m%d%Y} LMP unknown
employee id {mrn}, exposure at work
Case number {acc}, forensic
visit # {mrn} infusion
ref# {mrn} prior authorization approved
Order {mrn} modified to include pelvis
Health card {mrn} verified
medicare no. {mrn}
pt phone: {phone}; leave message
Tel. +49 89 {mrn}-{d:%d} Sekretariat
M/ {email} or fax {phone}
IP 10.{d:%d}.{d:%m}.{d:%d} ae title mismatch
{street}, apt 4B
lives alone in {city}
from {city}, traveling
born in {city} and raised abroad
works at {city} Steel as a welder
referred from {hosp} ED
{hosp} #2 scanner down, moved to MR3
Universitätsklinikum {city}, Abteilung Radiologie
CHU de {city}, service de radiologie
Hospital {city}, servicio de urgencias
Ospedale {city}, reparto ortopedia
{age90} y.o. F w/ CHF
{age90}-year-old male with stroke
pt is {age90}, frail
Frau {last}, 45 Jahre, Kopfschmerzen
Monsieur {last} se plaint de douleurs
Señor {last} presenta tos
Signora {last}, dolore al ginocchio
de heer {last}, hoofdpijn
Herrn {last}s Aufnahme vom {d:%d.%m.%Y}
Hausarzt: Dr. {other}, {city}
Dr. {other} – bitte um Rückruf
Médecin traitant: Dr {other}
Dra. {other} solicita ecografía
Medico curante: dott. {other}
Пациент {last}, головная боль
accompanied by brother {othergiven}
his wife, {othergiven}, noted confusion
parents {othergiven} and {othergiven} present
sister's name is {othergiven}
interpreter {othergiven} {other} used
social worker: {other}
Entered by {user} at 12:01
login={user} station 4
verified by {ini} {d:%m/%d/%Y}
{ini}/{ini} {d:%m/%d/%y}
Tech initials: {ini}
TECH-{ini}
QC {ini}
INJ BY {ini}
image reviewed with pt {first}
{first}'s follow up in 6 months
Re: {last}, {first}; DOB: {dob:%m-%d-%Y}; MR#: {id}
{last}{first} left wrist
{id} {LAST} CXR
^{LAST}^{FIRST}^^ NECK
{id}-{d:%Y%m%d} T1 POST
{acc}/{id} US thyroid
dictated: {other} transcribed: {ini}
"""

HELD_OUT = """
Repeat study because {first} {last} moved during acquisition
{last} came back for delayed phase imaging
Abdomen ultrasound, {first}, gallstones
Known to {hosp} since {d:%Y-%m-%d} with cirrhosis
History provided by husband {othergiven}, no allergies
{LAST} {FIRST} {id} CT HEAD WO
ID#{id} PELVIS 3 PHASE
patient no. {id}; glioma, postoperative
Exam requested {d:%d/%m/%Y} for hematuria
{dob:%d %b %Y} birth date, scoliosis series
Surgery was performed on {d:%A, %B %d, %Y} without complication
Comparison: {d:%m-%d-%Y}. Interval growth of the lesion
Last menstrual period {d:%d.%m.%y}, rule out ectopic pregnancy
Under the care of Dr. {other}, oncology
Thank you Dr. {othergiven} {other} for referring this patient
Report called to {othergiven} {other} RN at 09:15
Sonographer {other}: limited by bowel gas
Attn Dr {other} - urgent result, pulmonary embolism
fax report to {phone}, shoulder arthrogram
reach family at {phone} before discharge
e-mail {email} regarding sedation
{hosp} records show prior laminectomy
Resident of {city}, worker with dust exposure
home address {street}, gait disturbance
social security {ssn}, cardiac stress test
age {age90}, osteoporosis with compression fracture
Patientin {last}, Mammographie beidseits
Befund an Dr. {other} gefaxt
Untersuchung vom {d:%d.%m.%Y}: keine Metastasen
Madame {last} présente une douleur de hanche
Examen du {d:%d/%m/%Y} comparé, nodule stable
Paciente {first} {last}, dolor abdominal agudo
Sig. {last}, frattura del polso destro
Mevrouw {last}, pijn in de knie
daughter {othergiven} can be reached, hearing impaired
Assistant: {ini}, needle localization
Performed by {othergiven} {other} (RT), three views
Surgeon {other} notified of free air
per Dr. {other} no contrast because of renal failure
{last}-{first} aneurysm coiling control
Mr {last} refuses gadolinium
Specimen {acc} core biopsy right breast
see report {acc} from {d:%b %d %Y}
Findings communicated to the team of Prof. {other}
Verified: {other}, {othergiven}, {d:%d.%m.%Y}
"""

TRAPS = """
Parkinson disease, DaT scan | Parkinson disease
Foley catheter in place | Foley catheter
Hodgkin lymphoma restaging | Hodgkin lymphoma
Hill-Sachs lesion and Bankart tear | Hill-Sachs Bankart
Baker cyst in the popliteal fossa | Baker cyst
Graves ophthalmopathy, orbits | Graves
Wells score 4.5 | Wells score 4.5
Chiari I malformation | Chiari
may represent scar tissue | may
hip and pelvis AP | hip
7F sheath in the right groin | 7F
T2 20140 ms sweep | T2 20140
MAY-THURNER SYNDROME | MAY-THURNER
Port-A-Cath tip in the SVC | Port-A-Cath
Swan-Ganz catheter | Swan-Ganz
Salter-Harris II fracture | Salter-Harris
Whipple procedure 2 weeks ago | Whipple
Cushing disease, pituitary protocol | Cushing
C5/6 disc, L4/5 stenosis | C5/6 L4/5
5/5mm Plain | 5/5mm
t1_vibe_fs_tra_bh_dyn | t1_vibe_fs_tra_bh_dyn
*tfl3d1_16ns | *tfl3d1_16ns
B30f kernel, 120 kV, 1.5 mm | B30f 120 1.5
Bosniak IIF cyst | Bosniak
Gleason 3+4 | Gleason 3+4
Weber B ankle fracture | Weber
Le Fort I osteotomy | Fort
Colles fracture, cast | Colles
MR BRAIN W/WO | MR BRAIN
DR CHEST 2 VIEWS | DR CHEST
Bell palsy | Bell
Crohn disease, MR enterography | Crohn
Hashimoto thyroiditis | Hashimoto
BI-RADS 4A, PI-RADS 3, LI-RADS 5 | BI-RADS 4A PI-RADS 3 LI-RADS 5
Dose 10/12 fractions | 10/12
1.2 x 3.4 cm mass | 1.2 3.4
Lisfranc injury | Lisfranc
Baxter nerve | Baxter
Morton neuroma | Morton
Omniscan 20 ml i.v. | Omniscan 20
MRT Oberbauch nativ | MRT Oberbauch
IRM cérébrale sans injection | IRM cérébrale
RM rodilla izquierda | rodilla
"""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with its identifiers, the twin without them, and the words that must survive."""

    template: int
    text: str
    needles: tuple[str, ...]
    residue: tuple[str, ...]
    own: dict[str, str]  # last, first, id, acc, dob: what the header has to know


def sentences(people: People, split: str, repeats: int = 1) -> Iterator[Sentence]:
    """Yield every template of a split, filled `repeats` times."""
    lines = [line for line in (TUNE if split == "tune" else HELD_OUT).strip().splitlines() if line]
    for _ in range(repeats):
        for number, line in enumerate(lines):
            yield _filled(people, number, line)


def traps() -> Iterator[Sentence]:
    for number, line in enumerate(line for line in TRAPS.strip().splitlines() if line):
        text, kept = line.split(" | ")
        yield Sentence(number, text, (), tuple(kept.split()), {})


def _filled(people: People, number: int, line: str) -> Sentence:
    r: random.Random = people.random
    last, first = people.surname(), people.given()
    identity, accession = people.digits(8), "A" + people.digits(7)
    dob = people.day(1930, 1970)
    own = {"last": last, "first": first, "id": identity, "acc": accession, "dob": f"{dob:%Y%m%d}"}
    needles: list[str] = []

    def fill(match: re.Match[str]) -> str:
        slot, _, form = match[1].partition(":")
        match slot:
            case "last" | "LAST":
                needles.append(last)
                return last if slot == "last" else last.upper()
            case "first" | "FIRST":
                needles.append(first)
                return first if slot == "first" else first.upper()
            case "f":
                return first[0]
            case "id" | "acc":
                value = {"id": identity, "acc": accession}[slot]
            case "dob":
                value = f"{dob:{form}}"
            case "d":
                value = f"{people.day(1995, 2011):{form}}"
            case "other" | "OTHER" | "lother":
                name = people.surname()
                value = {"other": name, "OTHER": name.upper(), "lother": name.lower()}[slot]
            case "othergiven":
                value = people.given()
            case "ini":
                return r.choice("BDGHJKPVW") + r.choice("BDGHJKPVW") + r.choice("BDGHJKPVW")
            case "phone":
                value = people.phone()
            case "mrn":
                value = people.digits(r.choice((5, 6, 7)))
            case "email":
                value = f"{people.given().lower()}.{people.surname().lower()}@example.org"
            case "hosp":
                name = people.surname()
                needles.append(name)
                return r.choice(
                    (
                        f"{name} General Hospital",
                        f"St. {name} Medical Center",
                        f"{name} Clinic",
                        f"University Hospital of {name}",
                        f"Klinikum {name}",
                    )
                )
            case "street":
                name = people.surname()
                needles.append(name)
                return f"{r.randint(10, 999)} {name} {r.choice(('Street', 'Ave', 'Road', 'Lane', 'Drive'))}"
            case "city":
                value = people.surname()
            case "ssn":
                d = people.digits(9)
                value = f"{d[:3]}-{d[3:5]}-{d[5:]}"
            case "zip":
                value = f"MA 0{people.digits(4)}"
            case "age90":
                return str(r.randint(91, 104))
            case "user":
                value = people.word().lower() + people.digits(2)
            case _:
                raise KeyError(slot)
        needles.append(value)
        return value

    text = re.sub(r"\{(.*?)\}", fill, line)
    residue = tuple(w for w in re.sub(r"[^\s]*\{.*?\}[^\s]*", " ", line).split() if any(c.isalnum() for c in w))
    return Sentence(number, text, tuple(needles), residue, own)
