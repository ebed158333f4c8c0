"""The text detector and reader: PP-OCRv4 as shipped inside the rapidocr-onnxruntime wheel, one per process.

What to look at and what to believe does not belong here (`find`); nothing is ever fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from tasks.errors import ReleaseError
from tasks.pixels.session import give_back, open_session

Grey = np.ndarray[Any, np.dtype[np.uint8]]
Real = np.ndarray[Any, np.dtype[np.float32]]

_REMEDY = "install the package again (make install); its wheel carries the models"
_CONTROL = "SALLYPORT 4711"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader made of one box: kept in memory for matching, never shown."""

    text: str
    score: float


class TextEngine:
    """Detection and recognition over 8-bit images, single-threaded, about 0.6 GB at its largest tile."""

    def __init__(self) -> None:
        import cv2
        from rapidocr_onnxruntime import __file__ as package

        cv2.setNumThreads(1)
        folder = package.rsplit("/", 1)[0] + "/models/"
        self._detect, self._read = (open_session(folder + f"ch_PP-OCRv4_{part}_infer.onnx") for part in ("det", "rec"))
        characters = self._read.get_modelmeta().custom_metadata_map["character"].splitlines()
        self._characters = ["", *characters, " "]

    def text_map(self, image: Grey) -> Real:
        """Return the probability of text per pixel of one grey or colour image whose sides are multiples of 32."""
        colours = np.repeat(image[None], 3, axis=0) if image.ndim == 2 else np.moveaxis(image, 2, 0)
        batch = (colours.astype(np.float32) / 127.5 - 1.0)[None]
        result: Real = self._detect.run(None, {self._detect.get_inputs()[0].name: np.ascontiguousarray(batch)})[0][0, 0]
        return result

    def read(self, crops: list[Grey]) -> list[Reading]:
        """Read upright grey crops of single lines, one Reading each."""
        import cv2

        readings = [Reading("", 0.0)] * len(crops)
        order = sorted(range(len(crops)), key=lambda i: crops[i].shape[1] / crops[i].shape[0])
        for start in range(0, len(order), 6):
            part = order[start : start + 6]
            widths = [min(max(round(48 * crops[i].shape[1] / crops[i].shape[0]), 16), 960) for i in part]
            batch = np.zeros((len(part), 3, 48, max(*widths, 48)), np.float32)
            for row, (i, width) in enumerate(zip(part, widths, strict=True)):
                batch[row, :, :, :width] = cv2.resize(crops[i], (width, 48)).astype(np.float32) / 127.5 - 1.0
            scores = self._read.run(None, {self._read.get_inputs()[0].name: batch})[0]
            for row, i in enumerate(part):
                readings[i] = self._decode(scores[row])
        return readings

    def give_back(self) -> None:
        """Give back the memory that looking at frames took."""
        give_back(self._detect, (1, 3, 32, 32))
        give_back(self._read, (1, 3, 48, 48))

    def _decode(self, scores: Real) -> Reading:
        """Collapse one CTC score table (steps, characters) to text and mean probability."""
        best = scores.argmax(axis=1)
        kept = best != 0
        kept[1:] &= best[1:] != best[:-1]
        if not kept.any():
            return Reading("", 0.0)
        return Reading("".join(self._characters[k] for k in best[kept]), float(scores.max(axis=1)[kept].mean()))


@lru_cache(maxsize=1)
def the_engine() -> TextEngine:
    """Return this process's engine, loading it on first use; ReleaseError when it cannot be loaded."""
    try:
        return TextEngine()
    except Exception:
        raise ReleaseError("text engine", "cannot be loaded", _REMEDY) from None


def check_engine() -> None:
    """Load the engine and read a control image with known text; ReleaseError when it is absent or does not find and read it.

    Call it once per worker process, before any study is touched.
    """
    import cv2

    engine = the_engine()
    image = np.full((128, 512), 16, np.uint8)
    cv2.putText(image, _CONTROL, (40, 76), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 235, 2, cv2.LINE_AA)
    try:
        found = engine.text_map(image)
        rows, columns = np.nonzero(found > 0.3)
        reading = engine.read([image[32:96, 24:400]])[0]
    except Exception:
        raise ReleaseError("text engine", "fails on the control image", _REMEDY) from None
    covers = rows.size > 0 and columns.min() < 80 and columns.max() > 320
    if not covers or "".join(reading.text.split()) != _CONTROL.replace(" ", ""):
        raise ReleaseError("text engine", "does not find the text of the control image", _REMEDY)
