"""The errors a person sees: "where: what is wrong; what to do", with the exit code of their cause.

Data trouble is no error (it is a receipt with a reason code). Nothing here may ever hold a value of a patient; raise with
`from None` where the cause may hold one.
"""

from __future__ import annotations


class ReleaseError(Exception):
    """Something a person must mend. Crosses process boundaries as one string (picklable), shown without a traceback."""

    exit_code = 1

    def __init__(self, where: str, problem: str, remedy: str = "") -> None:
        super().__init__(where, problem, remedy)
        self.where, self.problem, self.remedy = where, problem, remedy

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}" + (f"; {self.remedy}" if self.remedy else "")


class UsageError(ReleaseError):
    """Wrong usage, or an invalid spec or policy: the field, and what to write there."""

    exit_code = 2


class HeldError(ReleaseError):
    """A gate held the candidate; nothing was published."""

    exit_code = 3


class VerificationError(ReleaseError):
    """A published release is not what its log says. Subclasses carry their own documented code."""

    exit_code = 4
