"""Kill a publisher before and after every single write, race two of them: run as a program, prints JSON.

A program of its own because it forks: the parent never starts a thread (no DuckDB, no Arrow pool), the children do the work.
`python -m tests.publish.crash_driver crash|race WORKDIR [S3_URL]`
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tasks.publish.candidate import read_candidate
from tasks.publish.release import publish_candidate
from tasks.publish.signing import signer_from_secret
from tasks.publish.store import open_store
from tasks.publish.verify import verify
from tasks.secret import Secret
from tests.publish.corpus import DAY, Shape, approve, frozen

SIGNER = signer_from_secret(Secret(bytes(range(32))))
SMALL = Shape(patients=1, series=1, instances=2)
NEXT = Shape(patients=2, series=1, instances=2, revision=1)
PLENTY = 10**6


class Crashing:
    """A store that ends its process with SIGKILL before or after its n-th write; counts them."""

    def __init__(self, store: Any, at: int, when: str) -> None:
        self.store, self.at, self.when, self.count = store, at, when, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def _write(self, write: Callable[[], Any]) -> Any:
        self.count += 1
        if self.count == self.at and self.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = write()
        if self.count == self.at and self.when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    def put(self, *args: Any, **kwargs: Any) -> Any:
        return self._write(lambda: self.store.put(*args, **kwargs))

    def replace(self, *args: Any) -> Any:
        return self._write(lambda: self.store.replace(*args))


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


def publish(private: Any, public: Any, candidate_id: str, threads: int = 1) -> tuple[str, bool, int]:
    candidate = read_candidate(private, candidate_id)
    release = publish_candidate(private, public, candidate, *approve(candidate), SIGNER, DAY, threads=threads)
    return release.release_id, release.changed, getattr(public, "count", 0)


def contents(public: Any) -> dict[str, int]:
    import hashlib

    return {key: hashlib.sha256(public.get(key)).hexdigest() for key in public.keys("")}


def check(public: Any) -> tuple[str, list[str], list[int]]:
    """What a consumer sees: the release, everything that is wrong, and how many versions the immutable keys have."""
    report = verify(public, full=True, today=DAY, threads=1)
    counts: dict[str, int] = {}
    for version in public.versions():
        counts[version.key] = counts.get(version.key, 0) + 1
    counts.pop("latest.json", None)
    return report.release_id, [p.cause for p in report.problems], sorted(set(counts.values()))


def run_crashes(folder: Path, url: str, every: int) -> dict[str, Any]:
    private_url = str(folder / "private")

    def store(name: str) -> Any:
        place, _, options = url.partition("?")
        return open_store(f"{place}/{name}?{options}" if url else str(folder / name))

    def prepare() -> tuple[str, str]:
        private = open_store(private_url)
        first, second = frozen(private, SMALL), frozen(private, NEXT)
        publish(private, store("base"), first.candidate_id)
        return first.candidate_id, second.candidate_id

    def copy(name: str) -> None:
        base, target = store("base"), store(name)
        for key in base.keys(""):
            target.put(key, base.get(key))

    def reference() -> tuple[int, dict[str, int]]:
        copy("reference")
        public = Crashing(store("reference"), PLENTY, "never")
        _, _, writes = publish(open_store(private_url), public, second)
        return writes, contents(public.store)

    _, (_, second) = in_child(prepare)
    _, (writes, expected) = in_child(reference)

    def crash(private_url: str, name: str, at: int, when: str) -> Any:
        return publish(open_store(private_url), Crashing(store(name), at, when), second)

    failures: list[Any] = []
    kills = 0
    for at in range(1, writes + 1, every):
        for when in ("before", "after"):
            name = f"run-{at}-{when}"
            in_child(lambda name=name: copy(name))
            killed = partial(crash, private_url, name, at, when)
            ended, _ = in_child(killed)
            kills += ended == signal.SIGKILL
            _, seen = in_child(lambda name=name: check(store(name)))
            if seen[0] not in ("2026.11.0", "2026.11.1") or seen[1] or seen[2] != [1]:
                failures.append((name, "killed", seen))
            in_child(lambda name=name: publish(open_store(private_url), store(name), second))
            _, again = in_child(lambda name=name: contents(store(name)))
            if again != expected:
                failures.append((name, "run again", sorted(set(again.items()) ^ set(expected.items()))[:4]))
    _, seen = in_child(lambda: check(store("reference")))
    if seen != ("2026.11.1", [], [1]):
        failures.append(("reference", seen))
    return {"writes": writes, "kills": kills, "failures": failures}


def run_races(folder: Path, rounds: int) -> dict[str, Any]:
    private_url = str(folder / "private")

    def prepare() -> list[str]:
        private = open_store(private_url)
        shapes = (SMALL, NEXT, Shape(patients=3, series=1, instances=2))
        ids = [frozen(private, shape).candidate_id for shape in shapes]
        publish(private, open_store(str(folder / "base")), ids[0])
        return ids

    _, ids = in_child(prepare)
    failures: list[Any] = []
    for number in range(rounds):
        same = number % 2 == 0
        name = str(folder / f"race-{number}")
        import shutil

        shutil.copytree(folder / "base", name)
        start, go = os.pipe()
        children = []
        for candidate in (ids[1], ids[1] if same else ids[2]):
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(go)
                os.read(start, 1)
                try:
                    result: Any = publish(open_store(private_url), open_store(name), candidate)
                except BaseException as error:
                    result = f"{type(error).__name__}: {error}"
                os.write(writing, pickle.dumps(result))
                os._exit(0)
            os.close(writing)
            children.append((child, reading))
        os.close(start)
        os.close(go)
        results = []
        for child, reading in children:
            with os.fdopen(reading, "rb") as pipe:
                results.append(pickle.loads(pipe.read()))
            os.waitpid(child, 0)
        _, seen = in_child(lambda name=name: check(open_store(name)))
        _, entries = in_child(lambda name=name: len(list(open_store(name).keys("log/"))))
        won = sorted(r[1] for r in results if isinstance(r, tuple))
        fine = entries == 2 and won == [False, True] if same else entries == 3 and won == [True, True] and results[0][0] != results[1][0]
        if not fine or seen[1] or seen[2] != [1]:
            failures.append((number, results, seen, entries))
    return {"rounds": rounds, "failures": failures}


if __name__ == "__main__":
    mode, place, *more = sys.argv[1:]
    if mode == "crash":
        outcome = run_crashes(Path(place), more[0] if more else "", int(more[1]) if len(more) > 1 else 1)
    else:
        outcome = run_races(Path(place), int(more[0]))
    print(json.dumps(outcome, default=str))
