"""Tools under test, all behind one call: planted files in, output files out (None where the tool withheld the object).

Peers run in a virtual environment of their own (requirements.txt beside this file), so that nothing of them is a dependency.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.phi.key import Case

Outputs = dict[Path, Path | None]


@dataclass(frozen=True, slots=True)
class Run:
    outputs: Outputs
    cpu_seconds: float


def no_op(cases: Sequence[Case], folder: Path) -> Run:
    """Release everything as it is."""
    return Run({c.planted: c.planted for c in cases}, 0.0)


def clean_twin(cases: Sequence[Case], folder: Path) -> Run:
    """Release what a perfect tool would."""
    return Run({c.planted: c.twin for c in cases}, 0.0)


def withhold_everything(cases: Sequence[Case], folder: Path) -> Run:
    return Run({c.planted: None for c in cases}, 0.0)


def sallyport(cases: Sequence[Case], folder: Path, policy: str = "shifted-dates") -> Run:
    """Run our own header stage, one study at a time, as a worker does (pixels and faces are measured elsewhere)."""
    from tasks.deidentify import deidentify_object, study_context, write_object
    from tasks.intake import examine_files
    from tasks.model import Instance, PulledFile
    from tasks.policy import load_policy
    from tasks.secret import Secret

    headers = load_policy(policy).headers
    secret = Secret(b"benchmark" * 8)
    folder.mkdir(parents=True, exist_ok=True)
    outputs: Outputs = {}
    started = time.process_time()
    for number, case in enumerate(cases):
        outputs[case.planted] = None
        intake = examine_files([PulledFile(case.planted, case.planted.name, case.planted.stat().st_size)], headers.max_nesting)
        context = study_context(intake, headers, secret, "benchmark")
        for series in intake.series:
            for source in series.files:
                made = deidentify_object(source, context)
                if isinstance(made, Instance):
                    path = folder / f"{number}.dcm"
                    write_object(made, path)
                    outputs[case.planted] = path
    return Run(outputs, time.process_time() - started)


def sallyport_strict(cases: Sequence[Case], folder: Path) -> Run:
    return sallyport(cases, folder, "strict")


def _peer(script: str) -> Callable[[Sequence[Case], Path], Run]:
    def run(cases: Sequence[Case], folder: Path) -> Run:
        python = peer_python()
        if python is None:
            raise FileNotFoundError("the peers' environment is not installed: run `make bench`")
        folder.mkdir(parents=True, exist_ok=True)
        source = folder.parent / (folder.name + "-in")
        shutil.rmtree(source, ignore_errors=True)
        source.mkdir()
        for number, case in enumerate(cases):
            shutil.copy(case.planted, source / f"{number:05d}.dcm")
        import resource

        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [str(python), str(Path(__file__).with_name("peers.py")), script, str(source), str(folder)], check=False, capture_output=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        outputs: Outputs = {}
        for number, case in enumerate(cases):
            path = folder / f"{number:05d}.dcm"
            outputs[case.planted] = path if path.is_file() else None
        return Run(outputs, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    return run


def peer_python() -> Path | None:
    """Return the interpreter of the peers' environment, None when it is not installed."""
    found = Path(__file__).resolve().parents[3] / ".bench-venv" / "bin" / "python"
    return found if found.is_file() else None


TOOLS: dict[str, Callable[[Sequence[Case], Path], Run]] = {
    "sallyport (shifted-dates)": sallyport,
    "sallyport (strict)": sallyport_strict,
    "no-op": no_op,
    "clean twin": clean_twin,
    "withhold everything": withhold_everything,
    "dicognito": _peer("dicognito"),
    "dicom-anonymizer": _peer("dicomanonymizer"),
    "deid": _peer("deid"),
}
__all__ = ["TOOLS", "Run", "peer_python", "sys"]
