"""Text with known ink on a ground: lines of many scripts, fonts, sizes and angles, faint and clear, and where they were written."""

from __future__ import annotations

import string
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from ground import Real, Values, draw_no_text
from PIL import Image, ImageDraw, ImageFont

SIZE = 192  # pixels: side of one picture to learn from
_FONTS = Path("/usr/share/fonts")
_UPPER, _LOWER, _DIGITS = string.ascii_uppercase, string.ascii_lowercase, string.digits
_HERSHEY = [cv2.FONT_HERSHEY_SIMPLEX] * 3 + [
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_COMPLEX_SMALL,
]
_HAN = [(0x4E00, 0x9FA0), (0x4E00, 0x9FA0), (0x3041, 0x3094), (0x30A1, 0x30F5)]
_HANGUL = [(0xAC00, 0xD7A0)]
_ARABIC = [(0x0627, 0x063B), (0x0641, 0x064B), (0x0641, 0x064B)]
_CYRILLIC = [(0x0410, 0x0430), (0x0430, 0x0450)]
_OTHERS = {"greek": (0x03B1, 0x03CA), "hebrew": (0x05D0, 0x05EB), "thai": (0x0E01, 0x0E2F), "devanagari": (0x0905, 0x0939)}


class Example(NamedTuple):
    """One picture and what is true of it, all (rows, columns)."""

    values: Values
    ink: Real  # coverage 0 to 1
    line: Real  # 1 inside the rotated rectangle of a line
    unsure: Real  # 1 where ink is so faint that no answer is wrong
    lossy: bool


@lru_cache(maxsize=1)
def _fonts() -> dict[str, list[str]]:
    """Return font files by script, of Debian's packages (README.md); none of those that the benchmark holds out."""
    found = {path.name: str(path) for path in sorted(_FONTS.rglob("*.tt?"))}

    def named(*beginnings: str) -> list[str]:
        return [path for name, path in found.items() if name.startswith(beginnings)]

    return {
        "latin": named("DejaVu", "Liberation", "Free", "Terminus", "NotoSans-", "NotoSerif-", "NotoMono"),
        "cyrillic": named("DejaVuSans", "DejaVuSerif", "Liberation", "FreeSans", "FreeSerif"),
        "arabic": [
            *named("DejaVuSans.", "DejaVuSans-Bold.", "Amiri-Regular", "Amiri-Slanted", "KacstBook", "KacstNaskh", "KacstOffice"),
            *named("KacstScreen", "KacstOne.", "KacstLetter", "FreeSerif.", "Thabit.", "Lateef-Regular", "Lateef-Light", "Lateef-Bold"),
            *named("Harmattan-Regular", "NotoNaskhArabic-", "NotoSansArabic-", "NotoKufiArabic-Regular", "ae_AlArabiya", "ae_Khalid"),
        ],
        "han": named("DroidSansFallback", "wqy", "ukai", "ipag"),
        "hangul": named("wqy", "UnDotum", "UnBatang", "UnGraphic"),
        "greek": named("DejaVuSans", "FreeSerif", "NotoSans-"),
        "hebrew": named("NotoSansHebrew", "NotoSerifHebrew", "FreeSans."),
        "thai": named("NotoSansThai", "NotoSerifThai"),
        "devanagari": named("NotoSansDevanagari", "NotoSerifDevanagari"),
    }


@lru_cache(maxsize=2048)
def _face(path: str, size: int, joined: bool = True) -> ImageFont.FreeTypeFont:
    """Return a font; letters that join are drawn each by itself where not `joined`, as programs without a shaper draw them."""
    return ImageFont.truetype(path, size, layout_engine=None if joined else ImageFont.Layout.BASIC)


def _word(rng: np.random.Generator, alphabet: str, least: int, most: int) -> str:
    return "".join(rng.choice(list(alphabet), int(rng.integers(least, most + 1))))


