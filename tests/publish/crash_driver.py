"""Kill a publisher, a withdrawal or a retirement at every single write, race two publishers: run as a program, prints JSON.

A program of its own because it forks: the parent imports what the children need, and never starts a thread (no query, no Arrow pool).
What a killed process leaves is checked once for each state of the disk or bucket: the same bytes are the same view for a reader, and the
same start for the second run.
`python -m tests.publish.crash_driver publish|withdraw|retire WORKDIR [--every N] [--s3 URL]`, or `race WORKDIR --rounds N [--s3 URL]`
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.publish.candidate import read_candidate
from tasks.publish.release import publish_candidate
from tasks.publish.retire import retire
from tasks.publish.signing import signer_from_secret
from tasks.publish.verify import verify
from tasks.publish.withdraw import withdraw
from tasks.publish.withdrawal_scope import Asked
from tasks.secret import Secret
from tests.publish.corpus import DAY, Shape, approve, frozen
from tests.publish.crash_places import Place, import_what_children_do, in_child
from tests.publish.killing import Killer, watch_folders, watch_s3

SIGNER = signer_from_secret(Secret(bytes(range(32))))
SMALL = Shape(patients=1, series=1, instances=2)
NEXT = Shape(patients=2, series=1, instances=2, revision=1)
OTHER = Shape(patients=3, series=1, instances=2)
LATER = DAY.replace(day=25)
WITHDRAWN = "P0001"


def publish(place: Place, candidate_id: str) -> tuple[str, bool]:
    private = place.private
    candidate = read_candidate(private, candidate_id)
    release = publish_candidate(private, place.public, candidate, *approve(candidate), SIGNER, DAY, threads=1)
    return release.release_id, release.changed


def check(place: Place) -> tuple[str, list[str], list[int]]:
    """What a consumer sees: the release, everything that is wrong, and how many versions the immutable keys have."""
    report = verify(place.public, full=True, today=DAY, threads=1)
    counts: dict[str, int] = {}
    for version in place.public.versions():
        counts[version.key] = counts.get(version.key, 0) + 1
    counts.pop("latest.json", None)
    return report.release_id, [p.cause for p in report.problems], sorted(set(counts.values()))


def begin(base: Place, mode: str) -> dict[str, Any]:
    """Publish what every run starts from; return what the run does and the releases that a reader may see meanwhile."""
    first, second = frozen(base.private, SMALL), frozen(base.private, NEXT)
    publish(base, first.candidate_id)
    if mode != "publish":
        publish(base, second.candidate_id)
    seen = {"publish": ["2026.11.0", "2026.11.1"], "withdraw": ["2026.11.1", "2026.11.2"], "retire": ["2026.11.0", "2026.11.1"]}
    return {"candidate": second.candidate_id, "seen": seen[mode]}


def act(mode: str, place: Place, about: dict[str, Any]) -> None:
    if mode == "publish":
        publish(place, about["candidate"])
    elif mode == "withdraw":
        withdraw(place.private, place.public, SIGNER, LATER, Asked(patient_ids=("MRN-00001",)))
    else:
        retire(place.private, place.public, SIGNER, DAY, ["2026.11.1"], "wrong_pixels")


def left_behind(mode: str, place: Place) -> list[str]:
    """Say what of a withdrawn patient can still be read on either side, in any version."""
    if mode != "withdraw":
        return []
    private = place.private
    held = [k for k in private.keys("quarantine/") if WITHDRAWN.encode() in private.get(k)]
    return held + [v.key for v in place.public.versions("series/") if "2.25.1." in v.key and place.public.readable(v)]


def run_crashes(mode: str, folder: Path, s3: str, every: int) -> dict[str, Any]:
    base, reference, first = Place(folder, "base", s3), Place(folder, "reference", s3), Place(folder, "first", s3)

    def rehearse() -> None:
        about = begin(first, mode)
        act(mode, first, about)
        check(first)
        first.remove()

    import_what_children_do(rehearse)
    base.share_connections()
    _, (about, original) = in_child(lambda: (begin(base, mode), base.contents() if s3 else {}))

    def killed(place: Place, killer: Killer) -> int:
        place.copy_from(base, original)
        (watch_s3 if s3 else watch_folders)(killer, *([] if s3 else [place.folder]))
        act(mode, place, about)
        return killer.count

    def whole() -> tuple[int, list[int], list[tuple[str, str]], Any]:
        killer = Killer()
        killed(reference, killer)
        return killer.count, killer.halves, reference.digests(), check(reference)

    def again(place: Place) -> tuple[str, tuple[Any, Any, Any, Any] | None]:
        state = place.state()
        if state in seen:
            return state, None
        before = check(place)
        act(mode, place, about)
        return state, (before, place.digests(), check(place), left_behind(mode, place))

    def moments(at: int) -> Iterator[str]:
        # In folders every write is counted: dying before one is dying after the one before it. Between two requests to a bucket,
        # something may have been written to the private side.
        if s3 or every > 1 or at == 1:
            yield "before"
        if at in halves:
            yield "half"
        yield "after"

    _, (writes, halves, expected, final) = in_child(whole)
    failures: list[Any] = [] if final == (about["seen"][mode != "retire"], [], [1]) else [("reference", final)]
    seen: set[str] = set()
    kills = unreached = 0
    for at in range(1, writes + 1, every):
        for when in moments(at):
            place = Place(folder, f"run-{at}-{when}", s3)
            ended, survived = in_child(lambda place=place, at=at, when=when: killed(place, Killer(at, when)))
            kills += ended == signal.SIGKILL
            if ended != signal.SIGKILL:
                if isinstance(survived, int) and survived < at:
                    unreached += 1  # threads that delete share the work of removing folders: some runs have a few calls less
                else:
                    failures.append((place.folder.name, "not killed", survived))
            _, found = in_child(lambda place=place: again(place))
            place.remove()
            if isinstance(found, str):
                failures.append((place.folder.name, found))
                continue
            state, outcome = found
            seen.add(state)
            if outcome is None:
                continue
            before, held, after, left = outcome
            if before[0] not in about["seen"] or before[1:] != ([], [1]):
                failures.append((place.folder.name, "killed", before))
            if held != expected or after != final or left:
                difference = sorted({k for k, _ in set(held) ^ set(expected)})[:4]
                failures.append((place.folder.name, "run again", after, left, difference))
    counts = {"writes": writes, "torn": len(halves), "kills": kills, "unreached": unreached, "states": len(seen)}
    return {"mode": mode, **counts, "failures": failures}


def run_races(folder: Path, rounds: int, s3: str) -> dict[str, Any]:
    base, first = Place(folder, "base", s3), Place(folder, "first", s3)

    def prepare(place: Place) -> list[str]:
        ids = [frozen(place.private, shape).candidate_id for shape in (SMALL, NEXT, OTHER)]
        publish(place, ids[0])
        return ids

    def rehearse() -> None:
        ids = prepare(first)
        publish(first, ids[1])
        check(first)
        first.remove()

    import_what_children_do(rehearse)
    base.share_connections()
    _, (ids, original) = in_child(lambda: (prepare(base), base.contents() if s3 else {}))
    failures: list[Any] = []
    for number in range(rounds):
        same = number % 2 == 0
        place = Place(folder, f"race-{number}", s3)
        in_child(lambda place=place: place.copy_from(base, original))
        start, go = os.pipe()
        children = []
        for candidate in (ids[1], ids[1] if same else ids[2]):
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(go)
                os.read(start, 1)
                try:
                    result: Any = publish(place, candidate)
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
        _, (seen, entries) = in_child(lambda place=place: (check(place), len(list(place.public.keys("log/")))))
        won = sorted(r[1] for r in results if isinstance(r, tuple))
        fine = entries == 2 and won == [False, True] if same else entries == 3 and won == [True, True] and results[0][0] != results[1][0]
        if not fine or seen[1] or seen[2] != [1]:
            failures.append((number, results, seen, entries))
        place.remove()
    return {"rounds": rounds, "failures": failures}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=("publish", "withdraw", "retire", "race"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--s3", default="")
    given = parser.parse_args()
    if given.mode == "race":
        outcome = run_races(given.folder, given.rounds, given.s3)
    else:
        outcome = run_crashes(given.mode, given.folder, given.s3, given.every)
    print(json.dumps(outcome, default=str), flush=True)
    os._exit(0)  # what was imported for the children alone is not taken down in order
