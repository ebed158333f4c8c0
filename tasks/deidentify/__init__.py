"""De-identification of headers by PS3.15 Annex E: rules as data, default deny, keyed pseudonyms.

Pixels and faces do not belong here; neither does checking the result (tasks/scan shares no rule with this package).
"""
