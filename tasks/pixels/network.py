"""The ink network: a small convolutional network of our own that tells ink, and the lines it forms, from anatomy.

It sees what the text detector of `engine` is weak at: faint text, text in speckle, any script, any angle. How it was trained is in
`infra/ink-network`. What it is shown (`signs`) and what is made of its answer (`regions`) do not belong here.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from tasks.errors import ReleaseError
from tasks.pixels.session import give_back, open_session
from tasks.pixels.signs import Real, Values, signs_of

_REMEDY = "install the package again (make install); it carries the network"
_TILE, _OVERLAP = 960, 96  # pixels: tiles bound the memory; the network looks about 80 pixels far
_SEEN = 0.5  # probability
_STRIDE = 4  # sides that the network takes are multiples of it


class InkMaps(NamedTuple):
    """Probabilities at half the resolution of the frame (rounded up): that a pixel is ink, and that it lies in a line of text."""

    ink: Real
    line: Real


@lru_cache(maxsize=1)
def _session() -> Any:
    try:
        return open_session((resources.files(__package__) / "ink.onnx").read_bytes())
    except Exception:
        raise ReleaseError("ink network", "cannot be loaded", _REMEDY) from None


def give_network_back() -> None:
    """Give back the memory that looking at frames took."""
    give_back(_session(), (1, 24, 8, 8))


def check_network() -> None:
    """Load the network and show it a control image, small text in noise; ReleaseError when it is absent or does not see the text.

    Call it once per worker process, before any study is touched.
    """
    import cv2

    ink = cv2.putText(np.zeros((96, 256), np.uint8), "SALLYPORT 4711", (20, 52), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 1, 1)
    values = np.random.default_rng(4711).normal(100, 6, ink.shape).astype(np.uint8)
    values[ink > 0] = 140
    try:
        line = ink_maps(values, values.astype(np.float32), None).line
    except ReleaseError:
        raise
    except Exception:
        raise ReleaseError("ink network", "fails on the control image", _REMEDY) from None
    seen = np.kron(line > _SEEN, np.ones((2, 2), bool))
    if seen[ink > 0].mean() < 0.9 or seen[70:].any():
        raise ReleaseError("ink network", "does not find the text of the control image", _REMEDY)


def ink_maps(values: Values, grey: Real, drawn: np.ndarray[Any, np.dtype[np.bool_]] | None) -> InkMaps:
    """Return the network's maps of one frame; ReleaseError when the network cannot be loaded.

    `values` are the stored values (one integer each), `grey` the same as grey levels, `drawn` exact ink where the frame can hold any.
    """
    rows, columns = grey.shape
    half = -(-rows // 2), -(-columns // 2)
    maps = np.zeros((2, *half), np.float32)
    for top, bottom, upper, lower in _spans(rows):
        for left, right, first, last in _spans(columns):
            cut = slice(top, bottom), slice(left, right)
            if int(values[cut].min()) == int(values[cut].max()) and float(np.ptp(grey[cut])) == 0.0:
                continue
            answer = _ask(
                signs_of(np.ascontiguousarray(values[cut]), np.ascontiguousarray(grey[cut]), None if drawn is None else drawn[cut])
            )
            inner = answer[:, (upper - top) // 2 : (lower - top + 1) // 2, (first - left) // 2 : (last - left + 1) // 2]
            maps[:, upper // 2 : (lower + 1) // 2, first // 2 : (last + 1) // 2] = inner
    return InkMaps(maps[0], maps[1])


def _ask(signs: Real) -> Real:
    """Return the greater of the network's answers to a picture as it is and turned by a quarter: no line depends on how it runs."""
    rows, columns = signs.shape[1:]
    padded = np.pad(signs, ((0, 0), (0, -rows % _STRIDE), (0, -columns % _STRIDE)), mode="edge")
    turned = np.rot90(_answer(np.rot90(padded, axes=(1, 2))), -1, axes=(1, 2))
    return np.maximum(_answer(padded), turned)[:, : -(-rows // 2), : -(-columns // 2)]


def _answer(signs: Real) -> Real:
    """Ask the network about planes whose sides are multiples of its stride, folded to half their resolution."""
    planes, down, across = len(signs), signs.shape[1] // 2, signs.shape[2] // 2
    folded = signs.reshape(planes, down, 2, across, 2).transpose(0, 2, 4, 1, 3).reshape(1, planes * 4, down, across)
    answer: Real = _session().run(None, {"signs": np.ascontiguousarray(folded)})[0][0]
    return answer


def _spans(length: int) -> list[tuple[int, int, int, int]]:
    """Return (start, stop, first, last) of overlapping tiles over one side; first to last is the part that each answers for."""
    if length <= _TILE + _OVERLAP:
        return [(0, length, 0, length)]
    count = -(-(length - 2 * _OVERLAP) // (_TILE - 2 * _OVERLAP))
    size = -(-(length + (count - 1) * 2 * _OVERLAP) // (2 * count)) * 2
    starts = [(length - size) * number // (count - 1) // 2 * 2 for number in range(count)]  # even: tiles are folded in pairs
    spans = []
    for number, start in enumerate(starts):
        stop = length if number == count - 1 else start + size
        first = 0 if number == 0 else start + _OVERLAP
        last = length if number == count - 1 else starts[number + 1] + _OVERLAP
        spans.append((start, stop, first, last))
    return spans
