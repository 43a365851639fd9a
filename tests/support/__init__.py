"""What several tests need: copies of the project, servers, processes, models, pairs."""
