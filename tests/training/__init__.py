"""Tests of pipeline/training, and of trainings as ms-swift runs them."""
