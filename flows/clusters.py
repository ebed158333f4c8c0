"""Workers that a run starts for itself on a cluster, through the Dask project's own packages. Encrypted, or not at all.

What runs on them is in `flows/workers.py`; a scheduler that is there already is `workers.scheduler` of the spec.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.errors import ReleaseError, UsageError
from tasks.spec import Slurm, Workers

_ROLES = ("scheduler", "worker", "client")


@contextmanager
def slurm_cluster(workers: Workers, slurm: Slurm, scratch: Path) -> Iterator[Any]:
    """Submit `workers.n` jobs of one process each while the block runs, and yield the cluster."""
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError:
        raise UsageError("spec: workers.cluster", "dask-jobqueue is not installed", "install sallyport[slurm]") from None
    security = mutual_tls()
    try:
        cluster = SLURMCluster(
            cores=1,
            processes=1,
            memory=workers.memory_limit,
            queue=slurm.queue,
            account=slurm.account,
            walltime=slurm.walltime,
            interface=slurm.interface,
            local_directory=str(scratch),  # PRIVACY: what Dask spills is identified
            protocol="tls://",
            security=security,
            scheduler_options={"dashboard": False, "allowed_failures": 0},  # suspects are run again by us, alone
        )
    except (OSError, ValueError) as error:
        raise ReleaseError(
            "spec: workers.cluster", f"the scheduler does not start ({type(error).__name__})", "check workers.cluster.interface and ports"
        ) from None
    with cluster:
        cluster.scale(jobs=workers.n)
        yield cluster


def mutual_tls() -> Any:
    """Return the certificates that Dask's own variables name; UsageError when one of them is missing."""
    from distributed.security import Security

    security = Security(require_encryption=True)
    names = ["tls_ca_file", *(f"tls_{role}_{part}" for role in _ROLES for part in ("cert", "key"))]
    missing = [name for name in names if not getattr(security, name)]
    if missing:
        # PRIVACY: whoever reaches an open scheduler runs code beside PHI (tests/flows/test_slurm.py).
        raise UsageError(
            "spec: workers.cluster",
            f"needs certificates, and {len(missing)} of them are not named",
            "make them by infra/certificates.sh, and set DASK_DISTRIBUTED__COMM__TLS__… as in infra/compose/compose.yaml",
        )
    return security
