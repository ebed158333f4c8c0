"""More bodies without a head, whose surface is anything but smooth: knee, two legs, foot, hand, shoulder, breasts, quality phantom."""

from __future__ import annotations

import numpy as np

from tests.phantoms.bodies import as_modality, axial_grid


def knee(modality: str = "MR", seed: int = 1, field_mm: float = 170.0, slices: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """A bent knee with condyles, plateau, patella and calf in a field of view that cuts it above and below."""
    x, y, z, to_patient = axial_grid((slices, 112, 112), (4.0, field_mm / 112, field_mm / 112))
    bend = 0.0022 * z**2
    skin = np.hypot(x / (58 + 0.08 * z + 6 * np.exp(-((z / 25) ** 2))), (y - bend) / (62 + 0.1 * z)) - 1
    patella = ((x / 24) ** 2 + ((y - bend + 60) / 14) ** 2 + ((z - 12) / 26) ** 2) < 1
    values = np.full(x.shape, -1000.0)
    values[(skin < 0) | patella] = -90
    values[skin < -0.12] = 45
    for side in (-1, 1):
        values[((x - side * 22) / 21) ** 2 + ((y - bend - 4) / 30) ** 2 + ((z - 20) / 22) ** 2 < 1] = 420
    values[((x / 40) ** 2 + ((y - bend) / 28) ** 2 < 1) & (z < -6) & (z > -30)] = 420
    values[((x / 18) ** 2 + ((y - bend) / 16) ** 2 < 1) & (np.abs(z) > 25)] = 500
    values[patella & (((y - bend + 60) / 14) ** 2 < 0.5)] = 400
    values[((x / 34) ** 2 + ((y - bend + 32) / 10) ** 2 < 1) & (np.abs(z - 12) < 14) & (values > 0)] = 10
    return as_modality(values, modality, seed), to_patient


def two_legs(modality: str = "CT", seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Both thighs side by side, touching, with femora."""
    x, y, z, to_patient = axial_grid((48, 96, 112), (5.0, 4.0, 4.0))
    values = np.full(x.shape, -1000.0)
    for side in (-1, 1):
        radius = 82 - 0.12 * z
        values[np.hypot(x - side * 84, y) < radius] = -90
        values[np.hypot(x - side * 84, y) < radius - 14] = 50
        values[np.hypot(x - side * 80, y) < 16] = 700
        values[np.hypot(x - side * 80, y) < 8] = 20
    return as_modality(values, modality, seed), to_patient


def foot(modality: str = "CT", seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A foot and ankle, toes forward: leg above, heel behind, five toes."""
    x, y, z, to_patient = axial_grid((64, 128, 72), (3.0, 2.4, 2.4))
    y = y + 30
    leg = np.hypot(x / 40, (y - 60) / 44) < 1
    sole = (np.abs(x) < 38 - 0.05 * np.abs(y)) & (z < -30 + 0.25 * np.clip(y, -80, 60)) & (z > -85) & (np.abs(y - 5) < 110)
    heel = (x / 34) ** 2 + ((y - 85) / 34) ** 2 + ((z + 55) / 36) ** 2 < 1
    values = np.full(x.shape, -1000.0)
    toes = np.zeros(x.shape, bool)
    for n in range(5):
        toes |= (np.hypot((x + 32 - 16 * n) / 8, (z + 72) / 9) < 1) & (y < -80) & (y > -128 + 4 * n)
    whole = (leg & (z > -70)) | sole | heel | toes
    values[whole] = 40
    values[whole & (np.hypot(x / 17, (y - 60) / 17) < 1) & (z > -30)] = 600
    values[(x / 24) ** 2 + ((y - 70) / 30) ** 2 + ((z + 48) / 22) ** 2 < 1] = 350
    for n in range(5):
        values[(np.hypot(x + 32 - 16 * n, z + 66) < 5) & (y < 30) & (y > -118)] = 600
    return as_modality(values, modality, seed), to_patient


def hand(modality: str = "MR", seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A hand lying flat, fingers towards the feet."""
    x, y, z, to_patient = axial_grid((72, 64, 96), (3.0, 1.8, 1.8))
    values = np.full(x.shape, -1000.0)
    palm = (np.abs(x) < 42) & (np.abs(y) < 15) & (z > -20) & (z < 60)
    wrist = (np.hypot(x / 30, y / 20) < 1) & (z >= 55)
    values[palm | wrist] = 40
    for n in range(4):
        finger = (np.hypot(x + 31 - 21 * n, y) < 9) & (z <= -15) & (z > -100 + 12 * abs(n - 1))
        values[finger] = 40
    thumb = np.hypot(x - 52 + 0.4 * (z - 10), y + 8) < 11
    values[thumb & (z > -30) & (z < 40)] = 40
    for n in range(4):
        values[(np.hypot(x + 31 - 21 * n, y) < 5) & (z < 40) & (values > 0)] = 600
    return as_modality(values, modality, seed), to_patient


def shoulder(modality: str = "MR", seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """One shoulder: arm, chest wall, humeral head, clavicle and some lung."""
    x, y, z, to_patient = axial_grid((40, 96, 96), (4.0, 2.4, 2.4))
    values = np.full(x.shape, -1000.0)
    arm = np.hypot((x - 30) / 52, y / 56) < 1
    trunk = (x < 0) & (np.abs(y) < 80 - 0.3 * np.clip(z, 0, None))
    slope = z < 70 - 0.35 * np.clip(x + 60, 0, None)
    values[(arm | trunk) & slope] = -90
    values[(np.hypot((x - 30) / 42, y / 46) < 1) & slope] = 50
    values[(x < -8) & (np.abs(y) < 66) & slope] = 50
    values[((x - 28) / 24) ** 2 + (y / 24) ** 2 + ((z - 20) / 24) ** 2 < 1] = 380
    values[(np.hypot(x - 34, y) < 13) & (z < 10)] = 500
    values[(x < -40) & (np.hypot(x + 110, y) < 62) & (z < 40)] = -850
    return as_modality(values, modality, seed), to_patient


def breasts(modality: str = "MR", seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A chest lying prone with pendant breasts, lungs and heart."""
    x, y, z, to_patient = axial_grid((36, 96, 112), (5.0, 3.4, 3.4))
    values = np.full(x.shape, -1000.0)
    values[np.hypot(x / 180, (y - 60) / 100) < 1] = 45
    for side in (-1, 1):
        breast = ((x - side * 85) / 62) ** 2 + ((y + 55) / 75) ** 2 + (z / 70) ** 2
        values[breast < 1] = -95
        values[breast < 0.4] = 30
        values[((x - side * 80) / 60) ** 2 + ((y - 70) / 65) ** 2 + (z / 130) ** 2 < 1] = -850
        values[np.hypot(np.hypot(x - side * 85, y + 130), z) < 6] = 40
    return as_modality(values, modality, seed), to_patient


def cervical(modality: str = "MR", seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A neck in a narrow field of view: spine, cord, airway, shoulders coming in below; no chin."""
    x, y, z, to_patient = axial_grid((40, 88, 88), (4.0, 2.0, 2.0))
    values = np.full(x.shape, -1000.0)
    widen = np.clip(-z - 30, 0, None)
    values[np.hypot(x / (60 + 1.6 * widen), y / (62 + 0.5 * widen)) < 1] = -80
    values[np.hypot(x / (52 + 1.6 * widen), y / (54 + 0.5 * widen)) < 1] = 50
    values[(np.abs(x) < 17) & (np.abs(y - 8) < 14) & (z % 16 > 3)] = 350
    values[np.hypot(x / 9, (y - 30) / 7) < 1] = 30
    values[np.hypot(x / 9, (y + 26) / 8) < 1] = -1000
    return as_modality(values, modality, seed), to_patient


def quality_phantom(modality: str = "MR", seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A 200 mm cylinder of water with rods, wedges and a grid, as every department owns one."""
    x, y, z, to_patient = axial_grid((44, 112, 112), (4.0, 2.2, 2.2))
    values = np.full(x.shape, -1000.0)
    inside = (np.hypot(x, y) < 100) & (np.abs(z) < 78)
    values[inside] = 15
    values[inside & (np.abs(z - 40) < 8) & ((x % 16 < 3) | (y % 16 < 3))] = 300
    for n in range(8):
        values[inside & (np.hypot(x - 70 * np.cos(n * 0.785), y - 70 * np.sin(n * 0.785)) < 4 + n)] = -900 if n % 2 else 800
    values[inside & (np.abs(x) < 40) & (np.abs(y) < 20 + 0.4 * z) & (z < -20)] = -95
    values[(np.hypot(x - 100, y) < 8) & (np.abs(z) < 70)] = 200
    return as_modality(values, modality, seed), to_patient
