"""Models: their shape, folder, chat template, log-probabilities and merge."""
