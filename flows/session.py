"""What one run of the release flow holds open: secret, stores, lock, scratch, run id. No stage belongs here."""

from __future__ import annotations

import csv
import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tasks.errors import ReleaseError, UsageError
from tasks.process import Rules
from tasks.publish.store import Store, open_store
from tasks.secret import Secret, read_secret, secret_from_text
from tasks.spec import SecretSource, Spec
from tasks.study_job import Job


@dataclass(frozen=True, slots=True)
class Session:
    """One run: everything that its stages share."""

    run_id: str
    spec: Spec
    rules: Rules = field(repr=False)
    private: Store
    public: Store
    index_folder: Path
    scratch: Path

    @property
    def job(self) -> Job:
        return Job(
            self.run_id,
            self.rules,
            self.spec.archive,
            self.spec.private,
            str(self.index_folder),
            str(self.scratch),
            self.spec.workers.study_timeout_seconds,
        )


def open_secret(source: SecretSource) -> Secret:
    """Return the dataset's secret from the file, variable or Prefect block that the spec names."""
    if source.file:
        return read_secret(Path(source.file))
    if source.env:
        text = os.environ.get(source.env)
        if not text:
            raise UsageError("spec: secret.env", "that variable is not set", "export it, or name a file")
        return secret_from_text(text)
    from prefect.blocks.system import Secret as SecretBlock

    try:
        value = SecretBlock.load(str(source.block)).get()  # type: ignore[union-attr]  # sync here
    except ValueError:
        raise UsageError("spec: secret.block", "no such Secret block", "make it in the Prefect UI under Blocks") from None
    return secret_from_text(str(value))


def read_aliases(path: str | None) -> Mapping[tuple[str, str], tuple[str, str]]:
    """Read merged patient ids: rows of issuer,patient_id,issuer,patient_id (the second pair is the one that stays)."""
    if not path:
        return {}
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("spec: aliases", f"cannot be read ({type(error).__name__})", "check the path") from None
    aliases = {}
    for number, row in enumerate(rows, 1):
        if len(row) != 4:
            raise UsageError("spec: aliases", f"line {number} has {len(row)} columns", "write issuer,patient_id,issuer,patient_id")
        if number == 1 and row[1].strip().lower() == "patient_id":
            continue
        aliases[(row[0].strip(), row[1].strip())] = (row[2].strip(), row[3].strip())
    return aliases


@contextmanager
def between_runs(spec: Spec, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the dataset's lock on this machine; calls `waiting` once and waits when a run is under way."""
    root = _local_root(spec, open_store(spec.private))
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _local_root(spec: Spec, private: Store) -> Path:
    """Return the folder on this machine that belongs to the dataset: the private side itself, or one beside a bucket."""
    vault = private.local_path("vault") or Path(tempfile.gettempdir(), f"sallyport-{os.getuid()}", spec.dataset, "vault")
    try:
        vault.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _unwritable(error) from None
    return vault.parent


def _unwritable(error: OSError) -> ReleaseError:
    return ReleaseError("spec: private", f"cannot be written ({type(error).__name__})", "check the folder and its permissions")


@contextmanager
def open_session(spec: Spec) -> Iterator[Session]:
    """Open one run of a dataset; a second run of the same dataset on this machine is refused while this one lives."""
    secret = open_secret(spec.secret)
    rules = Rules(spec.dataset, spec.loaded_policy(), secret, read_aliases(spec.aliases))
    private, public = open_store(spec.private), open_store(spec.public)
    root = _local_root(spec, private)
    try:
        for name in ("vault", "quarantine", "scratch", "candidates"):
            (root / name).mkdir(exist_ok=True, mode=0o700)
    except OSError as error:
        raise _unwritable(error) from None
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ReleaseError("release", f"another run of {spec.dataset} is under way", "wait for it to end") from None
        scratch = root / "scratch"
        for leftover in scratch.iterdir():  # PRIVACY: identified bytes of a killed run
            shutil.rmtree(leftover, ignore_errors=True)
        index = root / "vault" / "index"
        index.mkdir(exist_ok=True, mode=0o700)
        try:
            yield Session(uuid.uuid4().hex[:12], spec, rules, private, public, index, scratch)
        finally:
            for leftover in scratch.iterdir():
                shutil.rmtree(leftover, ignore_errors=True)
