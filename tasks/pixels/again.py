"""Look again at a written object: other views than those that led to its blanking, upscaled and inverted.

Blanking does not belong here: an object in which text is still seen goes to quarantine.
"""

from __future__ import annotations

from pathlib import Path

from tasks.errors import ReleaseError
from tasks.model import PixelOutcome, Reason
from tasks.policy.pixels import PixelPolicy


def look_again(path: Path, outcome: PixelOutcome, policy: PixelPolicy) -> Reason | None:
    """Return TEXT_LEFT when the written object still shows text, a reason when it cannot be looked at, else None."""
    from pydicom import dcmread

    from tasks.pixels.decode import read_frames
    from tasks.pixels.engine import the_engine
    from tasks.pixels.find import find_text
    from tasks.pixels.layout import PixelsRefusedError, has_pixels, read_layout
    from tasks.pixels.views import read_palette, see

    if outcome.reason is not None or not outcome.examined or outcome.blanked_regions == 0:
        return None
    try:
        dataset = dcmread(path)
        if not has_pixels(dataset):
            return Reason.PIXELS_UNREADABLE
        layout = read_layout(dataset, str(dataset.file_meta.TransferSyntaxUID), policy.max_decoded_bytes)
        palette = read_palette(dataset) if layout.photometric == "PALETTE COLOR" else None
        for frame in read_frames(dataset, layout, sorted({0, layout.frames // 2, layout.frames - 1})):
            view = see(frame, layout, palette)
            if any(box.text_score > 0.6 and len(box.text) > 2 for box in find_text(255 - view, the_engine())):
                return Reason.TEXT_LEFT
    except PixelsRefusedError as refused:
        return refused.reason
    except (ReleaseError, MemoryError):
        raise
    except Exception:
        return Reason.PIXELS_NOT_EXAMINED
    return None
