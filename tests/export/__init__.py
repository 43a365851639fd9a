"""Tests of pipeline/export, and of the script that writes a GGUF."""
