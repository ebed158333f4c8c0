"""The only place that imports prefect and prefect_dask: flows, deployments, the command line."""
