"""Bodies without a head, made by code: chest, cardiac field of view, leg, ball, bottle."""

from __future__ import annotations

import numpy as np


def axial_grid(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Axial grid [slice, row, column]: coordinates in LPS mm about the centre, and the affine."""
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    to_patient = np.diag([spacing[2], spacing[1], spacing[0], 1.0])
    to_patient[:3, 3] = [axes[2][0], axes[1][0], axes[0][0]]
    return x, y, z, to_patient


def chest(modality: str = "CT", shape: tuple[int, int, int] = (40, 128, 128), seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A chest 380 x 250 mm with lungs and spine on a couch, 200 mm long."""
    x, y, z, to_patient = axial_grid(shape, (5.0, 440 / shape[1], 440 / shape[2]))
    values = np.full(shape, -1000.0)
    values[(x / 190) ** 2 + (y / 125) ** 2 < 1] = 40
    for side in (-1, 1):
        values[((x - side * 85) / 65) ** 2 + ((y + 5) / 85) ** 2 + (z / 160) ** 2 < 1] = -850
    values[(x / 22) ** 2 + ((y - 85) / 22) ** 2 < 1] = 300
    values[(y > 135) & (y < 145) & (np.abs(x) < 200)] = -100
    return as_modality(values, modality, seed), to_patient


def cardiac(modality: str = "CT", seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A 180 mm field of view inside the chest: tissue and lung, no skin."""
    x, y, z, to_patient = axial_grid((40, 96, 96), (3.0, 180 / 96, 180 / 96))
    values = np.full(x.shape, -830.0)
    values[(x / 60) ** 2 + (y / 70) ** 2 + (z / 60) ** 2 < 1] = 120
    values[y > 60] = 50
    return as_modality(values, modality, seed), to_patient


def leg(modality: str = "MR", seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A knee: a cylinder 135 mm wide with two bones and a patella."""
    x, y, z, to_patient = axial_grid((48, 96, 96), (3.2, 200 / 96, 200 / 96))
    values = np.full(x.shape, -1000.0)
    values[(x / (66 + 5 * np.cos(z / 40))) ** 2 + (y / 68) ** 2 < 1] = 40
    values[(x / 32) ** 2 + (y / 28) ** 2 + 0 * z < 1] = 500
    values[(np.abs(z) < 3)] = np.where(values[(np.abs(z) < 3)] > 300, 20, values[(np.abs(z) < 3)])
    values[(x / 22) ** 2 + ((y + 62) / 12) ** 2 + (z / 24) ** 2 < 1] = 450
    return as_modality(values, modality, seed), to_patient


def ball(modality: str = "MR", radius_mm: float = 85.0, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A homogeneous sphere: the usual quality phantom, also a melon."""
    x, y, z, to_patient = axial_grid((64, 80, 80), (3.0, 2.7, 2.7))
    values = np.full(x.shape, -1000.0)
    values[x**2 + y**2 + z**2 < radius_mm**2] = 20
    return as_modality(values, modality, seed), to_patient


def bottle(modality: str = "MR", seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A cylinder with a neck and a grid inside."""
    x, y, z, to_patient = axial_grid((64, 80, 80), (3.0, 2.7, 2.7))
    values = np.full(x.shape, -1000.0)
    values[(x**2 + y**2 < np.where(z > 60, 30, 80) ** 2) & (np.abs(z) < 85)] = 10
    values[(values > 0) & ((x % 20 < 3) | (y % 20 < 3))] = 90
    return as_modality(values, modality, seed), to_patient


def as_modality(values: np.ndarray, modality: str, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, values.shape)
    if modality == "CT":
        return values + 12 * noise
    signal = np.interp(values, [-1000, -900, -100, 0, 100, 300, 1000], [0, 20, 700, 420, 480, 120, 30])
    return np.abs(signal + 8 * noise)
