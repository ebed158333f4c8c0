"""Pictures beside the picture: icons, overlays, shutters and presentation palettes that could show what was blanked.

The object's own pixels do not belong here.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from tasks.model import Instance

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_PREVIEWS = frozenset({0x00880200})  # Icon Image Sequence
# Display Shutter and Bitmap Display Shutter: they hide pixels without changing them (PS3.3 C.7.6.11, C.7.6.15).
_SHUTTERS = frozenset(range(0x00181600, 0x00181625)) | {0x00181623}


def without_side_pictures(instance: Instance) -> Instance:
    """Return the instance without icons, overlay planes and display shutters; the given one stays as it is.

    PRIVACY: an icon is a small copy of the unblanked picture, an overlay plane can draw text again, a shutter pretends that stored pixels
    are not there (tests/unit/test_pixels_beside.py). All are derived or optional; none is needed to read the picture.
    """
    unwanted = [tag for tag in instance.dataset._dict if _is_side_picture(int(tag))]
    if not unwanted:
        return instance
    dataset: Dataset = copy.copy(instance.dataset)
    dataset._dict = {tag: element for tag, element in instance.dataset._dict.items() if tag not in set(unwanted)}
    return replace(instance, dataset=dataset)


def _is_side_picture(tag: int) -> bool:
    group = tag >> 16
    return tag in _PREVIEWS or tag in _SHUTTERS or (0x6000 <= group <= 0x60FF and group % 2 == 0)
