"""Settings: which ones are allowed, and as flags of commands."""
