"""Plain functions on plain data: everything Sallyport does to a study, without an orchestrator.

Nothing here imports prefect, dask or great_expectations (checked by import-linter): a worker pays only for what it runs.
"""
