"""Files of any content: JSON, manifests, tables, pages."""
