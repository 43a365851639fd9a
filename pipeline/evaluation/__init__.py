"""Figures of a model's answers, and their intervals."""
