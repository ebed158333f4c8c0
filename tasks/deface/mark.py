"""Tell a stack that this method has already been over: its noise is still in the pixels, to the pixel.

A second pass is then a no-op, whatever the registration makes of a head without a face. No header is believed.
"""

from __future__ import annotations

import numpy as np

from tasks.deface.geometry import Stack
from tasks.deface.volume import Values, decode_frame

SEED = 113102
WINDOW = 9  # pixels
CORRELATION = 0.8
FRAMES_LOOKED_AT = 12
LEAST_SHARE = 0.004  # of the pixels looked at; chance gives none at this correlation


def frame_noise(shape: tuple[int, int], place: int) -> tuple[Values, Values]:
    """Return the normal and the uniform noise of a whole frame at a place of its stack: the same for everyone.

    PRIVACY: nothing lies under it, so that it may be known; by it `is_marked` tells our own earlier output from a face.
    """
    random = np.random.default_rng((SEED, place))
    return random.standard_normal(shape, dtype=np.float32), random.random(shape, dtype=np.float32)


def is_marked(stack: Stack) -> bool:
    """True when frames of the stack carry the method's own noise over an area as large as a piece of face."""
    import cv2

    places = np.unique(np.linspace(0, len(stack.frames) - 1, FRAMES_LOOKED_AT).astype(int))
    marked, seen = 0, 0
    for place in places:
        frame = stack.frames[place]
        values = decode_frame(frame)
        noise, _ = frame_noise(frame.shape, int(place))

        def mean(image: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
            return np.asarray(cv2.blur(image, (WINDOW, WINDOW)), dtype=np.float32)

        centred = values - mean(values)
        together = mean(centred * noise) - mean(centred) * mean(noise)
        variance = np.maximum(mean(centred * centred) - mean(centred) ** 2, 0)
        expected = np.maximum(mean(noise * noise) - mean(noise) ** 2, 0)
        spread = np.sqrt(variance * expected)
        marked += int((together > CORRELATION * np.maximum(spread, 1e-6)).sum())
        seen += values.size
    return marked > LEAST_SHARE * seen
