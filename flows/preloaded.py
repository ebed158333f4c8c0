"""What workers need, imported by the process that they are forked from (`workers`), before it forks the first."""

from flows.importing import collector_at_rest

with collector_at_rest():
    import distributed  # noqa: F401
    import pandas  # noqa: F401

    import tasks.study_job  # noqa: F401
