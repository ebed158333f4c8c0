"""Frames without text to write on: real anatomy that pydicom ships or that lies beside the project, and synthetic textures."""

from __future__ import annotations

import cv2
import numpy as np


def speckle_fan(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """An ultrasound-like sector on black: multiplicative speckle, depth shading, a few dark vessels. 8 bits."""
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    apex = (columns / 2, rows * 0.04)
    radius, angle = np.hypot(x - apex[0], y - apex[1]), np.arctan2(x - apex[0], y - apex[1])
    fan = (np.abs(angle) < 0.6) & (radius > rows * 0.1) & (radius < rows * 0.88)
    grain = cv2.GaussianBlur(rng.rayleigh(1, (rows, columns)).astype(np.float32), (0, 0), 1.1)
    tissue = cv2.GaussianBlur(rng.normal(0, 1, (rows, columns)).astype(np.float32), (0, 0), 18)
    image = 70 * grain * (1 + 8 * tissue) * (1.2 - radius / rows)
    for _ in range(4):
        cx, cy, r = rng.uniform(0.3, 0.7) * columns, rng.uniform(0.3, 0.7) * rows, rng.uniform(8, 30)
        image[np.hypot(x - cx, y - cy) < r] *= 0.15
    return np.where(fan, np.clip(image, 1, 235), 0).astype(np.uint8)


def body_slice(rows: int, columns: int, rng: np.random.Generator, noise: float = 12.0) -> np.ndarray:
    """A CT-like axial slice in Hounsfield units + 1024 as stored values (unsigned 12 bits): body, bone, lungs, table."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j].astype(np.float32)
    image = np.full((rows, columns), 24.0, np.float32)

    def ellipse(cx, cy, rx, ry):
        return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1

    image[ellipse(0, 0, 0.82, 0.62)] = 950
    image[ellipse(0, 0, 0.78, 0.58)] = 1070
    for side in (-1, 1):
        image[ellipse(side * 0.38, -0.05, 0.26, 0.38)] = 200 + rng.uniform(-40, 40)
    image[ellipse(0, 0.4, 0.11, 0.1)] = 1500
    image[ellipse(0.05, 0.0, 0.16, 0.2)] = 1090
    for _ in range(10):
        t = rng.uniform(0, 2 * np.pi)
        image[ellipse(0.72 * np.cos(t), 0.52 * np.sin(t), 0.05, 0.025)] = rng.uniform(1300, 1700)
    image[(y > 0.75) & (y < 0.78) & (np.abs(x) < 0.7)] = 700
    image = cv2.GaussianBlur(image, (0, 0), 1.0)
    grain = cv2.GaussianBlur(rng.normal(0, 1, (rows, columns)).astype(np.float32), (0, 0), 0.8)
    image += noise * grain / grain.std()
    return np.clip(image, 0, 4095).astype(np.uint16)


def brain_slice(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """An MR-like slice: folded smooth tissue, dark fluid, Rician noise on a noisy background (unsigned 12 bits)."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j].astype(np.float32)
    head = (x / 0.72) ** 2 + (y / 0.85) ** 2
    folds = cv2.GaussianBlur(rng.normal(0, 1, (rows, columns)).astype(np.float32), (0, 0), rows / 64)
    folds /= folds.std()
    image = np.where(head < 0.8, 900 + 220 * np.tanh(2 * folds), 0)
    image = np.where((head >= 0.86) & (head < 1), 1300, image)
    image = np.where((np.abs(x) < 0.12) & (np.abs(y) < 0.2), 250, image)
    image = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.0)
    a, b = rng.normal(0, 18, (2, rows, columns))
    return np.clip(np.hypot(image + a, b), 0, 4095).astype(np.uint16)


