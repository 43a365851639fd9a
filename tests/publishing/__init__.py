"""Tests of pipeline/publishing."""
