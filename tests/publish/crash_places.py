"""Where the runs of `crash_driver.py` happen: forked children, and a private and a public side for each, copied from one."""

from __future__ import annotations

import contextlib
import copy
import gc
import hashlib
import importlib
import os
import pickle
import re
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from tasks.publish.store import open_store

_CHANCE = re.compile(r"(?<=\.put-)[0-9a-f]+|(?<=probe/)[0-9a-f]+")
_OF_THE_RUN = ("vault/audit/", "vault/audit-heads/", "vault/suppression/", "vault/keys/")
"""Keys whose bytes hold the time or chance: two runs that did the same differ in them."""


def in_child(work: Callable[[], Any]) -> tuple[int, Any]:
    """Run in a forked child; return (signal that ended it or 0, what it returned)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            data = pickle.dumps(work())
        except BaseException as error:
            data = pickle.dumps(f"{type(error).__name__}: {error}")
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(data)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, pickle.loads(data) if data else None


def import_what_children_do(work: Callable[[], Any]) -> None:
    """Do the work once in a child and import here whatever it imported, so that no other child has to."""
    _, names = in_child(lambda: (work(), sorted(sys.modules))[1])
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


class Place:
    """Where one run has its private and its public side; runs are copied from each other."""

    buckets: ClassVar[dict[str, Any]] = {}

    def __init__(self, folder: Path, name: str, s3: str) -> None:
        self.folder = folder / name
        address, _, options = s3.partition("?")
        self.private_url = str(self.folder / "private")
        self.public_url = f"{address}/{name}?{options}" if s3 else str(self.folder / "public")

    @property
    def private(self) -> Any:
        return open_store(self.private_url)

    def share_connections(self) -> None:
        """Make the client once for all children; it connects when it is used, so that each child has connections of its own."""
        if self.public_url.startswith("s3:"):
            self.buckets[self._bucket] = open_store(self.public_url)

    @property
    def _bucket(self) -> str:
        return self.public_url.partition("?")[0].split("/")[2]

    @property
    def public(self) -> Any:
        if not self.public_url.startswith("s3:") or self._bucket not in self.buckets:
            return open_store(self.public_url)
        store = copy.copy(self.buckets[self._bucket])
        store.prefix = self.public_url.partition("?")[0].split("/", 3)[3] + "/"
        return store

    def contents(self) -> dict[str, bytes]:
        return {key: self.public.get(key) for key in self.public.keys("")}

    def digests(self) -> list[tuple[str, str]]:
        """Return (key, digest) of every version on the public side, in order; a bucket's own tags are MD5 sums."""
        public = self.public
        if not self.public_url.startswith("s3:"):
            return [(key, hashlib.sha256(public.get(key)).hexdigest()) for key in public.keys("")]
        pages = public.client.get_paginator("list_object_versions").paginate(Bucket=public.bucket, Prefix=public.prefix)
        every = [version for page in pages for kind in ("Versions", "DeleteMarkers") for version in page.get(kind, [])]
        return sorted((v["Key"].removeprefix(public.prefix), v.get("ETag", "delete marker")) for v in every)

    def copy_from(self, other: Place, contents: dict[str, bytes]) -> None:
        shutil.copytree(other.folder, self.folder)
        if self.public_url.startswith("s3:"):
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(self.public.put, contents.keys(), contents.values()))

    def state(self) -> str:
        """Digest everything that is there, on both sides, unfinished files and all versions included."""
        whole = hashlib.sha256()
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            data = path.read_bytes() if path.is_file() else b""
            known = not name.startswith(tuple(f"private/{p}" for p in _OF_THE_RUN))
            whole.update(f"{_CHANCE.sub('*', name)} {hashlib.sha256(data).hexdigest() if known else len(data)}\n".encode())
        for key, digest in self.digests() if self.public_url.startswith("s3:") else ():
            whole.update(f"{_CHANCE.sub('*', key)} {digest}\n".encode())
        return whole.hexdigest()

    def remove(self) -> None:
        """Remove the folders; what is in a bucket is small, and the server goes away with the test."""
        shutil.rmtree(self.folder)
