"""Look again at a written object: through another window, inverted and enlarged, as it lies on disk.

Blanking does not belong here: an object in which text is still read goes to quarantine.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.errors import ReleaseError
from tasks.model import PixelOutcome, Reason
from tasks.policy.pixels import PixelPolicy

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_CHARACTERS, _PROBABILITY = 3, 0.75  # from here on a reading is text that was left, not anatomy


def look_again(path: Path, outcome: PixelOutcome, policy: PixelPolicy) -> Reason | None:
    """Return TEXT_LEFT when a written object that was blanked still shows text, a reason when it cannot be looked at, else None."""
    from pydicom import dcmread

    from tasks.pixels.layout import PixelsRefusedError

    if outcome.reason is not None or not outcome.examined or outcome.blanked_regions == 0:
        return None
    try:
        return Reason.TEXT_LEFT if _shows_text(dcmread(path), policy) else None
    except PixelsRefusedError as refused:
        return refused.reason
    except (ReleaseError, MemoryError):
        raise
    except Exception:
        # PRIVACY: what cannot be read back is not proven clean (tests/unit/test_pixels_clean.py).
        return Reason.PIXELS_NOT_EXAMINED


def _shows_text(dataset: Dataset, policy: PixelPolicy) -> bool:
    from tasks.pixels.decode import read_frames
    from tasks.pixels.engine import the_engine
    from tasks.pixels.find import find_text
    from tasks.pixels.layout import read_layout
    from tasks.pixels.views import read_palette, see

    layout = read_layout(dataset, str(dataset.file_meta.TransferSyntaxUID), policy.max_decoded_bytes)
    palette = read_palette(dataset) if layout.photometric == "PALETTE COLOR" else None
    for frame in read_frames(dataset, layout, sorted({0, layout.frames // 2, layout.frames - 1})):
        seen = see(frame, layout, palette)
        other = (255 * np.sqrt((255 - seen.astype(np.float32)) / 255)).astype(np.uint8)  # inverted, shadows opened
        colour = other.ndim == 3
        plain = replace(
            layout,
            samples=3 if colour else 1,
            photometric="RGB" if colour else "MONOCHROME2",
            bits_allocated=8,
            bits_stored=8,
            high_bit=7,
            signed=False,
        )
        for box in find_text(other, plain, the_engine(), lossy=True):
            if len(box.text.replace(" ", "")) >= _CHARACTERS and box.text_score >= _PROBABILITY:
                return True
    return False
