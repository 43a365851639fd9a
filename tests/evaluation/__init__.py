"""Tests of pipeline/evaluation, and of the scripts that evaluate."""
