"""Tests of pipeline/preferences, and of the scripts that read and split preferences."""
