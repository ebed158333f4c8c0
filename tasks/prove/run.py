"""All proofs in one go, in a scratch folder of their own.

Showing them is the command's business.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from tasks.policy import Policy
from tasks.prove.kinds import CANDIDATE_DEFECTS, OBJECT_DEFECTS
from tasks.prove.specimens import make_specimens
from tasks.prove.trials import Proof, try_burned_in, try_candidates, try_clean, try_plants, try_strangers, try_utility
from tasks.secret import Secret

Observer = Callable[[str, int, int], None]
OTHER_KINDS = ("T1x", "U", "T7")
"""Gates whose trials need more than one written object, or a reading of its pixels."""
_CLEAN_PER_PLANT = 4
_PATIENTS_AT_MOST = 250


def prove(policy: Policy, n: int, observe: Observer = lambda _stage, _done, _total: None, pixels: int = 0) -> Iterator[Proof]:
    """Yield one proof per kind of defect, `n` plants each, each with its clean control.

    `pixels`: how many burned-in texts to plant and read again (a quarter of a CPU second each; 0: that gate is not proven here).
    Raises ReleaseError when a stage is broken.
    """
    warnings.filterwarnings("ignore", module="pydicom")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    steps = len(OBJECT_DEFECTS) + len(CANDIDATE_DEFECTS) + 3
    with tempfile.TemporaryDirectory(prefix="prove-") as name:
        folder = Path(name)
        patients = min(n, _PATIENTS_AT_MOST)
        each = max(1, round(_CLEAN_PER_PLANT * n / patients))
        specimens = list(make_specimens(patients, folder, policy, Secret(bytes(range(32))), each))
        for number, kind in enumerate(OBJECT_DEFECTS):
            observe("prove", number, steps)
            yield try_plants(kind, specimens, n, policy, folder)
        observe("prove", len(OBJECT_DEFECTS), steps)
        yield from try_strangers(specimens, n, policy, folder)
        yield from try_utility(specimens, n, policy, folder)
        yield try_clean(specimens, policy)
        for number, defect in enumerate(CANDIDATE_DEFECTS, len(OBJECT_DEFECTS) + 1):
            observe("prove", number, steps)
            yield from try_candidates(defect, n, policy.gates)
        if pixels:
            observe("prove", steps - 1, steps)
            yield from try_burned_in(specimens, pixels, folder)
        observe("prove", steps, steps)
