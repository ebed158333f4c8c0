"""Does the candidate agree with itself? Copied pixels, one person under two pseudonyms, implausible scans.

Completeness is judged over receipts (`expectations`); leftovers are `tasks/scan`, crowds `tasks/risk`.
"""