def _latin(rng: np.random.Generator) -> str:
    """Return random characters in the shapes of names, dates, times, numbers and labels."""
    kind = rng.integers(8)
    if kind == 0:
        return _word(rng, _UPPER, 3, 9) + str(rng.choice(["^", " ", ", ", "'"])) + _word(rng, _UPPER, 2, 8)
    if kind == 1:
        names = [_word(rng, _UPPER, 1, 1) + _word(rng, _LOWER, 2, 8) for _ in range(2)]
        return str(rng.choice([" ", ", ", "-"])).join(names)
    if kind == 2:
        mark = str(rng.choice(list("-/.")))
        return mark.join([_word(rng, _DIGITS, 2, 4), _word(rng, _DIGITS, 2, 2), _word(rng, _DIGITS, 2, 4)])
    if kind == 3:
        return ":".join(_word(rng, _DIGITS, 2, 2) for _ in range(int(rng.integers(2, 4))))
    if kind == 4:
        return _word(rng, _UPPER + _LOWER, 2, 4) + str(rng.choice([": ", " ", "="])) + _word(rng, _DIGITS, 3, 9)
    if kind == 5:
        return _word(rng, _DIGITS, 4, 12)
    if kind == 6:
        return _word(rng, _UPPER + _LOWER + _DIGITS + " .,:-/()", 6, 26)
    return " ".join(_word(rng, _LOWER, 2, 8) for _ in range(int(rng.integers(1, 4))))


def _characters(rng: np.random.Generator, ranges: list[tuple[int, int]], least: int, most: int) -> str:
    drawn = (ranges[int(rng.integers(len(ranges)))] for _ in range(int(rng.integers(least, most + 1))))
    return "".join(chr(int(rng.integers(*bounds))) + (" " if rng.random() < 0.13 else "") for bounds in drawn)


def _line_of_ink(rng: np.random.Generator) -> Real | None:
    """Return the coverage of one upright line, tight around it; None when hardly anything was drawn."""
    chance = rng.random()
    if chance < 0.14:
        factor = int(rng.choice([1, 1, 1, 2, 2, 3]))
        ink = np.kron(_drawn(_latin(rng), ImageFont.load_default_imagefont(), hard=True), np.ones((factor, factor), np.float32))
    elif chance < 0.36:
        ink = _stroked(rng, _latin(rng))
    else:
        size = round(np.exp(rng.uniform(np.log(8), np.log(60 if rng.random() < 0.45 else 20))))
        script = "latin" if chance < 0.57 else "han" if chance < 0.66 else "arabic" if chance < 0.88 else "cyrillic"
        script = str(rng.choice(list(_OTHERS))) if script == "cyrillic" and rng.random() < 0.3 else script
        script = "hangul" if script == "han" and rng.random() < 0.25 else script
        text = {
            "latin": lambda: _latin(rng),
            "han": lambda: _characters(rng, _HAN, 3, 10),
            "hangul": lambda: _characters(rng, _HANGUL, 3, 10),
            "arabic": lambda: _characters(rng, _ARABIC, 4, 16),
            "cyrillic": lambda: _characters(rng, _CYRILLIC, 3, 16),
            **{name: lambda bounds=bounds: _characters(rng, [bounds], 3, 12) for name, bounds in _OTHERS.items()},
        }[script]()
        if rng.random() < 0.15:
            text += " " + _word(rng, _DIGITS, 2, 6)
        size = max(size, 11) if script in ("han", "hangul", "arabic") else size
        size += size // 3 if script == "arabic" and rng.random() < 0.5 else 0  # its letters are small in their fonts
        face = _face(str(rng.choice(_fonts()[script])), size, joined=rng.random() < 0.8)
        ink = _drawn(text, face, hard=rng.random() < 0.2)
        if rng.random() < 0.35:  # thinner than the font
            ink = ink ** np.float32(rng.uniform(1, 2.5))
    rows, columns = np.nonzero(ink > 0.05)
    if rows.size < 12:
        return None
    return np.ascontiguousarray(ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])


def _drawn(text: str, face: ImageFont.FreeTypeFont | ImageFont.ImageFont, *, hard: bool) -> Real:
    box = face.getbbox(text)
    image = Image.new("1" if hard else "L", (int(box[2]) + 10, int(box[3]) + 10), 0)
    ImageDraw.Draw(image).text((5, 5), text, fill=1 if hard else 255, font=face)
    return np.asarray(image).astype(np.float32) / np.float32(1 if hard else 255)


def _stroked(rng: np.random.Generator, text: str) -> Real:
    scale = float(np.exp(rng.uniform(np.log(7), np.log(46)))) / 22
    thick = max(round(scale * rng.choice([1, 1.5, 2.5])), 1)
    font = int(rng.choice(_HERSHEY))
    scale *= 1.7 if font == cv2.FONT_HERSHEY_PLAIN else 1
    (width, up), down = cv2.getTextSize(text, font, scale, thick)
    canvas = np.zeros((up + down + 10, width + 10), np.uint8)
    cv2.putText(canvas, text, (5, up + 5), font, scale, 255, thick, cv2.LINE_AA if rng.random() < 0.3 else cv2.LINE_8)
    return canvas.astype(np.float32) / np.float32(255)


