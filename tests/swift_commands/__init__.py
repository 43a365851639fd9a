"""Tests of pipeline/swift_commands."""
