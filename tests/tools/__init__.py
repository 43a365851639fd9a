"""Tests of tools/ and of benchmarks/."""
