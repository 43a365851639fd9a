"""dvc.yaml, and comparison with published results."""
