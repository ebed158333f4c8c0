"""The kinds of defects that `sallyport prove` plants: gate, what is planted, the recall that must be proven.

A gate without a kind here is a gate that nobody has seen working; the tests ask for every gate of the policy.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.prove import comparisons, crowds, decisions, disguised, leaks, tables
from tasks.prove.leaks import Plant
from tasks.prove.tables import CandidateDefect


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
    ObjectDefect("T1", "own value, packed or escaped", disguised.packed_value, USUAL, ("T1.",)),
    ObjectDefect("T1", "own value, spelled apart or turned", disguised.spelled_apart, USUAL, ("T1.",)),
    ObjectDefect("T1", "own id or day as a number", disguised.value_as_number, USUAL, ("T1.", "T10.")),
    ObjectDefect("T1", "own name with one slip", leaks.near_miss, USUAL, ("T1.",)),
    ObjectDefect("T2", "text where a number or code belongs", leaks.number_domain, USUAL),
    ObjectDefect("T2", "attribute that no option retains", disguised.attribute_not_retained, USUAL, ("T2.direct",)),
    ObjectDefect("T3", "shape of PHI, of somebody unknown", leaks.shape_of_phi, USUAL),
    ObjectDefect("T5", "UID of the source", leaks.source_uid, EXACT),
    ObjectDefect("T5", "UID that anybody can derive", leaks.derivable_uid, EXACT),
    ObjectDefect("T5", "digest of an id", disguised.digest_of_id, USUAL, ("T5.",)),
    ObjectDefect("T5", "UID that holds an id or a day", disguised.telling_uid, USUAL, ("T5.",)),
    ObjectDefect("T6", "unclean container", leaks.unclean_container, USUAL),
    ObjectDefect("T10", "date that was not shifted", leaks.unshifted_date, EXACT),
    ObjectDefect("T10", "date moved by another offset", disguised.date_of_another_offset, EXACT, ("T10.",)),
)
"""In the order of the gates."""

SLOW = 60
"""Trials of a kind that takes a fifth of a second each; 59 without a miss prove 95 %."""
NOT_PROMISED = 0.0
"""No recall is promised: what is measured is told as it is."""

CANDIDATE_DEFECTS = (
    CandidateDefect("I1", "a byte that the archive does not have", comparisons.damaged_on_the_way),
    CandidateDefect("I2", "an object that did not come", comparisons.incomplete_series),
    CandidateDefect("I4", "copied pixels", comparisons.copied_pixels),
    CandidateDefect("I5", "a CT on another scale", comparisons.wrong_scale),
    CandidateDefect("I5", "a slice of another scan inserted", comparisons.inserted_slice, NOT_PROMISED),
    CandidateDefect("I5", "a region painted over", comparisons.edited_region, NOT_PROMISED),
    CandidateDefect("I7", "objects of another study", comparisons.uncalled_for),
    CandidateDefect("T1", "near miss in a candidate asks a person", tables.near_miss_asks),
    CandidateDefect("T4", "unknown word of one patient", tables.rare_word),
    CandidateDefect("T9", "our own report quotes a patient", decisions.report_with_a_name),
    CandidateDefect("K1", "crowd of k - 1", crowds.crowd_too_small),
    CandidateDefect("K2", "all crowds barely large enough", crowds.average_risk, most=SLOW),
    CandidateDefect("K3", "unique on few facts", crowds.unique_on_few_facts, most=SLOW),
    CandidateDefect("K4", "crowd that shares its secret", crowds.shared_secret, most=SLOW),
    CandidateDefect("K5", "many who are unique in the sample", crowds.population_unique, most=SLOW),
    CandidateDefect("K6", "visits at intervals of one's own", crowds.visit_pattern, most=SLOW),
    CandidateDefect("K7", "difference of one patient", crowds.one_patient_difference),
    CandidateDefect("K8", "scanner or body part of one patient", crowds.rare_value, most=SLOW),
    CandidateDefect("K9", "somebody who stands out", crowds.extreme, most=SLOW),
    CandidateDefect("K10", "a public count of a few people", crowds.small_cell),
    CandidateDefect("B1", "a group that lost its share", crowds.changed_shares, most=SLOW),
    CandidateDefect("B2", "a group that was removed more often", crowds.unfair_removal, most=SLOW),
    CandidateDefect("P1", "one body under two pseudonyms", comparisons.two_pseudonyms),
    CandidateDefect("C1", "a day outside the window", decisions.closed_window),
    CandidateDefect("C2", "patient who opted out", decisions.opted_out),
    CandidateDefect("C2", "approval that does not count", decisions.stale_approval),
    CandidateDefect("C3", "what was withdrawn before", decisions.withdrawn_before),
    CandidateDefect("X2", "a sister that was not defaced", comparisons.undefaced_sister),
)
"""Each shown with the defect and without, to the unchanged measure or check."""
