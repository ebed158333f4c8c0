"""One series through the text stage: examine every object, blank what was found, say what was done.

How text is found (`find`), what is looked at (`plan`) and how values change (`blank`) do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.errors import ReleaseError
from tasks.model import Finding, Instance, PixelOutcome, Reason
from tasks.pixels.kind import ImageKind, kind_of
from tasks.pixels.layout import PixelsRefusedError, has_pixels, read_layout
from tasks.pixels.own import holds_own_value
from tasks.policy.pixels import PixelPolicy

if TYPE_CHECKING:
    from tasks.pixels.boxes import TextBox
    from tasks.pixels.devices import Device
    from tasks.pixels.plan import Examination


_ROOMY = 64_000_000  # bytes of pixels of a series: what comes after looking needs room for a copy of more


def clean_text(instances: Sequence[Instance], policy: PixelPolicy, own_values: frozenset[str] = frozenset()) -> list[PixelOutcome]:
    """Examine every frame of one series and blank the text in it; one outcome per instance, in order.

    An object without pixels passes unexamined; one that cannot be examined carries a reason and its pixels as they were.
    `own_values` are the patient's own identifiers (identified, for matching only). ReleaseError when the engine is absent.
    """
    from tasks.pixels.engine import the_engine
    from tasks.pixels.network import give_network_back
    from tasks.pixels.plan import examine_series

    outcomes: list[PixelOutcome | None] = [_without_looking(instance, policy) for instance in instances]
    waiting = [index for index, outcome in enumerate(outcomes) if outcome is None]
    if waiting:
        engine = the_engine()
        examined = examine_series([instances[index] for index in waiting], policy, engine)
        if sum(len(instances[index].dataset.get("PixelData", None) or b"") for index in waiting) > _ROOMY:
            engine.give_back()
            give_network_back()
        for index, result in zip(waiting, examined, strict=True):
            outcomes[index] = _blanked(instances[index], result, own_values)
    return [outcome or PixelOutcome(i, Reason.PIXELS_NOT_EXAMINED, False) for i, outcome in zip(instances, outcomes, strict=True)]


def _without_looking(instance: Instance, policy: PixelPolicy) -> PixelOutcome | None:
    """Return the outcome of objects that need no look or get none, None for the others."""
    if not has_pixels(instance.dataset):
        return PixelOutcome(instance, None, examined=False)
    kind = kind_of(instance.dataset, instance.sop_class_uid, instance.modality)
    action = {ImageKind.PHOTOGRAPH: policy.photographs, ImageKind.SCREEN_CAPTURE: policy.screen_captures}.get(kind, "clean")
    if action != "clean":
        held = Reason.PHOTOGRAPH if kind is ImageKind.PHOTOGRAPH else Reason.SCREEN_CAPTURE
        return PixelOutcome(instance, Reason.UNSUPPORTED_SOP_CLASS if action == "refuse" else held, False)
    try:
        read_layout(instance.dataset, instance.transfer_syntax_uid, policy.max_decoded_bytes)
    except PixelsRefusedError as refused:
        return PixelOutcome(instance, refused.reason, False)
    return None if policy.clean else PixelOutcome(instance, Reason.PIXELS_NOT_EXAMINED, False)


def _blanked(instance: Instance, result: Examination | Reason, own_values: frozenset[str]) -> PixelOutcome:
    if isinstance(result, Reason):
        return PixelOutcome(instance, result, False)
    from tasks.pixels.beside import without_side_pictures
    from tasks.pixels.blank import reach_of
    from tasks.pixels.devices import device_of
    from tasks.pixels.rewrite import rewrite_pixels

    device = device_of(instance.dataset)
    places = [f"{place} [{','.join(map(str, reach_of(box, result.layout)))}]" for place, box in result.boxes]
    findings = tuple(_finding(instance, place, box, own_values, device) for place, (_, box) in zip(places, result.boxes, strict=True))
    instance = without_side_pictures(instance)
    if not result.boxes:
        return PixelOutcome(instance, None, True)
    try:
        changed = rewrite_pixels(instance, result.layout, result.masks)
    except PixelsRefusedError as refused:
        return PixelOutcome(instance, refused.reason, True, 0, findings)
    except (ReleaseError, MemoryError):
        raise
    except Exception:
        # PRIVACY: text was found and could not be blanked: never passed on (tests/unit/test_pixels_clean.py).
        return PixelOutcome(instance, Reason.TEXT_LEFT, True, 0, findings)
    return PixelOutcome(changed, None, True, len(findings), findings)


def _finding(instance: Instance, place: str, box: TextBox, own_values: frozenset[str], device: Device | None) -> Finding:
    x, y, width, height = box.bounds
    if holds_own_value(box.text, own_values):
        kind = "patient_value"
    elif device is not None and device.whole and not device.writes_at(x, y, width, height):
        kind = "text_outside_known_region"
    else:
        kind = "burned_in_text"
    score = 1.0 if kind == "patient_value" else round(min(box.score, 0.99), 2)
    return Finding(instance.sop_instance_uid, place, kind, box.rule, score)
