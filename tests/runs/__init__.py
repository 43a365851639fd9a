"""Whole runs: the default one, interrupted ones, on several nodes, under other engines."""
