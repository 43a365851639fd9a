"""Tests of pipeline/models, and of the scripts that make and check models."""
