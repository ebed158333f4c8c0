"""Delete objects in every version and prove that they are gone: by listing, and by reading each old version id.

Deciding what to delete does not belong here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from tasks.publish.causes import Cause, refuse
from tasks.publish.objects import bounded_map
from tasks.publish.store import Store, Version


@dataclass(frozen=True, slots=True)
class Proof:
    """What was deleted in one store, and that nothing of it can be read: `left` is 0."""

    store: str
    keys: int
    versions: int
    left: int = 0


def purge(store: Store, keys: Iterable[str], *, threads: int = 8) -> Proof:
    """Delete every version and delete marker of the keys and prove it; a ReleaseError when anything can still be read.

    # PRIVACY: a HEAD that says 404 proves nothing in a versioned bucket: tests/publish/test_withdraw.py.
    """
    wanted = sorted(set(keys))
    versions = [v for found in bounded_map(partial(_versions, store), wanted, threads) for v in found]
    present = {v.key for v in versions}
    for _ in bounded_map(store.delete, sorted(present), threads):
        pass
    left = sum(len(found) for found in bounded_map(partial(_versions, store), wanted, threads))
    left += sum(bounded_map(store.readable, versions, threads))
    if left:
        raise refuse(Cause.WITHDRAWAL_UNPROVEN, "withdraw", f"{left} versions")
    return Proof(store.url, len(present), len(versions))


def discard_unfinished(store: Store, of: Callable[[str], bool]) -> None:
    """Remove what killed writers left of the keys for which `of` holds, and see that it is gone; it is in no listing.

    # PRIVACY: such a file holds what was going to be published: tests/publish/test_unfinished.py.
    """
    if store.discard_unfinished(of) and (left := store.discard_unfinished(of)):
        raise refuse(Cause.WITHDRAWAL_UNPROVEN, "withdraw", f"{left} unfinished writes")


def _versions(store: Store, key: str) -> list[Version]:
    return [v for v in store.versions(key) if v.key == key]