def _angle(rng: np.random.Generator) -> float:
    chance = rng.random()
    if chance < 0.30:
        return 0.0
    if chance < 0.37:
        return 180.0
    if chance < 0.50:
        return float(rng.choice([90, 270]))
    if chance < 0.54:
        return float(rng.uniform(-4, 4))
    return float(rng.choice([rng.uniform(-45, 45), rng.uniform(-25, 25), rng.uniform(-180, 180)]))


def _placed(rng: np.random.Generator) -> tuple[Real, Real] | None:
    """Return ink and rectangle of one line somewhere in the picture, turned by some angle; parts of it may lie outside."""
    ink = _line_of_ink(rng)
    if ink is None:
        return None
    angle = _angle(rng)
    x, y = rng.uniform(0.05, 0.95, 2) * SIZE
    if rng.random() < 0.2:  # along an edge
        side = ink.shape[0] / 2
        if angle in (0, 180):
            y = rng.choice([side, SIZE - side])
        elif angle in (90, 270):
            x = rng.choice([side, SIZE - side])
    if angle % 90:
        turn = cv2.getRotationMatrix2D((ink.shape[1] / 2, ink.shape[0] / 2), angle, 1)
        turn[:, 2] += x - ink.shape[1] / 2, y - ink.shape[0] / 2
        cover = np.clip(cv2.warpAffine(ink, turn, (SIZE, SIZE), flags=cv2.INTER_LINEAR), 0, 1)
        return cover, cv2.warpAffine(np.ones_like(ink), turn, (SIZE, SIZE), flags=cv2.INTER_NEAREST)
    upright = np.rot90(ink, int(angle) // 90)
    top, left = int(y - upright.shape[0] / 2), int(x - upright.shape[1] / 2)
    rows = slice(max(top, 0), min(top + upright.shape[0], SIZE))
    columns = slice(max(left, 0), min(left + upright.shape[1], SIZE))
    if rows.stop - rows.start < 3 or columns.stop - columns.start < 3:
        return None
    cover, line = np.zeros((2, SIZE, SIZE), np.float32)
    cover[rows, columns] = upright[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    line[rows, columns] = 1
    return cover, line


def _cut(rng: np.random.Generator, values: Values) -> Values:
    short = max(SIZE - values.shape[0], 0), max(SIZE - values.shape[1], 0)
    if any(short):
        mirrored = max(short) < min(values.shape) and rng.random() < 0.5
        values = np.pad(values, ((0, short[0]), (0, short[1])), mode="reflect" if mirrored else "edge")
    top, left = (int(rng.integers(0, length - SIZE + 1)) for length in values.shape)
    cut = np.rot90(values[top : top + SIZE, left : left + SIZE], int(rng.integers(4)))
    return (cut[::-1] if rng.random() < 0.5 else cut).copy()


def _in_eight_bits(rng: np.random.Generator, values: Values) -> Values:
    """Return what a window of some width shows of a picture."""
    low, high = np.percentile(values, (rng.uniform(0, 3), rng.uniform(97, 100)))
    return np.clip((values - low) * (rng.uniform(120, 255) / max(high - low, 1)) + rng.uniform(0, 20), 0, 255).astype(np.int32)


def _with_an_edge(rng: np.random.Generator, values: Values, limits: tuple[int, int]) -> Values:
    """Return the picture with an even part beside it, as collimators, masks and side bars leave: text runs over such edges too."""
    turn, offset = float(rng.choice([0, 90, 180, 270, rng.uniform(0, 360)])), float(rng.uniform(-0.4, 0.4)) * SIZE
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    beyond = x * np.cos(np.deg2rad(turn)) + y * np.sin(np.deg2rad(turn)) > offset
    level = float(rng.choice([limits[0], limits[0], limits[1], values.min(), rng.uniform(*limits)]))
    return np.where(beyond, np.int32(level), values)


def _compressed(rng: np.random.Generator, values: Values) -> Values:
    """Return 8-bit values as they come out of JPEG; its blocks begin anywhere."""
    quality = int(rng.choice([50, 60, 75, 80, 85, 90, 92, 95, 98]))
    top, left = (int(v) for v in rng.integers(0, 8, 2))
    padded = np.pad(np.clip(values, 0, 255).astype(np.uint8), ((top, 0), (left, 0)), mode="edge")
    _, stream = cv2.imencode(".jpg", padded, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(stream, 0)[top:, left:].astype(np.int32)


def example(rng: np.random.Generator, grounds: list[tuple[Values, int]]) -> Example:
    """Return one picture: a ground, perhaps drawings that are no text, and in three of five pictures up to eight lines of text."""
    values, bits = grounds[int(rng.integers(len(grounds)))]
    values = _cut(rng, values)
    if bits > 8 and rng.random() < 0.25:
        values, bits = _in_eight_bits(rng, values), 8
    if bits == 16:
        limits = int(values.min()), int(values.max() * 1.5 + 10)
    else:
        limits = int(min(values.min(), 0)), int(max(2**bits - 1, values.max()))
    if bits == 8 and rng.random() < 0.4:
        values = np.clip(np.round(values * rng.uniform(0.4, 1.4) + rng.uniform(-20, 40) * (values > 0)), 0, 255).astype(np.int32)
    if bits > 8 and rng.random() < 0.12:  # cut off within the noise of its darkest part, as air in CT often is
        values = np.clip(values - int(np.quantile(values, rng.uniform(0.03, 0.45))), 0, None)
    if rng.random() < 0.2:
        values = _with_an_edge(rng, values, limits)
    low, high = np.percentile(values, (1, 99))
    span = max(high - low, 8.0)
    if bits == 8 and rng.random() < 0.5:
        span = max(span, (limits[1] - limits[0]) * 0.3)
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(1, 4))):
            level = rng.choice([limits[1], values.max(), np.median(values) + rng.normal() * span * 0.5])
            values = draw_no_text(rng, values, int(np.clip(level, *limits)))
    ink, line, unsure = np.zeros((3, SIZE, SIZE), np.float32)
    lossy = bits == 8 and rng.random() < 0.5
    for _ in range(0 if rng.random() < 0.42 else int(rng.choice([2, 3, 4, 5, 6, 8]))):
        placed = _placed(rng)
        if placed is None:
            continue
        cover, inside = placed
        near = cv2.dilate(inside, np.ones((5, 5))) > 0
        if line[near].any() or unsure[near].any():
            continue
        written = _write(rng, values, cover, inside, span, limits, lossy=lossy)
        if written is None:
            continue
        values, is_faint = written
        ink, line = np.maximum(ink, cover), np.maximum(line, inside)
        if is_faint:
            unsure = np.maximum(unsure, near.astype(np.float32))
    if lossy:
        values = _compressed(rng, values)
    elif rng.random() < 0.25:
        values = int(values.max()) + int(values.min()) - values
    return Example(values, ink, line, unsure, lossy)


def _write(
    rng: np.random.Generator, values: Values, cover: Real, inside: Real, span: float, limits: tuple[int, int], *, lossy: bool
) -> tuple[Values, bool] | None:
    """Return the values with one line written, and whether it is too faint to be sure of; None when it would not show at all."""
    where = inside > 0
    level = float(np.median(values[where]))
    sign = 1 if rng.random() < 0.62 else -1
    under = values.astype(np.float32)
    rough = float(np.abs(under - cv2.GaussianBlur(under, (0, 0), 3))[where].mean()) + 0.3
    chance = rng.random()
    if chance < 0.55:  # by the grain of the ground: a part of a frame may hold nothing but noise, and its span is that of the noise
        step = rough * float(np.exp(rng.uniform(np.log(0.8), np.log(5))))
    else:
        faintest, clearest = (0.025, 0.045) if chance < 0.65 else (0.025, 0.15) if chance < 0.8 else (0.06, 1.0)
        step = float(np.exp(rng.uniform(np.log(faintest), np.log(clearest)))) * span
    value = float(np.round(np.clip(level + sign * step, *limits)))
    if rng.random() < 0.12:
        value = float(rng.choice(limits))
    if abs(value - level) < 2:
        return None
    stands_out = abs(value - level) / rough
    chance = rng.random()
    if chance < 0.06 and abs(value - level) > 0.3 * span:  # a shadow
        shadow = np.roll(cover, (1, 1), (0, 1))
        under = under * (1 - shadow) + (limits[0] if sign > 0 else limits[1]) * shadow
    elif chance < 0.10:  # on a plate of its own
        plate = float(np.clip(value - sign * max(abs(value - level), span * 0.3), *limits))
        under = np.where(cv2.dilate(inside, np.ones((5, 5))) > 0, plate, under)
    elif chance < 0.14 and not lossy:  # translucent
        through = cover * rng.uniform(0.4, 0.9)
        return np.round(under * (1 - through) + value * through).astype(np.int32), bool(stands_out < 1.5)
    exact = (cover > 0.97).sum() / max((cover > 0.3).sum(), 1)
    least = 0.7 if lossy else 0.8 if exact < 0.15 else 0.25
    return np.round(under * (1 - cover) + value * cover).astype(np.int32), bool(stands_out < least)
