"""The reviewer's report: one self-contained page about one candidate, on the private side."""

from tasks.report.write import render_report, write_report

__all__ = ["render_report", "write_report"]
