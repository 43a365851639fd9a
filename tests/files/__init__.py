"""Tests of pipeline/files."""
