"""Planting what a de-identifier may leave in one object: values of the patient, in many spellings, in many places.

Whether a plant is caught is asked in `trials`.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tasks.prove.specimens import Specimen
from tasks.sample import SamplePatient

Plant = Callable[[Specimen, random.Random, Dataset], bytes | None]
"""Changes the dataset in place, or returns bytes to be written behind it; the specimen itself is never changed."""

_TEXT_KEYWORDS = ("StudyDescription", "SeriesDescription", "ProtocolName", "ImageComments", "AcquisitionDeviceProcessingDescription")
_CARRIERS = ("{}", "scan of {}", "{} 3mm", "FU {} liver", "see {} / prior", "{}_AX", "(Abd {})")


def exact_identifier(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Leave one of the patient's own values, spelled as software and people spell it, somewhere in the object."""
    value = chance.choice(_spellings(specimen.patient, chance))
    place = chance.choice((in_text, in_text, _in_item, in_private, _as_name, _in_private_bytes, _behind_the_end))
    return place(value, chance, dataset)


def encoded_identifier(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Leave a value as base64, hexadecimal or UTF-16 in private bytes."""
    patient = specimen.patient
    value = chance.choice((f"{patient.family}^{patient.given}", patient.patient_id, patient.accession, patient.family.upper()))
    raw = value.encode("utf-8")
    disguised = chance.choice(
        (
            base64.b64encode(b"id=" + raw),
            base64.b64encode(raw),
            raw.hex().encode(),
            raw.hex().upper().encode(),
            value.encode("utf-16-le"),
            value.encode("utf-16-be"),
        )
    )
    block = dataset.private_block(0x0029, "PROVE MADE", create=True)
    block.add_new(chance.randint(0x10, 0xEF), "OB", chance.randbytes(chance.randint(0, 40) * 2) + disguised + b"\0" * (len(disguised) % 2))
    return None


def digits_and_squashed(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Leave an id without zeros or punctuation, or a name without separators."""
    patient = specimen.patient
    digits = "".join(c for c in patient.patient_id if c.isdigit())
    options = [patient.family + patient.given, (patient.given + patient.family).lower(), "".join(c for c in patient.phone if c.isdigit())]
    if len(digits.lstrip("0")) >= 6:
        options += [digits.lstrip("0"), digits]
    in_text(chance.choice(options), chance, dataset)
    return None


def near_miss(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Leave the family name with one slip: a letter more, less, other, or two exchanged."""
    name = specimen.patient.family
    at = chance.randint(1, len(name) - 2)
    letter = chance.choice("abcdefghijklmnopqrstuvwxyz".replace(name[at].lower(), "").replace(name[at - 1].lower(), ""))
    swapped = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
    slip = chance.choice((name[:at] + name[at + 1 :], name[:at] + letter + name[at + 1 :], name[:at] + letter + name[at:], swapped))
    slip = slip if slip.lower() != name.lower() else name[:at] + letter + name[at + 1 :]
    in_text(slip, chance, dataset)
    return None


def source_uid(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Leave a UID of the source in a UID, a text or a private element, or extend it."""
    uid = chance.choice(sorted(u for u in specimen.identity.uids if len(u) >= 12))
    uid = chance.choice((uid, uid, uid[:60] + ".1"))
    chance.choice((_uid_in_frame, in_text, in_private))(uid, chance, dataset)
    return None


def derivable_uid(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Replace a UID by an unkeyed digest of the source's."""
    import hashlib

    uid = chance.choice(sorted(specimen.identity.uids))
    digest = hashlib.new(chance.choice(("md5", "sha1", "sha256")), uid.encode()).digest()[:16]
    dataset.FrameOfReferenceUID = f"2.25.{int.from_bytes(digest, 'big')}"
    return None


def unshifted_date(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Leave one date attribute as the source had it."""
    patient = specimen.patient
    day = chance.choice((patient.study_date, patient.study_date, patient.birth_date))
    keyword = chance.choice(
        ("SeriesDate", "AcquisitionDate", "ContentDate", "AcquisitionDateTime", "PatientBirthDate", "StudyVerifiedDate")
    )
    setattr(dataset, keyword, day + "093015" if keyword.endswith("Time") else day)
    return None


def number_domain(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Put text where a number, a code or a date belongs."""
    raw = chance.choice((b"4 Meier ", b"unknown ", b"12a ", b"ward 7"))
    tag = chance.choice((0x00200013, 0x00200011, 0x00180050, 0x00181150, 0x00080022, 0x00100040))
    vr = {0x00180050: "DS", 0x00080022: "DA", 0x00100040: "CS"}.get(tag, "IS")
    _set_raw(dataset, tag, vr, raw + b" " * (len(raw) % 2))
    return None


def shape_of_phi(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Leave something of somebody unknown that has a telling shape: phone, mail, titled person, address, network name."""
    n = chance.randint
    shapes = (
        f"call ({n(201, 989)}) {n(200, 999)}-{n(1000, 9999)}",
        f"tel. 0{n(30, 99)} {n(100000, 999999)}",
        f"r.{chance.choice(_NAMES).lower()}@clinic{n(1, 99)}.example.org",
        f"Dr. {chance.choice(_NAMES)} asked",
        f"{chance.choice(_NAMES)}^{chance.choice(_NAMES)}",
        f"MRN: {n(10**5, 10**8)}",
        f"https://pacs{n(1, 99)}.hospital.example/view",
        f"from 10.{n(0, 255)}.{n(0, 255)}.{n(1, 254)}",
        f"aa:bb:{n(0, 255):02x}:{n(0, 255):02x}:0d:{n(0, 255):02x}",
        f"{n(1, 199)} {chance.choice(_NAMES)} Street",
        f"SSN {n(100, 665)}-{n(10, 99)}-{n(1000, 9999)}",
    )
    in_text(chance.choice(shapes), chance, dataset)
    return None


def unclean_container(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Dirty the container: preamble, file meta information, bytes behind the end or the last frame, a drawing in unused bits."""
    kind = chance.randrange(6)
    note = chance.randbytes(24).hex().encode()
    if kind == 0:
        dataset.preamble = note[:48].ljust(128, b"\0")
    elif kind == 1:
        dataset.file_meta.SourceApplicationEntityTitle = "MODALITY7"
    elif kind == 2:
        return note
    elif kind == 3:
        dataset.PixelData = dataset.PixelData + note
    elif kind == 4:
        _draw_in_unused_bits(dataset, chance)
    else:
        dataset.add_new(0xFFFCFFFC, "OB", note)
    return None


def strangers_value(other: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Leave another patient's whole name or long id."""
    patient = other.patient
    ids = [v for v in (patient.patient_id, patient.accession) if len(v.lstrip("0")) >= 7]
    names = [f"{patient.family}^{patient.given}", f"{patient.given} {patient.family}", f"{patient.family}, {patient.given}"]
    place = chance.choice((in_text, in_private, _in_item, _as_name))
    place(chance.choice([*ids, *names]), chance, dataset)
    return None


def lost_utility(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Change one pixel, a position, a spacing, the rescale intercept, or the frame of reference; or lose one of them."""
    kind = chance.randrange(6)
    if kind == 0:
        at = 2 * chance.randrange(len(dataset.PixelData) // 2)
        dataset.PixelData = dataset.PixelData[:at] + bytes([dataset.PixelData[at] ^ 1]) + dataset.PixelData[at + 1 :]
    elif kind == 1:
        dataset.ImagePositionPatient = [float(v) + chance.choice((-1.0, 0.5, 100.0)) for v in dataset.ImagePositionPatient]
    elif kind == 2:
        dataset.PixelSpacing = [3.9, 4.0]
    elif kind == 3:
        dataset.RescaleIntercept = -1000
    elif kind == 4:
        dataset.FrameOfReferenceUID = dataset.SeriesInstanceUID
    else:
        del dataset[chance.choice(("ImageOrientationPatient", "RescaleSlope", "PixelSpacing"))]
    return None


def burned_in_text(specimen: Specimen, chance: random.Random, dataset: Dataset) -> bytes | None:
    """Draw a name, an id or a date into the pixels, brighter than all else."""
    import cv2
    import numpy as np

    patient = specimen.patient
    text = chance.choice((patient.family.upper()[:9], patient.patient_id, patient.study_date, patient.accession[:9]))
    text = text.encode("ascii", "ignore").decode()
    image = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns).copy()
    drawn = np.zeros(image.shape, np.uint8)
    place = (chance.randint(2, 6), chance.randint(14, image.shape[0] - 8))
    cv2.putText(drawn, text, place, cv2.FONT_HERSHEY_SIMPLEX, chance.uniform(0.36, 0.46), 255, 1)
    image[drawn > 100] = chance.randint(2600, 4000)
    dataset.PixelData = image.tobytes()
    return None


_NAMES = ("Hartfeld", "Okpara", "Lindqvist", "Marchetti", "Takeda", "Villanueva", "Petrosyan", "Brannigan", "Szczepan", "Dubrovin")


def _spellings(patient: SamplePatient, chance: random.Random) -> list[str]:
    family, given = patient.family, patient.given
    study, birth = (datetime.strptime(d, "%Y%m%d") for d in (patient.study_date, patient.birth_date))
    pattern = chance.choice(("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d %b %Y", "%B %d, %Y", "%Y%m%d", "%d-%b-%Y", "%Y/%m/%d", "%d %B %Y"))
    names = [f"{family}^{given}", f"{given} {family}", f"{family}, {given}", family, family.upper(), given, f"{family}_{given}"]
    ids = [patient.patient_id, patient.patient_id, patient.accession, patient.phone, patient.physician, "SN-448812", "CTROOM2-ALPHA"]
    return [
        *names,
        f"{given[0]}{family}".lower(),
        *ids,
        study.strftime(pattern),
        birth.strftime(pattern),
        "Klinikum Sankt Beispiel",
        "Lindenallee 4, 10115 Berlin",
    ]


def in_text(value: str, chance: random.Random, dataset: Dataset) -> None:
    setattr(dataset, chance.choice(_TEXT_KEYWORDS), chance.choice(_CARRIERS).format(value)[:64])


def _in_item(value: str, chance: random.Random, dataset: Dataset) -> None:
    inner, outer = Dataset(), Dataset()
    inner.CodeMeaning = value[:64]
    inner.CodeValue, inner.CodingSchemeDesignator = "X1", "99PROVE"
    outer.RequestedProcedureDescription = chance.choice(_CARRIERS).format(value)[:64]
    outer.RequestedProcedureCodeSequence = Sequence([inner])
    dataset.RequestAttributesSequence = Sequence([Dataset(), outer])


def in_private(value: str, chance: random.Random, dataset: Dataset) -> None:
    block = dataset.private_block(0x0029, "PROVE MADE", create=True)
    block.add_new(chance.randint(0x10, 0xEF), chance.choice(("LO", "LT", "UT", "ST")), value)


def _in_private_bytes(value: str, chance: random.Random, dataset: Dataset) -> None:
    block = dataset.private_block(0x0029, "PROVE MADE", create=True)
    raw = chance.randbytes(chance.randint(1, 60)) + b"\0" + value.encode("utf-8") + b"\0" + chance.randbytes(chance.randint(1, 60))
    block.add_new(chance.randint(0x10, 0xEF), chance.choice(("OB", "UN")), raw + b"\0" * (len(raw) % 2))


def _as_name(value: str, chance: random.Random, dataset: Dataset) -> None:
    setattr(dataset, chance.choice(("OperatorsName", "ReferringPhysicianName", "PatientBirthName")), value[:64])


def _behind_the_end(value: str, chance: random.Random, dataset: Dataset) -> bytes:
    return chance.randbytes(8) + b"\0" + value.encode("utf-8") + b"\0"


def _uid_in_frame(value: str, chance: random.Random, dataset: Dataset) -> None:
    setattr(dataset, chance.choice(("FrameOfReferenceUID", "SynchronizationFrameOfReferenceUID", "IrradiationEventUID")), value)


def _set_raw(dataset: Dataset, tag: int, vr: str, raw: bytes) -> None:
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import BaseTag

    dataset._dict[BaseTag(tag)] = RawDataElement(BaseTag(tag), vr, len(raw), raw, 0, False, True)


def _draw_in_unused_bits(dataset: Dataset, chance: random.Random) -> None:
    import numpy as np

    words = np.frombuffer(dataset.PixelData, "<u2").copy()
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
    words &= 0x0FFF
    start = chance.randrange(words.size // 2)
    words[start : start + 60 : chance.randint(1, 3)] |= 0x1000
    dataset.PixelData = words.tobytes()
