"""`python -m tasks.report`: write the page about gates that is generated from the policy's tables."""

from pathlib import Path

from tasks.report.regulators import documentation

Path(__file__).resolve().parents[2].joinpath("infra", "docs", "gates.md").write_text(documentation(), "utf-8")
