"""The report pages of a run and of a sweep: their figures, charts and answers."""
