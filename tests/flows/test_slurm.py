"""Workers as jobs of SLURM: the real job scripts, run by a stand-in for `sbatch`; without certificates none is submitted.

A real SLURM was not there to try it with.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.spec import Workers
from tests.archive.servers import SCRIPTS
from tests.archive.small_studies import INSTANCES, small_files
from tests.flows.sallyport import sallyport
from tests.flows.test_dask_tls import settings

SBATCH = """#!/bin/sh
for script; do :; done
cp "$script" "$JOBS/$$.sh"
sh "$script" >"$JOBS/$$.log" 2>&1 &
echo "$!" >"$JOBS/$$.pid"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
for job; do kill "$job" 2>/dev/null; done
exit 0
"""


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """The variables of a machine whose `sbatch` runs the job at once, beside us."""
    programs, jobs = tmp_path / "bin", tmp_path / "jobs"
    programs.mkdir()
    jobs.mkdir()
    for name, content in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (programs / name).write_text(content)
        (programs / name).chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}", "JOBS": str(jobs)}


@pytest.fixture
def spec(tmp_path: Path, write_spec) -> Path:
    (tmp_path / "archive").mkdir()
    for number, data in enumerate(small_files(range(4))):
        (tmp_path / "archive" / str(number)).write_bytes(data)
    path = write_spec(tmp_path / "archive")
    cluster = "{n: 2, memory_limit: 2GiB, cluster: {kind: slurm, queue: imaging, account: research, interface: lo}}"
    path.write_text(path.read_text().replace("{cluster: local, n: 1}", cluster))
    return path


@pytest.mark.slow
def test_a_release_by_jobs_of_slurm_is_whole(spec: Path, slurm: dict[str, str], tmp_path: Path) -> None:
    certificates = tmp_path / "certificates"
    subprocess.run([SCRIPTS.parent / "certificates.sh", certificates], check=True, capture_output=True)
    roles = {name: value for role in ("scheduler", "worker", "client") for name, value in settings(certificates, role).items()}
    done = sallyport("release", spec, "--json", **roles, **slurm)
    assert done.code == 0, done.err
    assert done.data["objects_by_status"] == {"released": 4 * INSTANCES}
    scripts = [path.read_text() for path in Path(slurm["JOBS"]).glob("*.sh")]
    assert len(scripts) == 2
    for script in scripts:
        assert "#SBATCH -p imaging" in script
        assert "--nthreads 1" in script
        assert "--tls-cert" in script
        assert "tls://" in script


@pytest.mark.slow
def test_nothing_is_submitted_without_certificates(spec: Path, slurm: dict[str, str]) -> None:
    done = sallyport("release", spec, **slurm)
    assert (done.code, "needs certificates" in done.err) == (2, True), done.err
    assert not list(Path(slurm["JOBS"]).iterdir())


@pytest.mark.parametrize(
    "wrong", [{"kind": "pbs"}, {"queue": "a b; rm"}, {"kind": "slurm", "walltime": "soon"}, "kubernetes", {"hosts": ["a"]}]
)
def test_a_cluster_that_we_do_not_start_is_refused_by_the_spec(wrong: object) -> None:
    with pytest.raises(ValidationError):
        Workers.model_validate({"cluster": wrong})
