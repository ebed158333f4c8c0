"""The kinds of defects that `sallyport prove` plants: gate, what is planted, the recall that must be proven.

A gate without a kind here is a gate that nobody has seen working; the tests ask for every gate of the policy.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.prove import leaks
from tasks.prove.leaks import Plant


@dataclass(frozen=True, slots=True)
class ObjectDefect:
    """A defect of one object, shown to the scan. With `rules`, a finding of one of them counts; else the object must be held."""

    gate: str
    kind: str
    plant: Plant
    target: float
    rules: tuple[str, ...] = ()


EXACT, USUAL = 0.99, 0.95

OBJECT_DEFECTS = (
    ObjectDefect("T1", "the patient's own value", leaks.exact_identifier, EXACT),
    ObjectDefect("T1", "own value, encoded", leaks.encoded_identifier, EXACT),
    ObjectDefect("T1", "own value, digits or squashed", leaks.digits_and_squashed, EXACT),
    ObjectDefect("T1", "own name with one slip", leaks.near_miss, USUAL, ("T1.",)),
    ObjectDefect("T2", "text where a number or code belongs", leaks.number_domain, USUAL),
    ObjectDefect("T3", "shape of PHI, of somebody unknown", leaks.shape_of_phi, USUAL),
    ObjectDefect("T5", "UID of the source", leaks.source_uid, EXACT),
    ObjectDefect("T5", "UID that anybody can derive", leaks.derivable_uid, EXACT),
    ObjectDefect("T6", "unclean container", leaks.unclean_container, USUAL),
    ObjectDefect("T10", "date that was not shifted", leaks.unshifted_date, EXACT),
)
"""In the order of the gates."""
