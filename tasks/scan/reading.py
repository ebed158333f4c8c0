"""Text that is still in the pixels (T7): OCR once more on the written object, in views that nobody blanked by.

Finding and blanking text is `tasks/pixels`; here its engine only reads, and what it reads is judged like any other text.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.model import Finding
from tasks.scan.fuzzy import near_misses
from tasks.scan.identity import SourceIdentity
from tasks.scan.patterns import shapes
from tasks.scan.texts import values_in_text

if TYPE_CHECKING:
    from tasks.pixels.layout import PixelLayout

Image = Any
_SURE, _SHORTEST = 0.6, 3


def text_in_pixels(path: Path, identity: SourceIdentity, sop_instance_uid: str, max_decoded_bytes: int = 2_000_000_000) -> list[Finding]:
    """Read first, middle and last frame as they are and inverted; any text is a finding, a known value the gravest.

    Pixels that cannot be decoded are a finding too: not examined is not clean. Raises ReleaseError when the engine is absent.
    """
    from pydicom import dcmread

    from tasks.pixels.decode import read_frames
    from tasks.pixels.engine import the_engine
    from tasks.pixels.find import find_text
    from tasks.pixels.layout import PixelsRefusedError, has_pixels, read_layout
    from tasks.pixels.views import read_palette, see

    engine = the_engine()
    found: set[Finding] = set()
    try:
        dataset = dcmread(path)
        if not has_pixels(dataset):
            return []
        layout = read_layout(dataset, str(dataset.file_meta.TransferSyntaxUID), max_decoded_bytes)
        palette = read_palette(dataset) if layout.photometric == "PALETTE COLOR" else None
        wanted = sorted({0, layout.frames // 2, layout.frames - 1})
        for number, frame in zip(wanted, read_frames(dataset, layout, wanted), strict=True):
            inverted, plain = _inverted(see(frame, layout, palette), layout)
            for box in (*find_text(frame, layout, engine, palette), *find_text(inverted, plain, engine, lossy=True)):
                if box.text_score >= _SURE and len(box.text.strip()) >= _SHORTEST:
                    found.update(_judged(box.text, f"pixels frame {number + 1}", identity, sop_instance_uid))
    except PixelsRefusedError:
        return [Finding(sop_instance_uid, "pixels", "unreadable", "T7.unread", 0.9)]
    return sorted(found, key=lambda f: (f.place, f.rule, f.kind))


def _inverted(view: Image, layout: PixelLayout) -> tuple[Image, PixelLayout]:
    """Return a view upside down in brightness, with shadows opened: what was not looked at when text was blanked."""
    import numpy as np

    other = (255 * (1 - view.astype(np.float32) / 255) ** 0.5).astype(np.uint8)
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
    return other, plain


def _judged(text: str, place: str, identity: SourceIdentity, sop_instance_uid: str) -> set[Finding]:
    found = {Finding(sop_instance_uid, place, "text", "T7.text", 0.6)}
    found |= {
        Finding(sop_instance_uid, place, kind, "T7.value", 1.0) for kind in values_in_text(text, identity) | near_misses(text, identity)
    }
    return found | {Finding(sop_instance_uid, place, shape.kind, "T7.shape", shape.score) for shape in shapes(text)}
