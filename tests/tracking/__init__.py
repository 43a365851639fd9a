"""Tests of what is done with SwanLab's records."""
