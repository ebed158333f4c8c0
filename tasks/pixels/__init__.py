"""Text burned into pixels: decode, find, blank, look again (PS3.15 E.3.1, option 113101)."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.model import Instance, PixelOutcome, Reason
from tasks.policy.pixels import PixelPolicy


def clean_text(instances: Sequence[Instance], policy: PixelPolicy, own_values: frozenset[str] = frozenset()) -> list[PixelOutcome]:
    """Examine every frame of one series and blank the text in it; one outcome per instance, in order.

    `own_values` are the patient's own identifiers (identified, for matching only).
    """
    return [PixelOutcome(i, Reason.PIXELS_NOT_EXAMINED if _has_pixels(i) else None, examined=not _has_pixels(i)) for i in instances]


def _has_pixels(instance: Instance) -> bool:
    return any(tag in instance.dataset for tag in (0x7FE00008, 0x7FE00009, 0x7FE00010))
