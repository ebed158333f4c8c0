"""Grounds to write on, and drawings that are no text: made pictures of many textures, never of one modality's look."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

Values = np.ndarray[Any, np.dtype[np.int32]]
Real = np.ndarray[Any, np.dtype[np.float32]]


def blurred(rng: np.random.Generator, size: int, sigma: float) -> Real:
    """Return noise of unit deviation, smooth over so many pixels."""
    if sigma > 6:  # made small and enlarged
        step = int(sigma / 3)
        small = cv2.GaussianBlur(rng.normal(0, 1, (-(-size // step) + 4,) * 2).astype(np.float32), (0, 0), sigma / step)
        noise = cv2.resize(small, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)[:size, :size]
    else:
        noise = rng.normal(0, 1, (size, size)).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), sigma) if sigma >= 0.3 else noise
    return np.asarray(noise / (noise.std() + 1e-6), np.float32)


def _point(rng: np.random.Generator, size: int, beyond: int = 0) -> tuple[int, int]:
    x, y = rng.integers(-beyond, size + beyond, 2)
    return int(x), int(y)


def _shape(rng: np.random.Generator, size: int) -> Real:
    """Return one organ-like, bone-like or vessel-like shape as coverage."""
    shape = np.zeros((size, size), np.uint8)
    centre = _point(rng, size, 20)
    kind = rng.integers(5)
    if kind == 0:
        axes = tuple(int(v) for v in rng.integers(4, size // 2, 2))
        cv2.ellipse(shape, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    elif kind == 1:
        cv2.fillConvexPoly(shape, cv2.convexHull(rng.integers(-40, size + 40, (int(rng.integers(3, 7)), 2)).astype(np.int32)), 1)
    elif kind == 2:
        path = np.cumsum(rng.normal(0, size / 12, (int(rng.integers(3, 14)), 2)), axis=0) + np.array(centre)
        cv2.polylines(shape, [path.astype(np.int32)], False, 1, int(rng.integers(1, 12)), cv2.LINE_AA)
    elif kind == 3:
        axes = tuple(int(v) for v in rng.integers(10, size, 2))
        cv2.ellipse(shape, centre, axes, float(rng.uniform(0, 180)), 0, float(rng.uniform(60, 360)), 1, int(rng.integers(1, 10)))
    else:
        turn = rng.uniform(0, 2 * np.pi)
        y, x = np.mgrid[:size, :size]
        shape = ((x - centre[0]) * np.cos(turn) + (y - centre[1]) * np.sin(turn) > 0).astype(np.uint8)
    sigma = float(rng.choice([0, 0, 0.6, 1, 2, 4]))
    cover = shape.astype(np.float32)
    return np.asarray(cv2.GaussianBlur(cover, (0, 0), sigma) if sigma else cover, np.float32)


def _ribs(rng: np.random.Generator, size: int) -> Real:
    y, x = np.mgrid[:size, :size].astype(np.float32)
    turn = rng.uniform(0, np.pi)
    across = x * np.cos(turn) + y * np.sin(turn) + rng.uniform(0, 0.002) * (x - size / 2) ** 2
    return np.asarray(np.clip(np.sin(2 * np.pi * across / rng.uniform(6, 50)) * rng.uniform(1, 6), -1, 1), np.float32)


def ground(rng: np.random.Generator, size: int = 320) -> tuple[Values, int]:
    """Return a made picture as stored values, and its bit depth."""
    bits = int(rng.choice([8, 8, 8, 10, 12, 12, 12, 16]))
    top = 2 ** min(bits, 12) - 1
    picture = np.zeros((size, size), np.float32)
    for sigma in (2, 5, 12, 30, 60):
        if rng.random() < 0.5:
            picture += blurred(rng, size, sigma) * rng.choice([0.05, 0.15, 0.4]) * (1 if sigma > 4 else 0.5)
    if rng.random() < 0.7:
        for _ in range(int(rng.integers(0, 9))):
            cover, level = _shape(rng, size), rng.normal(0, 1) * rng.choice([0.2, 0.6, 1.5])
            picture = picture * (1 - cover) + (level if rng.random() < 0.4 else picture + level) * cover
    if rng.random() < 0.2:
        picture = picture + _ribs(rng, size) * rng.choice([0.1, 0.4])
    if rng.random() < 0.3:
        picture = np.tanh(picture * rng.uniform(1, 4))
    picture = (picture - picture.min()) / (np.ptp(picture) + 1e-6)
    low, high = np.sort(rng.uniform(0, 1, 2))
    low = low * 0.6
    picture = low + picture * (max(high, low + 0.25) - low)
    kind = rng.integers(6)
    if kind == 0:  # speckle
        picture = picture * cv2.GaussianBlur(rng.rayleigh(1, picture.shape).astype(np.float32), (0, 0), float(rng.uniform(0.6, 2)))
        picture *= rng.uniform(0.5, 1.3)
    elif kind == 1:  # counts
        return np.clip(rng.poisson(np.clip(picture, 0, None) * 10 ** rng.uniform(0, 2.5)), 0, 65535).astype(np.int32), 16
    elif kind in (2, 3):
        picture = picture + blurred(rng, size, float(rng.choice([0, 0.6, 0.9, 1.3, 2.5]))) * 10 ** rng.uniform(-2.7, -1)
    elif kind == 4:  # magnitudes
        picture = np.hypot(picture + rng.normal(0, 1, picture.shape) * 0.02, rng.normal(0, 1, picture.shape) * 0.02)
    values = np.clip(np.round(_with_a_field(rng, picture.astype(np.float32)) * top * rng.uniform(0.6, 1.05)), 0, top)
    if bits == 16:
        values = values * float(rng.choice([1, 1, 8]))
    if rng.random() < 0.06 and bits > 8:
        values = np.round(values / 16) * 16
    return values.astype(np.int32), bits


def _with_a_field(rng: np.random.Generator, picture: Real) -> Real:
    """Return the picture with an even outside, even altogether, in few steps, or as it is."""
    size, chance = len(picture), rng.random()
    if chance < 0.35:
        field = np.zeros((size, size), np.uint8)
        kind = rng.integers(3)
        if kind == 0:
            cv2.circle(field, _point(rng, size), int(rng.integers(size // 3, size)), 1, -1)
        elif kind == 1:
            cv2.fillConvexPoly(field, cv2.convexHull(rng.integers(-60, size + 60, (5, 2)).astype(np.int32)), 1)
        else:
            field[: int(rng.integers(0, size))] = 1
            field = np.rot90(field, int(rng.integers(4))).copy()
        return np.where(field > 0, picture, np.float32(rng.choice([0, 0, 0, 1, 0.03, float(rng.random())])))
    if chance < 0.42:
        return np.full((size, size), rng.choice([0, 1, float(rng.random())]), np.float32)
    return np.round(picture * int(rng.integers(2, 12))) / 10 if chance < 0.5 else picture


def draw_no_text(rng: np.random.Generator, values: Values, value: int) -> Values:
    """Draw a line, circle, scale, curve, marker or grid in one value: exact ink that is no text. Changes `values`."""
    size, thick = len(values), int(rng.choice([1, 1, 1, 2, 3]))
    ink = np.zeros(values.shape, np.uint8)
    kind = rng.integers(9)
    if kind == 0:
        cv2.line(ink, _point(rng, size), _point(rng, size), 1, thick)
    elif kind == 1:
        cv2.circle(ink, _point(rng, size), int(rng.integers(5, size // 2)), 1, thick)
    elif kind == 2:
        cv2.rectangle(ink, _point(rng, size), _point(rng, size), 1, thick)
    elif kind == 3:
        cv2.arrowedLine(ink, _point(rng, size), _point(rng, size), 1, thick, tipLength=float(rng.uniform(0.05, 0.3)))
    elif kind == 4:
        x, step, tick = int(rng.integers(0, size)), int(rng.integers(5, 40)), int(rng.integers(3, 12))
        if rng.random() < 0.6:
            ink[:, x : x + 1] = 1
        for number, y in enumerate(range(0, size, step)):
            ink[y : y + thick, max(x - tick * (2 if number % 5 == 0 else 1), 0) : x] = 1
        ink = ink.T.copy() if rng.random() < 0.5 else ink
    elif kind == 5:
        x = np.arange(size)
        walk = np.cumsum(rng.normal(0, 2, size))
        wave = rng.uniform(5, 40) * np.sin(x / rng.uniform(2, 30)) * np.sin(x / 40)
        cv2.polylines(ink, [np.stack([x, size / 2 + (walk if rng.random() < 0.5 else wave)], 1).astype(np.int32)], False, 1, thick)
    elif kind == 6:
        axes = tuple(int(v) for v in rng.integers(5, size // 2, 2))
        cv2.ellipse(ink, _point(rng, size), axes, float(rng.uniform(0, 180)), 0, 360, 1, thick)
    elif kind == 7:
        for _ in range(int(rng.integers(1, 6))):
            cv2.drawMarker(ink, _point(rng, size), 1, int(rng.integers(0, 7)), int(rng.integers(4, 14)), thick)
    else:
        step = int(rng.integers(8, 40))
        ink[::step] = 1
        ink[:, ::step] = 1
        if rng.random() < 0.6:
            ink[np.add.outer(np.arange(size), np.arange(size)) // int(rng.integers(2, 6)) % 2 == 0] = 0
    values[ink > 0] = value
    return values
