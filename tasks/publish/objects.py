"""Copy approved series objects from the private to the public side, each put once, its bytes checked on the way.

Which objects are approved does not belong here, nor do manifests.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tasks.publish.canonical import sha256_hex, sha256_stream
from tasks.publish.causes import Cause, refuse
from tasks.publish.store import AlreadyExistsError, Store

_WHOLE_IN_MEMORY = 64 << 20
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Transfer:
    """One object to publish: where it is, where it goes, and what it must be."""

    source_key: str
    public_key: str
    size_bytes: int
    sha256: str


def put_objects(
    private: Store, public: Store, transfers: Iterable[Transfer], *, already: frozenset[str] = frozenset(), threads: int = 8
) -> int:
    """Put every object if absent, checking its bytes against the frozen digest first; return how many were new.

    `already` names public keys that a committed release holds with the same digest. Order is random: the order of
    uploads would otherwise tell the order of examinations.
    """
    work = list(transfers)
    random.SystemRandom().shuffle(work)

    def one(transfer: Transfer) -> int:
        return _put(private, public, transfer, transfer.public_key in already)

    return sum(bounded_map(one, work, threads))


def _put(private: Store, public: Store, transfer: Transfer, already: bool) -> int:
    try:
        if transfer.size_bytes > _WHOLE_IN_MEMORY and (path := private.local_path(transfer.source_key)) is not None:
            with path.open("rb") as file:
                digest, _ = sha256_stream(file)
            data: bytes | Path = path
        else:
            content = private.get(transfer.source_key)
            digest, data = sha256_hex(content), content
    except (KeyError, FileNotFoundError):
        raise refuse(Cause.CANDIDATE_CHANGED, "quarantine", "an object is missing") from None
    if digest != transfer.sha256:
        raise refuse(Cause.CANDIDATE_CHANGED, "quarantine", "an object was changed")
    if already and public.size(transfer.public_key) == transfer.size_bytes:
        return 0
    try:
        public.put(transfer.public_key, data, if_absent=True)
    except AlreadyExistsError:
        with public.open(transfer.public_key) as file:
            if sha256_stream(file)[0] != transfer.sha256:
                raise refuse(Cause.OBJECT_CONFLICT, transfer.public_key) from None
        return 0
    return 1


def bounded_map(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Apply the function on a few threads, in any order, with a bounded number of items under way; the first error stops all."""
    with ThreadPoolExecutor(threads) as pool:
        running: set[Future[R]] = set()
        try:
            for item in items:
                running.add(pool.submit(function, item))
                if len(running) >= threads * 4:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            for future in running:
                future.cancel()
