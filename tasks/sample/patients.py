"""The made patients of the sample archive: invented names, ids and dates, two dozen of them so that crowds exist."""

from __future__ import annotations

import random
from dataclasses import dataclass

_GIVEN_F = ("Anneliese", "Beatriz", "Chiyo", "Dagmar", "Eleni", "Fatoumata", "Griet", "Hanneke", "Ingrid", "Jadwiga", "Kirsi", "Ludmila")
_GIVEN_M = ("Anselm", "Bertrand", "Casimir", "Diarmuid", "Eberhard", "Florin", "Gustavo", "Håkon", "Ivo", "Joaquín", "Kaspar", "Lubomir")
_FAMILY = (
    *("Quistgaard", "Wexelblat", "Ostrowska", "Vanderhaeghe", "Mbeki-Thorne", "Żukowski", "Brøndsted", "Pfeiffenberger"),
    *("Okonkwo", "Szalinski", "Tränkle", "Uzunoglu", "Varghese", "Wojciechowska", "Xenakis", "Yilmazer"),
    *("Zimmerlin", "Achterberg", "Bakalarski", "Czernik", "Dvořáček", "Eidelstein", "Fjeldheim", "Gräfenhain"),
)


@dataclass(frozen=True, slots=True)
class SamplePatient:
    """One made patient. All values are invented and identify nobody."""

    patient_id: str
    family: str
    given: str
    sex: str
    birth_date: str
    age_years: int
    study_date: str
    accession: str
    physician: str
    phone: str

    @property
    def person_name(self) -> str:
        return f"{self.family}^{self.given}"


def _patient(number: int) -> SamplePatient:
    chance = random.Random(1000 + number)
    sex = "F" if number % 2 else "M"
    given = (_GIVEN_F if sex == "F" else _GIVEN_M)[number // 2]
    age = chance.randint(41, 78)
    year = 2024 + number % 2
    study = f"{year}{chance.randint(1, 12):02}{chance.randint(1, 28):02}"
    birth = f"{year - age - 1}{int(study[4:6]):02}28"
    return SamplePatient(
        f"{7_300_000 + chance.randint(0, 99_999):08d}",
        _FAMILY[number],
        given,
        sex,
        birth,
        age,
        study,
        f"ACC{chance.randint(10**7, 10**8 - 1)}",
        f"{_FAMILY[(number + 7) % 24]}^{_GIVEN_M[(number + 3) % 12]}^^Dr.",
        f"+49 30 {chance.randint(100, 999)} {chance.randint(1000, 9999)}",
    )


PATIENTS: tuple[SamplePatient, ...] = tuple(_patient(n) for n in range(24))
