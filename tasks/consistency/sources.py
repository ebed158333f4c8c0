"""Is what was pulled what the archive holds (I1, I2)? A keyed digest of every pulled study, and a second pull of a few.

Only digests and counts are kept. Pulling is `tasks/archive`; the flow says when.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.errors import ReleaseError
from tasks.model import PulledFile, Receipt, Status, StudyRef
from tasks.publish.canonical import readable_json
from tasks.publish.store import Store
from tasks.scan.walk import read_walk
from tasks.secret import Secret

if TYPE_CHECKING:
    from tasks.archive import Archive

RECORD = "vault/second_pulls.json"


@dataclass(frozen=True, slots=True)
class SecondPull:
    """What a second pull of one study said. `fingerprint`: of the archive's copy that was compared."""

    study_key: str
    fingerprint: str
    same_bytes: bool
    series: int
    series_that_differ: int  # in the number of their objects

    @property
    def agrees(self) -> bool:
        return self.same_bytes and not self.series_that_differ


def source_digest(files: Iterable[PulledFile], secret: Secret) -> str:
    """Return the keyed digest of a study's objects without their file meta information (that is the transfer's, not the archive's)."""
    digests = []
    for file in files:
        with file.path.open("rb") as source:
            source.seek(_after_file_meta(source.read(160)))
            digests.append(hashlib.file_digest(source, "sha256").hexdigest())
    return secret.digest("source-digest", *sorted(digests)).hex()


def _after_file_meta(start: bytes) -> int:
    """Return where the data set begins, by the group length (0002,0000) of PS3.10; 0 when there is none."""
    if start[128:132] == b"DICM" and start[132:140] == b"\x02\x00\x00\x00UL\x04\x00":
        return 144 + int.from_bytes(start[140:144], "little")
    return 0


def series_counts(files: Iterable[PulledFile], secret: Secret) -> list[tuple[str, int]]:
    """Return (keyed digest of a source Series Instance UID, objects) of every series, sorted; what has none counts under one name."""
    counts: Counter[str] = Counter()
    for file in files:
        walk = read_walk(file.path)
        uid = next((walk.value(e) for e in walk.elements if e.tag == 0x0020000E and e.parent < 0), b"")
        counts[secret.digest("source-series", uid.strip(b" \0").decode("latin-1")).hex()[:32]] += 1
    return sorted(counts.items())


def chosen_for_second_pull(studies: Sequence[str], share: float, secret: Secret) -> list[str]:
    """Return the study keys to pull again: a seeded share of them, and at least one. Nobody without the secret can foretell which."""
    if not studies or share <= 0:
        return []
    ordered = sorted(studies, key=lambda key: secret.digest("second-pull", key))
    return ordered[: max(1, round(share * len(ordered)))]


def pull_again(
    archive: Archive, refs: Sequence[StudyRef], receipts: Sequence[Receipt], private: Store, share: float, secret: Secret, scratch: Path
) -> frozenset[str]:
    """Pull a seeded share of the released studies a second time, keep what was found, and return the study keys that differ.

    Nothing is pulled when a share of them was compared before and none is new. A study that cannot be pulled now is left out.
    """
    known = read_second_pulls(private)
    fingerprints = {r.study_key: r.fingerprint for r in receipts if r.status is Status.RELEASED}
    agreed = {key: pull for key, pull in known.items() if fingerprints.get(key) == pull.fingerprint and pull.agrees}
    wanted = chosen_for_second_pull(sorted(fingerprints), share, secret)
    by_key = {ref.study_key: ref for ref in refs}
    missing = [by_key[key] for key in wanted if key in by_key and key not in agreed]
    pulls = {}
    for ref in missing:
        folder = scratch / "second-pull"
        folder.mkdir()
        try:
            pulls[ref.study_key] = _compare(archive.pull_study(ref, folder), ref, private, secret)
        except ReleaseError:
            continue  # the archive does not answer: that is no disagreement, and the next run asks again
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    keep_second_pulls(private, {**known, **pulls})
    return frozenset(key for key, pull in pulls.items() if not pull.agrees)


def _compare(files: Sequence[PulledFile], ref: StudyRef, private: Store, secret: Secret) -> SecondPull:
    from tasks.consistency.evidence import read_evidence

    first = read_evidence(private, [ref.study_key], ("source_series",)).to_pylist()
    series = [(row["series"], row["objects"]) for row in (first[0]["source_series"] if first else ())]
    again = series_counts(files, secret)
    differ = len(set(series) ^ set(again)) and len({name for name, _ in set(series) ^ set(again)})
    same = bool(first) and first[0]["source_digest"] == source_digest(files, secret)
    return SecondPull(ref.study_key, ref.fingerprint, same, len(again), differ)


def read_second_pulls(private: Store) -> dict[str, SecondPull]:
    """Return every second pull on record by study key."""
    try:
        return {row["study_key"]: SecondPull(**row) for row in json.loads(private.get(RECORD))}
    except KeyError:
        return {}


def keep_second_pulls(private: Store, pulls: Mapping[str, SecondPull]) -> None:
    """Write the record of second pulls."""
    private.put(RECORD, readable_json([asdict(pulls[key]) for key in sorted(pulls)]))
