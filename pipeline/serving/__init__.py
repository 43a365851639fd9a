"""A finished run, served to OpenAI's clients on this machine, and talked to."""
