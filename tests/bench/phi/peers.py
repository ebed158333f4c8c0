"""Runs inside the peers' environment: one peer over a folder, file by file; a file that makes it fail is withheld.

Our own package is not importable here and does not belong here.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path


def _dicognito() -> Callable[[Path, Path], None]:
    import pydicom
    from dicognito.anonymizer import Anonymizer

    tool = Anonymizer(seed="benchmark")

    def run(source: Path, target: Path) -> None:
        with pydicom.dcmread(source, force=True) as dataset:
            tool.anonymize(dataset)
            dataset.save_as(target)

    return run


def _dicomanonymizer() -> Callable[[Path, Path], None]:
    from dicomanonymizer import anonymize_dicom_file

    def run(source: Path, target: Path) -> None:
        anonymize_dicom_file(str(source), str(target))

    return run


def _deid() -> Callable[[Path, Path], None]:
    from deid.config import DeidRecipe
    from deid.dicom import replace_identifiers

    recipe = DeidRecipe(base=True)

    def run(source: Path, target: Path) -> None:
        made = replace_identifiers(dicom_files=[str(source)], deid=recipe, save=False, remove_private=True, strip_sequences=False)
        made[0].save_as(target)

    return run


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    name, source, target = sys.argv[1:4]
    run = {"dicognito": _dicognito, "dicomanonymizer": _dicomanonymizer, "deid": _deid}[name]()
    for path in sorted(Path(source).iterdir()):
        try:
            run(path, Path(target) / path.name)
        except Exception:  # what a peer cannot do it does not release
            (Path(target) / path.name).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
