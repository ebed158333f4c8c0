"""Everything that a run needs, checked one thing at a time: what is wrong, and what to do about it.

A check changes nothing but a probe object on the private side, which it takes away again. The command is flows/commands/doctor.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlparse

from flows.checkup_engines import engines, face_judge
from flows.checkup_results import Doubt, Finding, Trouble
from flows.local_server import LEASES_ON_DISK
from tasks.archive_spec import DicomwebArchive, DimseArchive, FolderArchive
from tasks.errors import ReleaseError
from tasks.publish.store import Store, open_store
from tasks.spec import Spec

GIB = 1 << 30
_FREE_GIB = 20
_PROBE = "vault/probe-"
_CLOCK_SECONDS = 60
_CERTIFICATE_DAYS = 30


Check = Callable[[Spec], str]


def examine(spec: Spec) -> Iterator[Finding]:
    """Run every check, whatever the others found. Messages hold no value of a patient: unknown errors show their class only."""
    for name, check in CHECKS.items():
        try:
            yield Finding(name, "ok", check(spec))
        except Trouble as found:
            yield Finding(name, "failure", *map(str, found.args))
        except Doubt as found:
            yield Finding(name, "warning", *map(str, found.args))
        except ReleaseError as error:
            yield Finding(name, "failure", f"{error.where}: {error.problem}", error.remedy)
        except Exception as error:
            yield Finding(name, "failure", f"the check was stopped by {type(error).__name__}", "report it")


def _versions(spec: Spec) -> str:
    names = ("sallyport", "prefect", "dask", "pydicom", "pynetdicom", "pyarrow", "great-expectations")
    found = []
    for name in names:
        with suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name} {importlib.metadata.version(name)}")
    return f"Python {sys.version.split()[0]}, " + ", ".join(found)


def _secret(spec: Spec) -> str:
    from flows.session import open_secret

    return f"key id {open_secret(spec.secret).key_id}"


def _lists(spec: Spec) -> str:
    from tasks.archive.cohort import read_cohort

    wanted = read_cohort(spec.cohort)
    lists = {"accessions": wanted.accessions, "patients": wanted.patient_ids, "opted out": wanted.registry.opted_out or None}
    said = [f"{len(entries)} {name}" for name, entries in lists.items() if entries is not None]
    return ", ".join(said) or "the cohort names no lists"


def _archive(spec: Spec) -> str:
    from flows.session import open_secret
    from tasks.archive import open_archive
    from tasks.archive.remote import RemoteArchive
    from tasks.spec import Cohort

    with tempfile.TemporaryDirectory() as folder:
        archive = open_archive(spec.archive, open_secret(spec.secret), Path(folder))
        if isinstance(archive, RemoteArchive):
            today = datetime.now(UTC).date()
            return f"answers: {archive.count_studies(Cohort(since=today, until=today))} studies of today"
    if isinstance(spec.archive, FolderArchive):
        path = Path(spec.archive.path)
        try:
            entries = len(os.listdir(path)) if path.is_dir() else 1  # noqa: PTH208
        except OSError as error:
            raise Trouble(f"the folder cannot be read ({type(error).__name__})", "mount it, and check its permissions") from None
        if not path.exists():
            raise Trouble("the folder is not there", "mount it, or correct archive.path")
        if os.access(path, os.W_OK):
            raise Doubt(f"{entries} entries; this account could also write there", "mount it read-only, or take the right away")
        return f"{entries} entries, and read-only to us"
    from tasks.archive.s3 import look_into

    return look_into(spec.archive)  # type: ignore[arg-type]  # the only kind that is left


def _stores(spec: Spec) -> str:
    places = [p.rstrip("/") + "/" for p in (spec.private, spec.public)]
    if isinstance(spec.archive, FolderArchive):
        places.append(Path(spec.archive.path).as_uri().rstrip("/") + "/")
    if any(one is not other and one.startswith(other) for one in places for other in places):
        raise Trouble("archive, private and public side lie inside each other", "use separate folders or buckets")
    private, public = open_store(spec.private), open_store(spec.public)
    folder = private.local_path("x")
    if folder is not None:
        with suppress(OSError):  # the probe says what is wrong
            folder.parent.mkdir(parents=True, mode=0o700)
    try:
        private.probe(_PROBE)
    except ReleaseError as error:
        raise Trouble(f"private side: {error.problem}", error.remedy) from None
    next(iter(public.keys("latest")), None)
    for store, name in ((private, "private"), (public, "public")):
        _check_folder(store, name)
    return "private side can be written, and does put-if-absent; public side can be listed"


def _check_folder(store: Store, name: str) -> None:
    folder = store.local_path("x")
    if folder is None:
        return
    existing = next(p for p in folder.parents if p.exists())
    if not os.access(existing, os.W_OK):
        raise Trouble(f"the {name} side cannot be written", "give the folder to the account that runs Sallyport")
    if name == "private" and existing == folder.parent and existing.stat().st_mode & 0o077:
        raise Doubt("the private side is open to other accounts", f"run: chmod 700 {existing}")


def _machine(spec: Spec) -> str:
    private = open_store(spec.private).local_path("scratch")
    scratch = next(p for p in (private or Path(tempfile.gettempdir())).parents if p.exists())
    free = shutil.disk_usage(scratch).free / GIB
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    if free < _FREE_GIB:
        raise Doubt(f"{free:.0f} GiB free for scratch", f"a run wants {_FREE_GIB} GiB or more, and room for quarantine")
    if spec.workers.scheduler is None:
        from dask.utils import parse_bytes

        wanted = spec.workers.n * parse_bytes(spec.workers.memory_limit) / GIB
        if wanted > memory:
            raise Doubt(f"{spec.workers.n} workers may use {wanted:.0f} GiB of {memory:.0f} GiB", "lower workers.n or workers.memory_limit")
    return f"{free:.0f} GiB free for scratch, {memory:.0f} GiB memory, {os.cpu_count()} cores"


def _clock(spec: Spec) -> str:
    """Compare our clock with that of a server we talk to anyway; signatures and schedules depend on it."""
    from email.utils import parsedate_to_datetime

    import httpx

    url = os.environ.get("PREFECT_API_URL") or (spec.archive.url if isinstance(spec.archive, DicomwebArchive) else "")
    now = datetime.now(UTC)
    if now.year < 2025:
        raise Trouble(f"the clock says {now:%Y-%m-%d}", "set it, and let it be kept by NTP")
    if not url:
        return f"{now:%Y-%m-%d %H:%M} UTC (no server to compare with)"
    try:
        said = httpx.get(url, timeout=10, trust_env=False).headers.get("Date", "")
    except httpx.HTTPError:
        return f"{now:%Y-%m-%d %H:%M} UTC (the server did not answer)"
    if said and abs((parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()) > _CLOCK_SECONDS:
        raise Doubt("our clock and the server's differ by more than a minute", "let both be kept by NTP")
    return f"{now:%Y-%m-%d %H:%M} UTC, as the server says"


def _tls(spec: Spec) -> str:
    from tasks.archive.credentials import tls_context

    archive = spec.archive
    tls = archive.tls if isinstance(archive, DicomwebArchive | DimseArchive) else None
    if isinstance(archive, DicomwebArchive) and archive.url.startswith("http://") and urlparse(archive.url).hostname not in _LOOPBACK:
        raise Doubt("the archive is asked without TLS", "use https://")
    if isinstance(archive, DimseArchive) and tls is None and archive.host not in _LOOPBACK:
        raise Doubt("the archive is asked without TLS", "write archive.tls, if the archive can")
    if tls is None:
        return "no certificates of our own"
    tls_context(tls)
    files = [f for f in (tls.ca, tls.certificate) if f]
    days = min((_days_left(Path(f)) for f in files), default=10_000)
    if days < 0:
        raise Trouble("a certificate has ended", "have it renewed")
    if days < _CERTIFICATE_DAYS:
        raise Doubt(f"a certificate ends in {days} days", "have it renewed")
    return f"certificates can be used, the first ends in {days} days"


_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _days_left(path: Path) -> int:
    from cryptography import x509

    certificates = x509.load_pem_x509_certificates(path.read_bytes())
    return min((c.not_valid_after_utc - datetime.now(UTC)).days for c in certificates)


def _workers(spec: Spec) -> str:
    address = spec.workers.scheduler
    if address is None:
        return f"{spec.workers.n} processes on this machine"
    parsed = urlparse(address)
    if parsed.scheme == "tcp" and parsed.hostname not in _LOOPBACK:
        raise Trouble(
            "the Dask scheduler is reached without TLS: whoever reaches it runs code beside PHI", "use tls:// (infra/certificates.sh)"
        )
    try:
        with socket.create_connection((parsed.hostname or "", parsed.port or 8786), timeout=10):
            pass
    except OSError as error:
        raise Trouble(f"the Dask scheduler cannot be reached ({type(error).__name__})", "start it, or correct workers.scheduler") from None
    from distributed import Client

    with Client(address, timeout="20s") as client:
        count = len(client.scheduler_info()["workers"])
        client.get_versions(check=True)
    if not count:
        raise Trouble("the Dask scheduler has no workers", "start them: dask worker")
    return f"{count} workers at the scheduler, of our versions"


def _prefect(spec: Spec) -> str:
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        return "no server named: each run uses one of its own"
    import httpx

    login = tuple(os.environ.get("PREFECT_API_AUTH_STRING", "").split(":", 1))
    try:
        answer = httpx.get(f"{url.rstrip('/')}/admin/version", auth=login if len(login) == 2 else None, timeout=10, trust_env=False)
    except httpx.HTTPError as error:
        raise Trouble(f"the Prefect server cannot be reached ({type(error).__name__})", "start it, or correct PREFECT_API_URL") from None
    if answer.status_code == 401:
        raise Trouble("the Prefect server refuses our login", "set PREFECT_API_AUTH_STRING to user:password")
    open_to_all = httpx.post(f"{url.rstrip('/')}/deployments/filter", json={}, timeout=10, trust_env=False).status_code == 200
    if open_to_all:
        raise Doubt("the Prefect server asks for no login", "set PREFECT_SERVER_API_AUTH_STRING where it runs")
    settings = httpx.get(f"{url.rstrip('/')}/admin/settings", auth=login if len(login) == 2 else None, timeout=10, trust_env=False).json()
    if "memory" in str(settings.get("server", {}).get("concurrency", {}).get("lease_storage", "")):
        raise Doubt(
            "the Prefect server forgets at a restart who holds a dataset, and later runs would wait for ever",
            f"set PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE={LEASES_ON_DISK} where it runs, and keep its PREFECT_HOME",
        )
    return f"server version {answer.text.strip()[:20]}, with a login"


def _schedule(spec: Spec) -> str:
    if spec.schedule is None:
        return "on demand only"
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule(cron=spec.schedule.cron, timezone=spec.schedule.timezone)
    except ValueError:
        raise Trouble("schedule.cron cannot be understood", "write five fields: 0 2 * * *") from None
    return f"{spec.schedule.cron} in {spec.schedule.timezone}"


CHECKS: dict[str, Check] = {
    "versions": _versions,
    "clock": _clock,
    "secret": _secret,
    "lists and registries": _lists,
    "archive": _archive,
    "TLS": _tls,
    "stores": _stores,
    "machine": _machine,
    "engines": engines,
    "face judge": face_judge,
    "workers": _workers,
    "Prefect server": _prefect,
    "schedule": _schedule,
}
"""In the order in which they are shown."""
