"""Tests of pipeline/interface_strings."""
