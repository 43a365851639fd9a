"""The history of a run, as an RO-Crate."""
