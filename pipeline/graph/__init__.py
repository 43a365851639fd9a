"""Helpers of Snakemake's graph: checks at its start, progress, failures, jobs."""
