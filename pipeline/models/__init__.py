"""Models: shape, folder, template, log-probabilities, merge."""
