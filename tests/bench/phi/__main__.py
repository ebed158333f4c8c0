"""`python -m tests.bench.phi`: build the planted corpus, run the tools over it, print the table.

Exit code 1 when our own tool misses a bar of `BARS`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.bench.phi import corpus, report
from tests.bench.phi.adapters import TOOLS, peer_python
from tests.bench.phi.scorer import Score, score

PEERS = ("dicognito", "dicom-anonymizer", "deid")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.phi", description=__doc__)
    parser.add_argument("--files-per-base", type=int, default=2)
    parser.add_argument("--bases", type=int, default=None, help="use only the first so many base files")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--split", choices=("tune", "held out"), default="held out")
    parser.add_argument("--tools", default=None, help="comma-separated; default: ours, the controls, and the peers that are installed")
    parser.add_argument("--leaks", action="store_true", help="list the channels that leak and what was lost")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, default=None, help="keep the corpus and the outputs here")
    options = parser.parse_args(arguments)
    names = options.tools.split(",") if options.tools else [n for n in TOOLS if n not in PEERS or peer_python() is not None]
    with tempfile.TemporaryDirectory(prefix="phi-") as temporary:
        folder = options.folder or Path(temporary)
        cases = corpus.build(folder, options.seed, options.files_per_base, options.split, options.bases)
        scores: dict[str, Score] = {}
        for name in names:
            run = TOOLS[name](cases, folder / "out" / name.replace(" ", "-"))
            scores[name] = score(cases, run.outputs)
            scores[name].cpu_seconds = run.cpu_seconds
    print(json.dumps(report.as_data(scores), indent=1) if options.json else report.as_text(scores, leaks=options.leaks))
    return report.exit_code(scores)


if __name__ == "__main__":
    sys.exit(main())
