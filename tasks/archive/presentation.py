"""Which presentation contexts to propose when objects are to be sent to us: SOP classes and transfer syntaxes (PS3.8 9.3.2.2)."""

from __future__ import annotations

MAX_CONTEXTS = 126  # 128 less the query's own (PS3.8 9.3.2.2: odd numbers up to 255)
CLASSES_AT_ONCE = 60  # so that each has room for a compressed syntax too
UNCOMPRESSED = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"]
_COMPRESSED = [
    *(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70, 80, 81, 90, 91, 92, 93)),
    "1.2.840.10008.1.2.5",
    *(f"1.2.840.10008.1.2.4.{n}" for n in (100, 101, 102, 103, 104, 105, 106, 201, 202, 203)),
]


def storage_contexts(classes: list[str]) -> list[tuple[str, list[str]]]:
    """Return presentation contexts for the classes: uncompressed together, each compressed syntax alone while there is room.

    One syntax a context lets the archive send what it stores instead of transcoding it.
    """
    contexts = [(uid, list(UNCOMPRESSED)) for uid in classes]
    for syntax in _COMPRESSED:
        if len(contexts) + len(classes) > MAX_CONTEXTS:
            break
        contexts += [(uid, [syntax]) for uid in classes]
    return contexts


def storage_classes() -> list[str]:
    """Return every storage class, for an archive that does not say which ones a study holds."""
    from pynetdicom import AllStoragePresentationContexts

    return [str(context.abstract_syntax) for context in AllStoragePresentationContexts]