def radiograph(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """A chest-like projection: smooth broad structures, ribs, collimated border (unsigned 12 bits)."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j].astype(np.float32)
    image = 1800 + 900 * np.exp(-((x / 0.2) ** 2)) + 500 * y
    for side in (-1, 1):
        image -= 900 * np.exp(-(((x - side * 0.45) / 0.28) ** 2) - ((y + 0.1) / 0.5) ** 2)
    for k in range(9):
        curve = y - (-0.7 + 0.16 * k) - 0.25 * x**2
        image += 160 * np.exp(-((curve / 0.025) ** 2))
    image += 25 * cv2.GaussianBlur(rng.normal(0, 1, (rows, columns)).astype(np.float32), (0, 0), 1.2) * 3
    border = (np.abs(x) > 0.95) | (np.abs(y) > 0.96)
    return np.where(border, 30, np.clip(image, 0, 4095)).astype(np.uint16)


def angiogram(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """An X-ray angiography frame: grey ground, dark branching vessels, circular field (8 bits)."""
    image = 150 + 30 * cv2.GaussianBlur(rng.normal(0, 1, (rows, columns)).astype(np.float32), (0, 0), 30) * 30
    canvas = np.zeros((rows, columns), np.uint8)
    for _ in range(6):
        points = np.cumsum(rng.normal(0, rows / 14, (12, 2)), axis=0) + np.array([columns / 2, rows / 2])
        cv2.polylines(canvas, [points.astype(np.int32)], False, 255, int(rng.integers(2, 7)), cv2.LINE_AA)
    image -= 0.3 * cv2.GaussianBlur(canvas.astype(np.float32), (0, 0), 1.5)
    image += rng.normal(0, 4, (rows, columns))
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    return np.where(np.hypot(x, y) < 1.02, np.clip(image, 1, 254), 0).astype(np.uint8)


def mammogram(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """A breast-like shape at one edge with fibrous texture on an even dark ground (unsigned 12 bits)."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, 0 : 2 : columns * 1j].astype(np.float32)
    depth = 1 - (x / 1.1) ** 2 - (y / 0.9) ** 2
    texture = sum(cv2.GaussianBlur(rng.normal(0, 1, (rows, columns)).astype(np.float32), (0, 0), s) * s for s in (1.5, 4, 12, 30))
    image = np.where(depth > 0, 900 + 1200 * np.sqrt(np.clip(depth, 0, 1)) + 220 * texture, 12)
    return np.clip(cv2.GaussianBlur(image.astype(np.float32), (0, 0), 0.8) + rng.normal(0, 5, image.shape) * (depth > 0), 0, 4095).astype(
        np.uint16
    )


def colour_ultrasound(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """A sector with a Doppler patch and a colour bar (RGB)."""
    grey = speckle_fan(rows, columns, rng)
    image = np.repeat(grey[..., None], 3, axis=2)
    patch = cv2.GaussianBlur(rng.normal(0, 1, (rows, columns)).astype(np.float32), (0, 0), 8)
    y, x = np.mgrid[0:rows, 0:columns]
    flow = (patch > patch.std()) & (np.abs(x - columns / 2) < columns / 8) & (np.abs(y - rows / 2) < rows / 8)
    image[flow] = np.stack([grey[flow] // 2 + 120, grey[flow] // 3, grey[flow] // 4], axis=1)
    bar = np.linspace(255, 0, rows // 3).astype(np.uint8)
    image[rows // 10 : rows // 10 + bar.size, columns - 24 : columns - 14] = np.stack([bar, bar // 3, 255 - bar], axis=1)[:, None]
    return image


def nuclear(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """A nuclear medicine or PET slice: few hot blobs, Poisson counts (unsigned 16 bits)."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    rate = 3 * ((x / 0.7) ** 2 + (y / 0.9) ** 2 < 1)
    for _ in range(5):
        cx, cy = rng.uniform(-0.4, 0.4, 2)
        rate = rate + rng.uniform(30, 300) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / rng.uniform(0.002, 0.02))
    return rng.poisson(rate * 8).astype(np.uint16)


MAKERS = {
    "US": (speckle_fan, (480, 640), 8),
    "US colour": (colour_ultrasound, (480, 640), 8),
    "CT": (body_slice, (512, 512), 12),
    "MR": (brain_slice, (256, 256), 12),
    "CR": (radiograph, (1000, 840), 12),
    "DX": (radiograph, (1536, 1280), 12),
    "XA": (angiogram, (512, 512), 8),
    "MG": (mammogram, (1400, 1100), 12),
    "NM": (nuclear, (256, 256), 16),
    "PT": (nuclear, (200, 200), 16),
}
"""Modality: maker, (rows, columns), bits stored."""
