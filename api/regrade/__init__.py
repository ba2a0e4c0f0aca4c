"""Judging the whole history again: on one machine's cores or on a Dask cluster."""
