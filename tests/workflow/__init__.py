"""The repository as a whole: rules, documents, environments, published results."""
