"""Tests of serving a run and of talking to it."""
