"""The RO-Crate of a run before the validator of its profiles."""
