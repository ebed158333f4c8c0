"""Studies on Dask workers: each gets its receipt, a dead worker costs no study and no innocent.

Which studies, and what happens to them, does not belong here.
"""

from __future__ import annotations

import logging
import os
import ssl
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows.alone import process_alone
from flows.bundles import Bundle, bundles, process_bundle
from flows.clusters import slurm_cluster
from tasks.errors import ReleaseError
from tasks.model import Reason, Receipt, StudyRef
from tasks.process import failed_receipt
from tasks.spec import Workers
from tasks.study_job import Job, process_study, start_worker, work_id

_SUBMITTED_AT_ONCE = 256
_SELDOM = {  # what Dask does many times a second in each process, for a dashboard that nobody looks at or for small tasks
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.cycle": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.worker.memory.monitor-interval": "500ms",
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-saturation": 1.0,  # nothing to steal: what waits, waits at the scheduler, and dies with no worker
}
_HEARTBEAT_SECONDS = 5.0  # instead of half a second: that a worker has died is told by its connection
_PRELOADED = "flows.preloaded"
_SLOW_DISK = "Creating scratch directories is taking"
_QUIET = ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), f"ignore:{_SLOW_DISK}:UserWarning")))
_QUEUE_SECONDS = 3600  # how long a cluster's queue may let us wait for the first worker


@contextmanager
def connect(workers: Workers, scratch: Path) -> Iterator[Any]:
    """Yield a Dask client: of a local cluster of one-threaded processes, or of the scheduler that the spec names."""
    import dask
    from distributed import Client, LocalCluster

    # PRIVACY: Dask logs keys and reprs only; its spill directory is inside scratch (tests/leaks/test_canaries.py).
    logging.getLogger("distributed").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=_SLOW_DISK, category=UserWarning)
    if workers.scheduler:
        with _client_of(workers.scheduler) as client:
            yield client
        return
    if workers.cluster != "local":
        with slurm_cluster(workers, workers.cluster, scratch) as cluster, Client(cluster, timeout="60s") as client:
            client.wait_for_workers(1, timeout=_QUEUE_SECONDS)
            yield client
        return
    settings = {
        "distributed.scheduler.allowed-failures": 0,  # suspects are run again by us, alone
        "distributed.worker.daemon": True,
        # Workers are forked from a process that has imported everything: none imports again, and they share memory.
        "distributed.worker.multiprocessing-method": "forkserver",
        "distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": 1,
        # Scratch lies where the private side is, on a slow disk too: that is the spec's choice, and no news to whoever reads the log.
        "distributed.nanny.pre-spawn-environ.PYTHONWARNINGS": _QUIET,
        "distributed.comm.timeouts.connect": "60s",
        **_SELDOM,
    }
    with (
        dask.config.set(settings),
        _preloaded_forkserver(),
        _slow_heartbeats(),
        LocalCluster(
            n_workers=workers.n,
            threads_per_worker=1,
            processes=True,
            memory_limit=workers.memory_limit,
            local_directory=str(scratch),
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            host="127.0.0.1",
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def _preloaded_forkserver() -> Iterator[None]:
    """Have the process that workers are forked from import what they need, before it forks the first."""
    from distributed.utils import get_mp_context

    get_mp_context().set_forkserver_preload([_PRELOADED])  # Dask's own list is set by then, and replaced
    yield


@contextmanager
def _slow_heartbeats() -> Iterator[None]:
    """Have the workers of a scheduler of ours report seldom; no setting of Dask's reaches that."""
    from distributed import scheduler

    usual = scheduler.heartbeat_interval
    scheduler.heartbeat_interval = lambda _workers: _HEARTBEAT_SECONDS
    try:
        yield
    finally:
        scheduler.heartbeat_interval = usual


def _client_of(address: str) -> Any:
    """Return a client of an existing scheduler; ReleaseError when it does not answer, or does not know us."""
    from distributed import Client

    remedy = f"{_TLS_VARIABLES}: infra/certificates.sh makes them"
    try:
        return Client(address, timeout="30s")
    except (TypeError, ValueError):  # what Dask says of TLS without a certificate
        raise ReleaseError("workers.scheduler", "there is no certificate of ours to show it", f"set {remedy}") from None
    except OSError as error:
        if _is_about_certificates(error):
            raise ReleaseError("workers.scheduler", "it and we do not trust each other's certificate", f"check {remedy}") from None
        raise ReleaseError("workers.scheduler", f"no answer ({type(error).__name__})", "start it or correct the address") from None


_TLS_VARIABLES = "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …__CLIENT__CERT and …__CLIENT__KEY"


def _is_about_certificates(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def memory_limit_bytes(workers: Workers) -> int:
    """Return the memory that one worker may use."""
    from dask.utils import parse_bytes

    return int(parse_bytes(workers.memory_limit))


def check_engines(client: Any) -> None:
    """Start the engines on every worker before any study is touched; raises the first worker's ReleaseError."""
    client.run(start_worker)


def process_studies(
    client: Any, refs: Sequence[StudyRef], job: Job, on_receipt: Callable[[Receipt], None], memory_limit_bytes: int = 4 << 30
) -> list[Receipt]:
    """Process the studies and return exactly one receipt each, in the order of `refs`.

    A worker that dies takes its bundles along: their studies are run again one by one, then each suspect in a process of its own,
    and quarantined when it kills that too.
    """
    receipts: dict[str, Receipt] = {}

    def settle(receipt: Receipt) -> None:
        receipts[receipt.study_key] = receipt
        on_receipt(receipt)

    dead = _on_workers(client, bundles(refs), job, settle)
    dead_alone = _on_workers(client, ((ref,) for bundle in dead if len(bundle) > 1 for ref in bundle), job, settle)
    for (ref,) in (*(bundle for bundle in dead if len(bundle) == 1), *dead_alone):
        receipt = process_alone(process_study, ref, job, memory_limit_bytes)
        settle(receipt or failed_receipt(ref, work_id(ref, job.rules), Reason.SUSPECTED_WORKER_KILLER))
    return [receipts[ref.study_key] for ref in refs]


def _on_workers(client: Any, waiting: Iterator[Bundle], job: Job, settle: Callable[[Receipt], None]) -> list[Bundle]:
    """Settle each study whose worker lives, and return the bundles whose worker died."""
    from distributed import as_completed

    dead: list[Bundle] = []
    by_key: dict[str, Bundle] = {}

    def submit(bundle: Bundle) -> Any:
        key = f"study-{job.run_id}-{len(bundle)}-{bundle[0].study_key}"  # opaque
        by_key[key] = bundle
        return client.submit(process_bundle, process_study, bundle, job, key=key, pure=False)

    running = as_completed([submit(bundle) for _, bundle in zip(range(_SUBMITTED_AT_ONCE), waiting, strict=False)])
    for future in running:
        bundle = by_key.pop(future.key)
        settled = _receipts_of(future, bundle)
        future.release()
        if settled is None:
            dead.append(bundle)
        for receipt in settled or ():
            settle(receipt)
        following = next(waiting, None)
        if following is not None:
            running.add(submit(following))
    return dead


def _receipts_of(future: Any, bundle: Bundle) -> list[Receipt] | None:
    """Return the bundle's receipts; None when its worker died. Never the message of an exception."""
    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker

    try:
        receipts: list[Receipt] = future.result()
    except (KilledWorker, FutureCancelledError):
        return None
    except Exception as error:  # Dask's own trouble: what a study raises is a receipt by then
        return [failed_receipt(ref, "", Reason.INTERNAL_ERROR, type(error).__name__) for ref in bundle]
    return receipts
