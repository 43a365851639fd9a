"""Tests of the RO-Crate."""
