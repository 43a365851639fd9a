"""Tests of pipeline/report, and of the scripts that tabulate and report."""
