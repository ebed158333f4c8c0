"""Write blanked values back into an object in the transfer syntax that it came in, or in a truthful one.

Finding text and choosing values do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.model import Instance, Reason
from tasks.pixels.blank import Mask, blank_native, fill_value
from tasks.pixels.decode import read_frames
from tasks.pixels.layout import PixelLayout, PixelsRefusedError
from tasks.pixels.views import read_palette


def rewrite_pixels(instance: Instance, layout: PixelLayout, masks: Sequence[Mask | None]) -> Instance:
    """Return the instance with the masked values of each frame replaced; all else in its pixels stays equal."""
    from tasks.pixels.clean import with_pixels

    if not layout.native:
        raise PixelsRefusedError(Reason.TEXT_LEFT)
    palette = read_palette(instance.dataset) if layout.photometric == "PALETTE COLOR" else None
    values = []
    frames = read_frames(instance.dataset, layout)
    for frame, mask in zip(frames, masks, strict=True):
        values.append(fill_value(frame, mask if mask is not None else np.zeros(frame.shape[:2], bool), layout, palette))
    data = blank_native(instance.dataset[layout.keyword_tag].value, layout, masks, values)
    return with_pixels(instance, data)
