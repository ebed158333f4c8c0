"""Text as ink masks: fonts from 5x8 bitmaps to 40 px, scripts, rotations; every pixel of ink is known."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
# Fonts that the ink network was trained with, and fonts that its training leaves to this benchmark (infra/ink-network/writing.py).
_TRAINED = {
    "mono": ("DejaVuSansMono.",), "sans": ("DejaVuSans.",), "serif": ("DejaVuSerif.",),
    "cjk": ("wqy-",), "arabic": ("DejaVuSans.",), "cyrillic": ("DejaVuSans.",),
}  # fmt: skip
HELD_OUT = {
    "sans": ("Roboto-Regular", "Carlito-Regular"), "serif": ("NotoSerifCJK-Regular",),
    "cjk": ("NotoSansCJK-Regular",), "arabic": ("Scheherazade-Regular",), "cyrillic": ("Roboto-Regular", "Carlito-Regular"),
}  # fmt: skip
_NAMES = ["DOE^JANE", "MUELLER, HANS", "O'BRIEN MARY", "GARCIA LOPEZ", "Smith, John A.", "NAKAMURA YUKI", "van der Berg", "KOWALSKI EWA"]
_OTHERS = [
    "DOB 03/14/1961",
    "ID: 00481516",
    "1961-03-14 10:22:31",
    "MRN 2342-108",
    "ST. MARY HOSPITAL",
    "Acc 99120384",
    "14-MAR-2011 F 061Y",
]
_CJK = ["山田太郎", "東京中央病院", "患者 王小明 男", "生年月日 昭和36年", "김철수 서울병원"]
_ARABIC = ["محمد احمد علي", "مستشفى الملك", "فاطمة حسن 1961"]
_CYRILLIC = ["ИВАНОВ ПЁТР", "Больница 4", "Мария Сергеевна"]


@lru_cache(maxsize=64)
def system_font(pattern: str, size: int):
    """Return a system font by a part of its file name, or None when it is not installed."""
    for folder in _FOLDERS:
        for path in sorted(folder.rglob(f"{pattern}*")) if folder.exists() else []:
            if path.suffix in (".ttf", ".ttc", ".otf"):
                return ImageFont.truetype(str(path), size)
    return None


def text_for(script: str, rng: np.random.Generator) -> str:
    pool = {"cjk": _CJK, "arabic": _ARABIC, "cyrillic": _CYRILLIC}.get(script, _NAMES + _OTHERS)
    return str(pool[rng.integers(len(pool))])


def face_of(font: str, script: str, size: int, held_out: bool):
    """Return the first installed font of a style, None when there is none; `font` counts for Latin only."""
    patterns = (HELD_OUT if held_out else _TRAINED).get(font if script == "latin" else script, ())
    return next((face for pattern in patterns if (face := system_font(pattern, size))), None)


def coverage(text: str, font: str, height: int, script: str = "latin", held_out: bool = False) -> np.ndarray | None:
    """Return ink coverage (rows, columns) from 0 to 1, tight around the text; None when no font can draw it.

    Fonts: bitmap (5x8 cells, hard edges), stroke (OpenCV's Hershey, hard edges), mono, sans, serif (antialiased; one that the network
    was not trained with where `held_out`).
    """
    if font == "bitmap":
        ink = _drawn(text, ImageFont.load_default_imagefont(), hard=True)
        factor = max(height // 8, 1)
        ink = np.kron(ink, np.ones((factor, factor), np.float32))
    elif font == "stroke":
        scale = height / 22
        (width, rise), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, max(round(scale * 1.5), 1))
        canvas = np.zeros((rise + below + 8, width + 8), np.uint8)
        cv2.putText(canvas, text, (4, rise + 4), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, max(round(scale * 1.5), 1))
        ink = canvas.astype(np.float32) / 255
    else:
        face = face_of(font, script, max(round(height * 1.35), 6), held_out)
        if face is None and script == "latin":
            face = ImageFont.load_default(max(round(height * 1.35), 6))
        if face is None:
            return None
        ink = _drawn(text, face, hard=False)
    return _tight(ink)


def rotated(ink: np.ndarray, degrees: int) -> np.ndarray:
    """Return the ink turned by an angle; quarter turns keep every pixel."""
    if degrees % 90 == 0:
        return np.ascontiguousarray(np.rot90(ink, degrees // 90))
    rows, columns = ink.shape
    side = int(np.hypot(rows, columns)) + 4
    padded = np.zeros((side, side), np.float32)
    top, left = (side - rows) // 2, (side - columns) // 2
    padded[top : top + rows, left : left + columns] = ink
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1)
    return _tight(np.clip(cv2.warpAffine(padded, turn, (side, side), flags=cv2.INTER_LINEAR), 0, 1))


def _drawn(text: str, face, hard: bool) -> np.ndarray:
    box = face.getbbox(text)
    image = Image.new("1" if hard else "L", (int(box[2]) + 8, int(box[3]) + 8), 0)
    ImageDraw.Draw(image).text((4, 4), text, fill=1 if hard else 255, font=face)
    return np.asarray(image).astype(np.float32) / (1 if hard else 255)


def _tight(ink: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(ink > 0.05)
    if not rows.size:
        return ink[:1, :1]
    return np.ascontiguousarray(ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])
