"""A training: from its newest checkpoint to the published adapter."""
