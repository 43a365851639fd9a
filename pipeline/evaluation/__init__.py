"""Figures of a model's answers: what each measures, and how sure it is."""
