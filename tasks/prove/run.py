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
from tasks.prove.kinds import OBJECT_DEFECTS
from tasks.prove.specimens import make_specimens
from tasks.prove.trials import Proof, try_clean, try_plants
from tasks.secret import Secret

Observer = Callable[[str, int, int], None]
_CLEAN_PER_PLANT = 4
_PATIENTS_AT_MOST = 250


def prove(policy: Policy, n: int, observe: Observer = lambda _stage, _done, _total: None) -> Iterator[Proof]:
    """Yield one proof per kind of defect, `n` plants each, then the clean controls. Raises ReleaseError when a stage is broken."""
    warnings.filterwarnings("ignore", module="pydicom")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    with tempfile.TemporaryDirectory(prefix="prove-") as name:
        folder = Path(name)
        patients = min(n, _PATIENTS_AT_MOST)
        each = max(1, round(_CLEAN_PER_PLANT * n / patients))
        specimens = list(make_specimens(patients, folder, policy, Secret(bytes(range(32))), each))
        for number, kind in enumerate(OBJECT_DEFECTS):
            observe("prove", number, len(OBJECT_DEFECTS) + 1)
            yield try_plants(kind, specimens, n, policy, folder)
        observe("prove", len(OBJECT_DEFECTS), len(OBJECT_DEFECTS) + 1)
        yield try_clean(specimens, policy)
        observe("prove", len(OBJECT_DEFECTS) + 1, len(OBJECT_DEFECTS) + 1)
