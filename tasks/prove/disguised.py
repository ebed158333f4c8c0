"""Planting what hides from a plain search: values packed, escaped, spelled apart, as numbers, as digests, inside UIDs.

Plain spellings and other defects of one object are in `leaks`.
"""

from __future__ import annotations

import base64
import bz2
import codecs
import gzip
import hashlib
import html
import io
import json
import lzma
import random
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tasks.prove.leaks import in_private, in_text
from tasks.prove.specimens import Specimen
from tasks.sample import SamplePatient


def _zipped(raw: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notes.xml", raw * 3)
    return buffer.getvalue()


_PACKERS: tuple[Callable[[bytes], bytes], ...] = (
    zlib.compress,
    gzip.compress,
    bz2.compress,
    lzma.compress,
    lambda raw: zlib.compress(raw)[2:-4],
    lambda raw: base64.b64encode(gzip.compress(raw)),
    _zipped,
    base64.b32encode,
    base64.b85encode,
    lambda raw: base64.b64encode(base64.b64encode(raw)),
    lambda raw: base64.b64encode(json.dumps({"who": raw.decode()}).encode()),
    lambda raw: raw.hex(" ").encode(),
    lambda raw: ",".join(f"0x{byte:02X}" for byte in raw).encode(),
    lambda raw: "".join(f"&#{ord(letter)};" for letter in raw.decode()).encode(),
    lambda raw: "".join(f"\\u{ord(letter):04x}" for letter in raw.decode()).encode(),
    lambda raw: html.escape(quote(raw)).encode(),
    lambda raw: raw.decode().encode("utf-32-le"),
    lambda raw: raw.decode().encode("cp500", "ignore"),
)


def packed_value(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Leave a name or an id in private bytes, compressed, encoded or escaped as software does."""
    patient = specimen.patient
    name = f"{patient.family}^{patient.given}"
    value = chance.choice((name, f"<name>{name}</name>", f"id={patient.patient_id};{name}"))
    raw = chance.choice(_PACKERS)(value.encode("utf-8"))
    before = chance.randbytes(2 * chance.randint(0, 8)) if raw[:1] in b"\x78\x1fBP" else b""
    _in_bytes(before + raw, chance, dataset)
    return None


def spelled_apart(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Leave the name letter by letter, backwards, turned or inside a longer word, or the number in groups."""
    patient = specimen.patient
    name, number = patient.family, _digits(patient)
    cut = chance.randint(2, len(number) - 2)
    options = (
        " ".join(name.upper()),
        ".".join(name.upper()),
        name[::-1],
        codecs.encode(name, "rot13"),
        f"scan{name}Abdomen",
        f"{number[:cut]} {number[cut:]}",
        f"{number[:cut]}.{number[cut:]}",
        f"{number[:cut]}-{number[cut:]}",
        f"H{number}",
        f"No.{number}-7",
    )
    if chance.random() < 0.1:
        in_private(name[:4] + "\\" + name[4:], chance, dataset)
    else:
        in_text(chance.choice(options), chance, dataset)
    return None


def value_as_number(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Leave an id, a birthday or the moment of the study as a number: binary, decimal, digit by digit, or seconds since 1970."""
    patient = specimen.patient
    number = int("".join(c for c in patient.accession if c.isdigit()))
    birthday = int(patient.birth_date)
    moment = datetime.strptime(patient.study_date + "093015", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    vr, value = chance.choice(
        (
            ("UL", number),
            ("UL", [3, number, 9]),
            ("FD", float(number)),
            ("DS", f"{number}.0"),
            ("IS", str(number)),
            ("UL", birthday),
            ("OB", bytes.fromhex(patient.birth_date)),
            ("OB", chance.randbytes(9) + number.to_bytes(4, chance.choice(("little", "big"))) + chance.randbytes(3)),
            ("UL", int(moment.timestamp())),
            ("LO", f"t={int(moment.timestamp())}"),
        )
    )
    dataset.private_block(0x0029, "PROVE MADE", create=True).add_new(chance.randint(0x10, 0xEF), vr, value)
    return None


def digest_of_id(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Leave an unkeyed digest of an id, of a name, or of one of them with the birthday, in the forms that recipes give it."""
    patient = specimen.patient
    name = f"{patient.family}^{patient.given}"
    text = chance.choice((patient.patient_id, name, patient.accession, name + patient.birth_date, f"{patient.patient_id}|{name}"))
    digest = hashlib.new(chance.choice(("md5", "sha1", "sha256", "sha512")), text.encode()).digest()
    number = int.from_bytes(digest, "big")
    code = chance.choice((digest.hex(), digest.hex().upper()[:16], digest.hex()[:8], str(number)[:60], base64.b64encode(digest).decode()))
    if chance.random() < 0.5:
        dataset.PatientID = code[:64]
    else:
        in_private(code, chance, dataset)
    return None


def telling_uid(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Leave a UID that nobody of the source had, with an id or a day between its dots."""
    patient = specimen.patient
    told = chance.choice((patient.accession.lstrip("A0"), patient.study_date, patient.study_date + "093015", patient.birth_date))
    uid = f"1.2.826.0.1.3680043.9.{chance.randint(1000, 9999)}.{told}.{chance.randint(1, 99)}"
    setattr(dataset, chance.choice(("FrameOfReferenceUID", "SynchronizationFrameOfReferenceUID", "IrradiationEventUID")), uid)
    return None


def date_of_another_offset(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Move one date by another offset than the others."""
    day = datetime.strptime(str(dataset.StudyDate), "%Y%m%d")
    moved = day + timedelta(days=chance.choice((-1, 1)) * chance.randint(1, 3000))
    setattr(dataset, chance.choice(("SeriesDate", "AcquisitionDate", "ContentDate", "PerformedProcedureStepStartDate")), f"{moved:%Y%m%d}")
    return None


def attribute_not_retained(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Fill an attribute that no option of PS3.15 retains, with something that the source does not say."""
    keyword, value = chance.choice(
        (
            ("AccessionNumber", "Q-55120"),
            ("StudyID", "KX4471Z9"),
            ("OtherPatientIDs", "QX118"),
            ("PatientBirthDate", "19610518"),
            ("PatientBirthTime", "0715"),
            ("PatientAddress", "am Ring"),
            ("PatientTelephoneNumbers", "5550188"),
            ("MilitaryRank", "Sergeant"),
            ("AdmissionID", "ADM-7"),
            ("CurrentPatientLocation", "Ward 7B"),
            ("PerformedProcedureStepID", "PPS-11"),
            ("ResponsibleOrganization", "Guild"),
        )
    )
    if chance.random() < 0.2:
        other = Dataset()
        other.PatientID = "Q8812334"
        dataset.OtherPatientIDsSequence = Sequence([other])
    else:
        setattr(dataset, keyword, value)
    return None


def _digits(patient: SamplePatient) -> str:
    return "".join(c for c in patient.accession if c.isdigit())


def _in_bytes(raw: bytes, chance: random.Random, dataset: Dataset) -> None:
    block = dataset.private_block(0x0029, "PROVE MADE", create=True)
    block.add_new(chance.randint(0x10, 0xEF), chance.choice(("OB", "UN")), raw + b"\0" * (len(raw) % 2))
