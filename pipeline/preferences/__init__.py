"""Reading preference data: formats, checks, duplicates, and the account of every row."""
